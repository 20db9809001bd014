//! The authorities and holders of the corpus: test keys, the same at every run and worth nothing.

use crate::wire::string;
use anyhow::{Context, Result};
use aws_lc_rs::digest;
use rsa::Pkcs1v15Sign;
use sha2::{Digest, Sha256};
use signature::Signer;
use ssh_key::{
    PrivateKey, Signature,
    private::{Ed25519Keypair, KeypairData},
};
use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, PoisonError},
};

/// The seed of the holder's key, with which whoever tries a certificate logs in.
pub const HOLDER: u8 = 2;

/// The name of FIDO keys' application (OpenSSH PROTOCOL.u2f).
const APPLICATION: &[u8] = b"ssh:";

/// Who may sign a certificate. All but [`Authority::Foreign`] are trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Authority {
    /// Ed25519, by seed 1: signs where nothing else is said.
    #[default]
    Ed25519,
    /// ECDSA over P-256.
    P256,
    /// RSA of 3072 bits.
    Rsa,
    /// A FIDO key over Ed25519, by seed 5.
    Fido,
    /// Ed25519, by seed 9: nobody's authority.
    Foreign,
    /// A FIDO key by seed 10: nobody's authority.
    ForeignFido,
}

impl Authority {
    /// Those that are trusted.
    pub const TRUSTED: [Authority; 4] = [Self::Ed25519, Self::P256, Self::Rsa, Self::Fido];

    /// The public key as a blob (RFC 4253 section 6.6).
    pub fn blob(self) -> Result<Vec<u8>> {
        let key = match self {
            Self::Ed25519 => ed25519(1),
            Self::Foreign => ed25519(9),
            Self::P256 => stored(&P256)?,
            Self::Rsa => stored(&RSA)?,
            Self::Fido => return fido_blob(5),
            Self::ForeignFido => return fido_blob(10),
        };
        Ok(key.public_key().to_bytes()?)
    }

    /// The public key as a line.
    pub fn line(self) -> Result<String> {
        let blob = self.blob()?;
        Ok(ssh_key::PublicKey::from_bytes(&blob)?.to_openssh()?)
    }

    /// A signature over `message`, as a blob.
    pub fn sign(self, message: &[u8]) -> Result<Vec<u8>> {
        let key = match self {
            Self::Ed25519 => ed25519(1),
            Self::Foreign => ed25519(9),
            Self::P256 => stored(&P256)?,
            Self::Rsa => {
                let made = || Ok(stored(&RSA)?.try_sign(message)?.as_bytes().to_vec());
                return Ok([string(b"rsa-sha2-512"), string(&remembered("SHA-512", message, made)?)].concat());
            }
            Self::Fido => return fido_signature(5, message, 1),
            Self::ForeignFido => return fido_signature(10, message, 1),
        };
        Ok(key.try_sign(message)?.try_into()?)
    }
}

/// The Ed25519 key that `seed` stands for.
pub fn ed25519(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

/// Somebody's ECDSA key over P-256.
pub fn p256_holder() -> Result<PrivateKey> {
    stored(&P256_HOLDER)
}

/// A FIDO key's signature, with flags of choice: 1 says that it was touched.
pub fn fido_signature(seed: u8, message: &[u8], flags: u8) -> Result<Vec<u8>> {
    let mut signed = Sha256::digest(APPLICATION).to_vec();
    signed.push(flags);
    signed.extend([0, 0, 0, 7]);
    signed.extend(Sha256::digest(message));
    let signature: Signature = ed25519(seed).try_sign(&signed)?;
    let mut blob = string(b"sk-ssh-ed25519@openssh.com");
    blob.extend(string(signature.as_bytes()));
    blob.push(flags);
    blob.extend([0, 0, 0, 7]);
    Ok(blob)
}

/// The RSA authority's signature over the SHA-1 of `message`, under a name of choice (RFC 4253 section 6.6).
pub fn sha1_signature(name: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let key = stored(&RSA)?;
    let KeypairData::Rsa(pair) = key.key_data() else { anyhow::bail!("the RSA authority's key is no RSA key") };
    let key = rsa::RsaPrivateKey::try_from(pair)?;
    // The DER that stands before a SHA-1 digest (RFC 8017 section 9.2).
    let mut encoded = vec![0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
    encoded.extend(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message).as_ref());
    let signature = remembered("SHA-1", message, || Ok(key.sign(Pkcs1v15Sign::new_unprefixed(), &encoded)?))?;
    Ok([string(name), string(&signature)].concat())
}

/// RSA takes seconds in a build for tests, and several certificates hold the same signature.
fn remembered(digest: &'static str, message: &[u8], make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    /// Signatures by their digest's name and their message.
    type Made = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;
    static MADE: Mutex<Made> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let named = (digest, message.to_vec());
    if let Some(signature) = made.get(&named) {
        return Ok(signature.clone());
    }
    let signature = make()?;
    made.insert(named, signature.clone());
    Ok(signature)
}

fn fido_blob(seed: u8) -> Result<Vec<u8>> {
    let public = ed25519(seed).public_key().key_data().ed25519().context("a seed gives an Ed25519 key")?.0;
    Ok([string(b"sk-ssh-ed25519@openssh.com"), string(&public), string(APPLICATION)].concat())
}

static RSA: Stored = Stored::new(|| PrivateKey::from_openssh(include_str!("../keys/rsa_authority")));
static P256: Stored = Stored::new(|| PrivateKey::from_openssh(include_str!("../keys/p256_authority")));
static P256_HOLDER: Stored = Stored::new(|| PrivateKey::from_openssh(include_str!("../keys/p256_holder")));

/// A key that is kept as a file, because its kind is not made from a seed.
type Stored = LazyLock<ssh_key::Result<PrivateKey>>;

fn stored(key: &Stored) -> Result<PrivateKey> {
    Ok(key.as_ref().map_err(Clone::clone).context("a key of the corpus cannot be read")?.clone())
}
