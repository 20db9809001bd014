//! Whether a recording is what its bastion sealed, and what the log says that it sealed.

use crate::log::row::Row;
use dayfly_core::signature::{fingerprint, verify_sshsig};
use dayfly_recording::{SIGNATURE_NAMESPACE, Verified, VerifyError, verify};
use serde::Serialize;
use ssh_key::{SshSig, public::KeyData};
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Why a recording is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It is not what was sealed.
    #[error(transparent)]
    Recording(#[from] VerifyError),
    /// It was sealed by another bastion than the one that it names.
    #[error("it says that bastion {named} carried it, and it is sealed with a key of another")]
    OtherBastion {
        /// The bastion that the manifest names.
        named: String,
    },
    /// The log knows another manifest for this session.
    #[error("the log holds {logged} as the SHA-256 of this session's manifest, and it is {found}")]
    OtherManifest {
        /// What the log holds.
        logged: String,
        /// What is here.
        found: String,
    },
}

/// A recording that is what its bastion sealed.
#[derive(Debug)]
pub struct Proven {
    /// What was verified.
    pub verified: Verified,
    /// What the log says of it.
    pub log: LogWord,
}

/// What the log says of a sealed recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogWord {
    /// It holds the digest of this very manifest.
    Agrees,
    /// It holds none for this session, or not yet: whoever has the bastion's key could have sealed this later.
    Silent,
    /// It was not asked.
    NotAsked,
}

/// Which keys seal recordings, and which manifests the log knows.
#[derive(Debug, Default)]
pub struct Expectations {
    /// The fingerprints of each bastion's keys.
    keys: BTreeMap<String, BTreeSet<String>>,
    /// A key that is good whatever the bastion is called.
    any: Option<String>,
    /// SHA-256 of manifests, by session.
    manifests: BTreeMap<String, String>,
}

impl Expectations {
    /// One key, and nothing from the log.
    pub fn of_key(key: &KeyData) -> Self {
        Self { any: Some(fingerprint(key)), ..Self::default() }
    }

    /// Takes a row of the log: bastions that were enrolled, sessions that ended.
    pub fn take(&mut self, row: &Row) {
        match (row.text("event"), row.reporting_bastion()) {
            (Some("bastion.added"), None) => {
                if let (Some(name), Some(key)) = (row.fact("bastion"), row.fact("key")) {
                    self.keys.entry(name.to_owned()).or_default().insert(key.to_owned());
                }
            }
            (Some("session.ended"), Some(bastion)) => {
                if let (Some(session), Some(digest)) = (row.text("session"), row.fact("manifest_sha256")) {
                    self.manifests.entry(format!("{bastion} {session}")).or_insert_with(|| digest.to_owned());
                }
            }
            _ => {}
        }
    }

    /// Verifies the recording in `directory`.
    pub fn prove(&self, directory: &Path) -> Result<Proven, ProofError> {
        let sealed_by = OnceCell::new();
        let verified = verify(directory, |manifest, signature| {
            let key = self.sealing_key(manifest, signature)?;
            let _ = sealed_by.set(key);
            Ok(())
        })?;
        let bastion = &verified.manifest.session.bastion;
        let is_own = |key: &String| self.any.as_ref() == Some(key) || self.keys.get(bastion).is_some_and(|keys| keys.contains(key));
        if !sealed_by.get().is_some_and(is_own) {
            return Err(ProofError::OtherBastion { named: bastion.clone() });
        }
        let found = verified.manifest_sha256.to_string();
        let log = match self.manifests.get(&format!("{bastion} {}", verified.manifest.session.session_id)) {
            Some(logged) if *logged != found => return Err(ProofError::OtherManifest { logged: logged.clone(), found }),
            Some(_) => LogWord::Agrees,
            None if self.any.is_some() => LogWord::NotAsked,
            None => LogWord::Silent,
        };
        Ok(Proven { verified, log })
    }

    fn sealing_key(&self, manifest: &[u8], signature: &str) -> Result<String, String> {
        let sshsig = SshSig::from_pem(signature.as_bytes()).map_err(|error| error.to_string())?;
        let key = verify_sshsig(&sshsig, SIGNATURE_NAMESPACE, manifest).map_err(|error| error.to_string())?;
        let key = fingerprint(key);
        let is_known = self.any.as_ref() == Some(&key) || self.keys.values().any(|keys| keys.contains(&key));
        if is_known { Ok(key) } else { Err(format!("its key {key} is no enrolled bastion's")) }
    }
}

#[cfg(test)]
mod tests;
