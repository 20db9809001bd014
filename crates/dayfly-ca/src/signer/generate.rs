//! A new key, as a file's contents.

use super::passphrase::Passphrase;
use aws_lc_rs::rand;
use ssh_key::{LineEnding, PrivateKey, private::Ed25519Keypair};
use zeroize::Zeroizing;

/// A new key's two files.
pub struct Generated {
    /// The private key, in OpenSSH's format.
    pub private: Zeroizing<String>,
    /// The public key, one OpenSSH line.
    pub public: String,
}

/// A new Ed25519 key, encrypted if there is a passphrase.
pub fn ed25519(comment: &str, passphrase: Option<&Passphrase>) -> Result<Generated, ssh_key::Error> {
    let mut seed = Zeroizing::new([0; 32]);
    rand::fill(seed.as_mut_slice()).map_err(|_| ssh_key::Error::Crypto)?;
    let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    key.set_comment(comment);
    let public = key.public_key().to_openssh()?;
    if let Some(passphrase) = passphrase {
        key = key.encrypt(&mut ::rand::rng(), passphrase.as_bytes())?;
    }
    Ok(Generated { private: key.to_openssh(LineEnding::LF)?, public })
}
