//! What was revoked before it expired.

use crate::identity::Subject;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Certificates and people whose access has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    /// Serials of revoked certificates.
    #[serde(default)]
    pub serials: BTreeSet<u64>,
    /// People and machines none of whose certificates count any more.
    #[serde(default)]
    pub subjects: BTreeSet<Subject>,
}

impl Revocations {
    /// Whether a certificate of this serial, given to this subject, is revoked.
    pub fn cover(&self, serial: u64, subject: Option<&Subject>) -> bool {
        self.serials.contains(&serial) || subject.is_some_and(|subject| self.subjects.contains(subject))
    }
}
