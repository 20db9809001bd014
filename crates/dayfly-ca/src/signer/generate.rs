//! A new key, as a file's contents, or as a file beside another.

use super::{passphrase::Passphrase, secrets::Secrets};
use crate::{mistake::Mistake, private_file};
use aws_lc_rs::rand;
use ssh_key::{LineEnding, PrivateKey, PublicKey, private::Ed25519Keypair, public::KeyData};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The files that one day may see beside one key.
const MOST_A_DAY: u32 = 99;

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

/// No key was made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// The key whose protection the new one shall have cannot be read.
    #[error(transparent)]
    Current(#[from] Mistake),
    /// An encrypted key has no plain successor.
    #[error("the key there is encrypted, and there is no passphrase for the next one")]
    NoPassphrase,
    /// The key cannot be made or written down.
    #[error(transparent)]
    Key(#[from] ssh_key::Error),
    /// The file cannot be made.
    #[error("{0} cannot be made: {1}")]
    File(PathBuf, std::io::Error),
    /// There are too many.
    #[error("{0} and its successors exist: remove those that no rotation names")]
    TooMany(PathBuf),
}

/// A new Ed25519 key in a file named after `first` and the day, with its public half in a file beside it. It is encrypted if `current` is.
pub fn beside(first: &Path, current: &Path, secrets: &Secrets, comment: &str, date: &str) -> Result<(KeyData, PathBuf), NotMade> {
    let is_encrypted = PrivateKey::from_openssh(&private_file::read(current)?)?.is_encrypted();
    let passphrase = if is_encrypted { Some(secrets.passphrase()?.ok_or(NotMade::NoPassphrase)?) } else { None };
    let made = ed25519(&format!("{comment} {date}"), passphrase)?;
    let key = PublicKey::from_openssh(&made.public)?.key_data().clone();
    for number in 1..=MOST_A_DAY {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = PathBuf::from(format!("{}-{date}{suffix}", first.display()));
        match private_file::create(&path, made.private.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            created => created.map_err(|error| NotMade::File(path.clone(), error))?,
        }
        let public = PathBuf::from(format!("{}.pub", path.display()));
        private_file::create(&public, format!("{}\n", made.public).as_bytes()).map_err(|error| NotMade::File(public, error))?;
        return Ok((key, path));
    }
    Err(NotMade::TooMany(PathBuf::from(format!("{}-{date}", first.display()))))
}
