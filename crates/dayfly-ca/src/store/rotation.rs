//! What the store remembers of rotations.

use dayfly_core::rotation::{Purpose, Rotation, Stage};
use ssh_key::public::KeyData;
use std::{collections::BTreeSet, path::PathBuf};

/// A rotation, under way or over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationRecord {
    /// Whose key, how far, and despite whom.
    pub rotation: Rotation,
    /// The key that gives way.
    pub old_key: KeyData,
    /// The key that takes its place.
    pub new_key: KeyData,
    /// The file that the new key was made in; `None` where the configuration names who holds it.
    pub file: Option<PathBuf>,
    /// The old key's word for the new one, an armored SSHSIG; from the publication on.
    pub endorsement: Option<String>,
    /// When it was prepared, in Unix seconds.
    pub started_at: u64,
}

impl RotationRecord {
    /// The key that signs.
    pub fn signing_key(&self) -> &KeyData {
        if self.rotation.new_key_signs() { &self.new_key } else { &self.old_key }
    }

    /// The keys that are trusted, the one that signs first.
    pub fn trusted_keys(&self) -> Vec<KeyData> {
        let (old, new) = self.rotation.trusted();
        let mut keys = Vec::new();
        keys.extend(old.then(|| self.old_key.clone()));
        keys.extend(new.then(|| self.new_key.clone()));
        if self.rotation.new_key_signs() {
            keys.reverse();
        }
        keys
    }
}

/// Whether `record` begins with another key than the one that signs by what is remembered.
pub(super) fn replaces_another(rotations: &[RotationRecord], record: &RotationRecord) -> bool {
    let latest = rotations.iter().rfind(|earlier| earlier.rotation.purpose == record.rotation.purpose);
    latest.is_some_and(|latest| *latest.signing_key() != record.old_key)
}

/// A step from one stage to the next. It is taken from exactly this stage, so that of two processes one takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationStep {
    /// Whose rotation.
    pub purpose: Purpose,
    /// Where it is.
    pub from: Stage,
    /// Where it goes.
    pub to: Stage,
    /// The old key's word for the new one, with the publication.
    pub endorsement: Option<String>,
}

/// What a bastion told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BastionReportHeld {
    /// When, by the CA's clock, in Unix seconds.
    pub seen_at: u64,
    /// `SHA256:…` of every CA key that it trusts: the user CA's, and the host CAs' of its targets.
    pub trusted: BTreeSet<String>,
}
