//! What a browser is sent for: the answer of a passkey or security key.

use super::verifier::Round;
use crate::{
    by_browser::transaction::{Errand, Words},
    store::factor::{Credential, FactorUsed},
};
use dayfly_core::{identity::Subject, name::FactorName, reason::Reason};

/// A ceremony that is under way.
pub(super) struct Ceremony {
    /// Whose.
    pub(super) subject: Subject,
    pub(super) purpose: Purpose,
    /// What the authenticator was asked, by the page that was looked at last. It is answered once.
    pub(super) round: Option<Round>,
}

/// What it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To have another one, of this name.
    Add(FactorName),
    /// To prove one.
    Prove,
}

/// What came of it.
pub(super) enum Answer {
    Added(Credential),
    Proven(FactorUsed),
}

impl Errand for Ceremony {
    type Answer = Answer;
    const WORDS: Words = Words { what: "ceremony", command: "dayfly factor", unknown: Reason::CeremonyUnknown };

    fn person(&self) -> Option<&Subject> {
        Some(&self.subject)
    }
}
