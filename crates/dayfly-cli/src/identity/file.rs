//! An identity in a key file.

use super::{IdentityError, passphrase};
use crate::state::private_file::{self, PRIVATE, PrivateFileError};
use dayfly_client::{KeySigner, RequestSigner, request_signer::Signing};
use dayfly_core::signer::SignerError;
use ssh_key::{Algorithm, HashAlg, PrivateKey, PublicKey, public::KeyData};
use std::{
    io::Read,
    path::{Path, PathBuf},
};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

/// The largest key file that is read, in bytes.
const LARGEST_KEY_FILE: u64 = 64 * 1024;

/// How often a passphrase may be mistyped.
const ATTEMPTS: usize = 3;

/// What a key file holds.
pub(super) enum Contents {
    /// A private key that can sign by itself, perhaps encrypted.
    Private(Box<PrivateKey>),
    /// The name of a key that an agent can sign with, and what it is.
    ForAgent(KeyData, &'static str),
}

/// Reads a key file. Links are followed, as OpenSSH does, but a private key must be the person's alone.
pub(super) fn read(path: &Path) -> Result<Contents, IdentityError> {
    let (file, found) = private_file::open_named(path)?;
    let mut bytes = Zeroizing::new(Vec::new());
    let read = file.take(LARGEST_KEY_FILE.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|cause| PrivateFileError::System { path: path.to_owned(), cause })?;
    if bytes.len() as u64 > LARGEST_KEY_FILE {
        return Err(PrivateFileError::TooLarge(path.to_owned(), LARGEST_KEY_FILE).into());
    }
    if let Some(key) = std::str::from_utf8(&bytes).ok().and_then(|text| PublicKey::from_openssh(text.trim_end()).ok()) {
        return Ok(Contents::ForAgent(key.key_data().clone(), "a public key alone"));
    }
    let key = PrivateKey::from_openssh(&*bytes).map_err(|cause| IdentityError::NotAKey { path: path.to_owned(), cause })?;
    private_file::check_private(&found, path, PRIVATE)?;
    match key.algorithm() {
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => {
            Ok(Contents::ForAgent(key.public_key().key_data().clone(), "the handle of a security key"))
        }
        _ => Ok(Contents::Private(Box::new(key))),
    }
}

/// Signs with the file's key. An encrypted one is decrypted when it first signs, and only then asks.
pub(super) struct FileSigner {
    path: PathBuf,
    key: Box<PrivateKey>,
    ready: OnceCell<KeySigner>,
}

impl FileSigner {
    pub(super) fn new(path: &Path, key: Box<PrivateKey>) -> Self {
        Self { path: path.to_owned(), key, ready: OnceCell::new() }
    }

    async fn decrypted(&self) -> Result<&KeySigner, SignerError> {
        let ready = self.ready.get_or_try_init(|| async {
            let (path, key) = (self.path.clone(), self.key.clone());
            let failed = |cause: String| SignerError { key: self.key.fingerprint(HashAlg::Sha256).to_string(), cause };
            // Typing takes as long as it takes; deriving the key takes a while too.
            let decrypting = tokio::task::spawn_blocking(move || decrypt(&path, *key));
            let key = decrypting.await.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
            Ok(KeySigner::new(key))
        });
        ready.await
    }
}

fn decrypt(path: &Path, key: PrivateKey) -> Result<PrivateKey, String> {
    if !key.is_encrypted() {
        return Ok(key);
    }
    for _ in 0..ATTEMPTS {
        let passphrase = passphrase::ask(&format!("Passphrase for {}: ", path.display())).map_err(|error| error.to_string())?;
        if let Ok(key) = key.decrypt(passphrase.as_bytes()) {
            return Ok(key);
        }
    }
    Err(format!("the passphrase does not open {}", path.display()))
}

impl RequestSigner for FileSigner {
    fn public_key(&self) -> &KeyData {
        self.key.public_key().key_data()
    }

    fn sign<'a>(&'a self, namespace: &'a str, message: &'a [u8]) -> Signing<'a> {
        Box::pin(async move { RequestSigner::sign(self.decrypted().await?, namespace, message).await })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::identity::Identity;
    use dayfly_core::{signature::verify_sshsig, signer::SeedSigner};
    use ssh_key::LineEnding;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[tokio::test]
    async fn a_key_file_signs() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("id");
        let key = SeedSigner::new(1).private_key().clone();
        key.write_openssh_file(&path, LineEnding::LF).unwrap();
        let identity = Identity::from_file(&path).unwrap();
        let sshsig = identity.signer.sign("request@dayfly", b"message").await.unwrap();
        assert_eq!(verify_sshsig(&sshsig, "request@dayfly", b"message").unwrap(), key.public_key().key_data());
    }

    #[test]
    fn row_23_a_key_that_others_can_read_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("id");
        SeedSigner::new(1).private_key().write_openssh_file(&path, LineEnding::LF).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Identity::from_file(&path).err().unwrap();
        assert!(error.remedy().contains("chmod 600"), "{error}");
    }

    #[test]
    fn what_is_no_key_says_so() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("id");
        for contents in ["", "hello", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"] {
            fs::write(&path, contents).unwrap();
            assert!(matches!(Identity::from_file(&path).err().unwrap(), IdentityError::NotAKey { .. }), "{contents}");
        }
        assert!(matches!(Identity::from_file(&place.path().join("none")).err().unwrap(), IdentityError::File(_)));
    }
}
