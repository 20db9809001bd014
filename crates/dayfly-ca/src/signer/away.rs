//! In the place of a key that ought to sign and cannot be opened: nothing else signs for it.

use dayfly_core::{
    signature::fingerprint,
    signer::{Signer, SignerError},
};
use ssh_key::{Signature, public::KeyData};

/// Signs nothing.
pub struct AwaySigner {
    key: KeyData,
    cause: String,
}

impl AwaySigner {
    /// In the place of `key`, which cannot be opened for this cause.
    pub fn new(key: KeyData, cause: impl Into<String>) -> Self {
        Self { key, cause: cause.into() }
    }
}

impl Signer for AwaySigner {
    fn public_key(&self) -> &KeyData {
        &self.key
    }

    fn sign(&self, _: &[u8]) -> Result<Signature, SignerError> {
        Err(SignerError { key: fingerprint(&self.key), cause: self.cause.clone() })
    }
}
