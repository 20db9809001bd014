//! The authorities and holders of the corpus: test keys, the same at every run and worth nothing.

mod stored;

use crate::wire::string;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use signature::Signer;
use ssh_key::{PrivateKey, Signature, private::Ed25519Keypair};

/// The seed of the holder's key, with which whoever tries a certificate logs in.
pub const HOLDER: u8 = 2;

/// The name of FIDO keys' application (OpenSSH PROTOCOL.u2f).
const APPLICATION: &[u8] = b"ssh:";

/// Who may sign a certificate. All but [`Authority::Foreign`] and [`Authority::ForeignFido`] are trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Authority {
    /// Ed25519, by seed 1: signs where nothing else is said.
    #[default]
    Ed25519,
    /// ECDSA over P-256.
    P256,
    /// ECDSA over P-384.
    P384,
    /// ECDSA over P-521.
    P521,
    /// RSA of 3072 bits.
    Rsa,
    /// The same key, with SHA-256.
    RsaSha256,
    /// RSA of 4096 bits.
    Rsa4096,
    /// A FIDO key over Ed25519, by seed 5.
    Fido,
    /// Ed25519, by seed 9: nobody's authority.
    Foreign,
    /// A FIDO key by seed 10: nobody's authority.
    ForeignFido,
}

impl Authority {
    /// Those that are trusted, a key once.
    pub const TRUSTED: [Authority; 7] = [Self::Ed25519, Self::P256, Self::P384, Self::P521, Self::Rsa, Self::Rsa4096, Self::Fido];

    /// The public key as a blob (RFC 4253 section 6.6).
    pub fn blob(self) -> Result<Vec<u8>> {
        let key = match self {
            Self::Ed25519 => ed25519(1),
            Self::Foreign => ed25519(9),
            Self::P256 => stored::P256.key()?,
            Self::P384 => stored::P384.key()?,
            Self::P521 => stored::P521.key()?,
            Self::Rsa | Self::RsaSha256 => stored::RSA.key()?,
            Self::Rsa4096 => stored::RSA_4096.key()?,
            Self::Fido => return fido_blob(5, APPLICATION),
            Self::ForeignFido => return fido_blob(10, APPLICATION),
        };
        Ok(key.public_key().to_bytes()?)
    }

    /// The public key as a line.
    pub fn line(self) -> Result<String> {
        let blob = self.blob()?;
        Ok(ssh_key::PublicKey::from_bytes(&blob)?.to_openssh()?)
    }

    /// A signature over `message`, as a blob, that may be another one at every call: where many are needed.
    pub fn sign_anew(self, message: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::P256 => stored::ecdsa_signature(&stored::P256, message),
            Self::P384 => stored::ecdsa_signature(&stored::P384, message),
            Self::P521 => stored::ecdsa_signature(&stored::P521, message),
            _ => self.sign(message),
        }
    }

    /// A signature over `message`, as a blob. The same at every call.
    pub fn sign(self, message: &[u8]) -> Result<Vec<u8>> {
        let key = match self {
            Self::Ed25519 => ed25519(1),
            Self::Foreign => ed25519(9),
            Self::P256 => stored::P256.key()?,
            Self::P384 => stored::P384.key()?,
            Self::P521 => stored::P521.key()?,
            Self::Rsa => return stored::rsa_signature(false, "rsa-sha2-512", message),
            Self::RsaSha256 => return stored::rsa_signature(false, "rsa-sha2-256", message),
            Self::Rsa4096 => return stored::rsa_signature(true, "rsa-sha2-512", message),
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
    stored::P256_HOLDER.key()
}

/// Those who may hold a certificate and log in with it, by what their certificates are called: no FIDO keys.
pub fn holders() -> Result<Vec<(&'static str, PrivateKey)>> {
    Ok(vec![
        (crate::wire::ED25519, ed25519(HOLDER)),
        ("ecdsa-sha2-nistp256-cert-v01@openssh.com", stored::P256_HOLDER.key()?),
        ("ecdsa-sha2-nistp384-cert-v01@openssh.com", stored::P384_HOLDER.key()?),
        ("ecdsa-sha2-nistp521-cert-v01@openssh.com", stored::P521_HOLDER.key()?),
        ("ssh-rsa-cert-v01@openssh.com", stored::RSA_HOLDER.key()?),
    ])
}

/// Somebody's RSA key of 4096 bits.
pub fn rsa_4096_holder() -> Result<PrivateKey> {
    stored::RSA_4096_HOLDER.key()
}

/// A FIDO key over Ed25519, by seed, as a blob.
pub fn fido_blob(seed: u8, application: &[u8]) -> Result<Vec<u8>> {
    let public = ed25519(seed).public_key().key_data().ed25519().context("a seed gives an Ed25519 key")?.0;
    Ok([string(b"sk-ssh-ed25519@openssh.com"), string(&public), string(application)].concat())
}

/// A FIDO key over P-256 as a blob: the point of one of two keys.
pub fn fido_p256_blob(is_holder: bool, application: &[u8]) -> Result<Vec<u8>> {
    let key = if is_holder { stored::P256_HOLDER.key()? } else { stored::P256.key()? };
    let plain = crate::wire::without_name(&key.public_key().to_bytes()?);
    Ok([string(b"sk-ecdsa-sha2-nistp256@openssh.com"), plain, string(application)].concat())
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

/// The RSA authority's signature over the SHA-1 of `message`, under a name of choice.
pub fn sha1_signature(name: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    stored::sha1_signature(name, message)
}
