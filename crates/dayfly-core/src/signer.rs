//! The port to a private key: whoever holds one implements this, and nothing else touches the key.

use ssh_key::{Signature, public::KeyData};

/// A key that could not sign.
#[derive(Debug, thiserror::Error)]
#[error("the key {key} could not sign: {cause}")]
pub struct SignerError {
    /// Which key: its purpose or fingerprint, never its contents.
    pub key: String,
    /// What went wrong, in words.
    pub cause: String,
}

/// A private key, wherever it is kept. Calls may block: slow custodies belong on a blocking thread.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &KeyData;

    /// Whether [`Signer::sign`] answers within a millisecond, so that it may be called between two requests. Unless a custody says so, it may not.
    fn is_quick(&self) -> bool {
        false
    }

    /// Signs `message`. RSA keys sign with SHA-512, never with SHA-1.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError>;
}

#[cfg(feature = "test-support")]
pub mod fido;

/// An Ed25519 key made from a seed, for tests.
#[cfg(feature = "test-support")]
pub struct SeedSigner {
    key: ssh_key::PrivateKey,
    public: KeyData,
}

#[cfg(feature = "test-support")]
impl SeedSigner {
    /// The key that `seed` stands for.
    pub fn new(seed: u8) -> Self {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]);
        let key = ssh_key::PrivateKey::from(pair);
        let public = key.public_key().key_data().clone();
        Self { key, public }
    }

    /// The whole key, for what takes one.
    pub fn private_key(&self) -> &ssh_key::PrivateKey {
        &self.key
    }
}

#[cfg(feature = "test-support")]
impl Signer for SeedSigner {
    fn public_key(&self) -> &KeyData {
        &self.public
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        signature::Signer::try_sign(&self.key, message).map_err(|error| SignerError { key: "seed".into(), cause: error.to_string() })
    }
}
