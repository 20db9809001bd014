//! The keys that rotations lead to, opened as the configuration has them while the CA serves.

use super::{keyring::find, secrets::Secrets};
use crate::{config::Keys, mistake::Mistake, rotate::NextKeys, store::rotation::RotationRecord};
use dayfly_core::{rotation::Purpose, signer::Signer};
use ssh_key::public::KeyData;
use std::sync::{Arc, Mutex, PoisonError};

/// The configuration's keys, and what unlocks them: what was typed when the CA started need not be typed again.
pub struct ConfiguredKeys {
    keys: Keys,
    secrets: Mutex<Secrets>,
}

impl ConfiguredKeys {
    /// `secrets` have unlocked the other keys.
    pub fn new(keys: Keys, secrets: Secrets) -> Self {
        Self { keys, secrets: Mutex::new(secrets) }
    }
}

impl NextKeys for ConfiguredKeys {
    fn open(&self, purpose: Purpose, rotations: &[RotationRecord], wanted: &KeyData) -> Result<Arc<dyn Signer>, Mistake> {
        find(&self.keys, &self.secrets.lock().unwrap_or_else(PoisonError::into_inner), purpose, rotations, wanted)
    }
}
