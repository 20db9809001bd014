//! Recognises a target: by its host certificate or by a pinned key, never by trust on first use.

use crate::authority::Snapshot;
use dayfly_core::{
    certificate::Verifier,
    reason::{Reason, Refusal},
    signature,
    target::Target,
};
use russh::keys::PublicKeyOrCertificate;
use serde::{Deserialize, Serialize};
use ssh_key::{Algorithm, PublicKey, public::KeyData};
use std::sync::{Arc, Mutex, PoisonError};

/// What a target must show. Clones share the verdict.
#[derive(Debug, Clone)]
pub(super) struct HostKeyCheck {
    name: String,
    authorities: Vec<KeyData>,
    pinned: Vec<KeyData>,
    snapshot: Arc<Snapshot>,
    refused: Arc<Mutex<Option<(Refusal, HostKeySeen)>>>,
}

/// What a target should have shown, and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKeySeen {
    /// `SHA256:…` of each of its own host keys, and `a certificate by SHA256:…` for each authority that may certify it.
    pub expected: Vec<String>,
    /// `SHA256:…` of the key that it showed, and by whom that was certified if it was.
    pub seen: String,
}

impl HostKeyCheck {
    /// What the inventory says about `target`, and `snapshot` about what was revoked.
    pub(super) fn new(target: &Target, snapshot: Arc<Snapshot>) -> Result<Self, Refusal> {
        let read = |line: &String| {
            let key = PublicKey::from_openssh(line).map_err(|error| {
                Refusal::new(
                    Reason::TargetUnavailable,
                    format!("a host key of {} cannot be read: {error}", target.name),
                    "correct the inventory",
                )
            })?;
            Ok(key.key_data().clone())
        };
        Ok(Self {
            name: target.name.to_string(),
            authorities: target.host_ca.iter().map(read).collect::<Result<_, Refusal>>()?,
            pinned: target.host_keys.iter().map(read).collect::<Result<_, Refusal>>()?,
            snapshot,
            refused: Arc::default(),
        })
    }

    /// Whether a host certificate is expected, or would do.
    pub(super) fn is_certified(&self) -> bool {
        !self.authorities.is_empty()
    }

    /// The algorithms of the pinned keys.
    pub(super) fn pinned_algorithms(&self) -> Vec<Algorithm> {
        self.pinned.iter().map(KeyData::algorithm).collect()
    }

    /// Whether what was shown is the target's, at `now` in Unix seconds. That the target holds the key, the key exchange has proven.
    pub(super) fn accept(&self, shown: &PublicKeyOrCertificate, now: u64) -> bool {
        let verdict = match shown {
            PublicKeyOrCertificate::Certificate(certificate) => {
                let verifier = Verifier { authorities: &self.authorities, revocations: self.snapshot.revocations() };
                verifier.host(certificate, now, &self.name).map(drop)
            }
            PublicKeyOrCertificate::PublicKey { key, .. } => self.accept_pinned(key),
        };
        let Err(refusal) = verdict else { return true };
        let refusal = Refusal::new(
            Reason::HostKeyMismatch,
            format!("what answers at the address of {} does not prove to be it: {}", self.name, refusal.message),
            "tell whoever runs the target; it may have been rebuilt, or somebody stands in its place",
        );
        let seen = HostKeySeen { expected: self.expected(), seen: described(shown) };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((refusal, seen));
        false
    }

    /// Why what was shown was not accepted, and what it was, if it was not.
    pub(super) fn refused(&self) -> Option<(Refusal, HostKeySeen)> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn expected(&self) -> Vec<String> {
        let certified = self.authorities.iter().map(|key| format!("a certificate by {}", signature::fingerprint(key)));
        self.pinned.iter().map(signature::fingerprint).chain(certified).collect()
    }

    fn accept_pinned(&self, key: &PublicKey) -> Result<(), Refusal> {
        signature::strength(key.key_data())?;
        if self.snapshot.revocations().cover_key(key.key_data()) {
            return Err(Refusal::new(Reason::Revoked, format!("its key {} was revoked", signature::fingerprint(key.key_data())), ""));
        }
        if self.pinned.contains(key.key_data()) {
            return Ok(());
        }
        let shown = signature::fingerprint(key.key_data());
        Err(Refusal::new(Reason::HostKeyMismatch, format!("it shows the key {shown}, which is not its own"), ""))
    }
}

fn described(shown: &PublicKeyOrCertificate) -> String {
    match shown {
        PublicKeyOrCertificate::Certificate(certificate) => {
            let (key, by) = (signature::fingerprint(certificate.public_key()), signature::fingerprint(certificate.signature_key()));
            format!("{key}, certified by {by}")
        }
        PublicKeyOrCertificate::PublicKey { key, .. } => signature::fingerprint(key.key_data()),
    }
}

#[cfg(test)]
mod tests;
