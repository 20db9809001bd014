//! Who signs the calls.

use dayfly_core::{
    signature::sign_sshsig,
    signer::{Signer, SignerError},
};
use ssh_key::{HashAlg, PrivateKey, Signature, SshSig, public::KeyData};
use std::{future::Future, pin::Pin};

/// A signature that is on its way.
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<SshSig, SignerError>> + Send + 'a>>;

/// Something that signs: a key in memory, an agent, a token.
pub trait RequestSigner: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &KeyData;

    /// An SSHSIG over `message` for `namespace` (OpenSSH PROTOCOL.sshsig).
    fn sign<'a>(&'a self, namespace: &'a str, message: &'a [u8]) -> Signing<'a>;
}

/// A key in memory.
pub struct KeySigner {
    key: PrivateKey,
}

impl KeySigner {
    /// Takes a decrypted key.
    pub fn new(key: PrivateKey) -> Self {
        Self { key }
    }

    /// The key itself, for what takes one.
    pub fn private_key(&self) -> &PrivateKey {
        &self.key
    }
}

impl Signer for KeySigner {
    fn public_key(&self) -> &KeyData {
        self.key.public_key().key_data()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        signature::Signer::try_sign(&self.key, message)
            .map_err(|error| SignerError { key: self.key.fingerprint(HashAlg::Sha256).to_string(), cause: error.to_string() })
    }
}

impl RequestSigner for KeySigner {
    fn public_key(&self) -> &KeyData {
        self.key.public_key().key_data()
    }

    fn sign<'a>(&'a self, namespace: &'a str, message: &'a [u8]) -> Signing<'a> {
        Box::pin(async move { sign_sshsig(self, namespace, message) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::{signature::verify_sshsig, signer::SeedSigner};

    #[tokio::test]
    async fn a_key_in_memory_signs_what_the_verifier_accepts() {
        let signer = KeySigner::new(SeedSigner::new(1).private_key().clone());
        let sshsig = RequestSigner::sign(&signer, "request@dayfly", b"message").await.unwrap();
        assert_eq!(verify_sshsig(&sshsig, "request@dayfly", b"message").unwrap(), RequestSigner::public_key(&signer));
    }
}
