//! Custody in a file: an OpenSSH private key, encrypted or readable by its owner alone, that signs with aws-lc-rs.

use super::{
    passphrase::{CREDENTIAL, VARIABLE},
    secrets::Secrets,
    two_integers,
};
use crate::{mistake::Mistake, private_file};
use aws_lc_rs::{
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        RSA_PKCS1_SHA512, RsaKeyPair,
    },
};
use dayfly_core::{
    signature::{fingerprint, strength},
    signer::{Signer, SignerError},
};
use rsa::traits::PrivateKeyParts;
use ssh_key::{
    Algorithm, EcdsaCurve, HashAlg, Mpint, PrivateKey, Signature,
    private::{EcdsaKeypair, KeypairData, RsaKeypair},
    public::KeyData,
};
use std::path::Path;
use zeroize::Zeroizing;

/// A private key that was read from a file. The file's text and what it decrypts to are wiped once the key is loaded.
pub struct FileSigner {
    pair: Pair,
    public: KeyData,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaCurve, EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl FileSigner {
    /// Opens the key in `path`. `secrets` are asked for an encrypted one only.
    pub fn load(path: &Path, secrets: &Secrets) -> Result<Self, Mistake> {
        let text = private_file::read(path)?;
        let not_a_key =
            |_| Mistake::new(path, "is not a private key in OpenSSH's format", format!("convert it: ssh-keygen -p -f {}", path.display()));
        let key = decrypted(path, PrivateKey::from_openssh(&text).map_err(not_a_key)?, secrets)?;
        let public = key.public_key().key_data().clone();
        strength(&public).map_err(|refusal| Mistake::new(path, refusal.message, refusal.remedy))?;
        let pair = Pair::new(key.key_data())
            .map_err(|unusable| Mistake::new(path, unusable.to_string(), "make another: ssh-keygen -t ed25519"))?;
        Ok(Self { pair, public })
    }
}

fn decrypted(path: &Path, key: PrivateKey, secrets: &Secrets) -> Result<PrivateKey, Mistake> {
    if !key.is_encrypted() {
        return Ok(key);
    }
    let Some(passphrase) = secrets.passphrase()? else {
        let remedy = format!("set {VARIABLE}, or give the service a credential {CREDENTIAL}");
        return Err(Mistake::new(path, "is encrypted, and there is no passphrase", remedy));
    };
    key.decrypt(passphrase.as_bytes()).map_err(|_| Mistake::new(path, "cannot be decrypted with the passphrase", "check the passphrase"))
}

/// A key that cannot sign here.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("holds a key that does not fit its public half")]
    Inconsistent,
    #[error("holds a key of type {0}, which cannot sign certificates here")]
    Type(String),
}

impl From<KeyRejected> for Unusable {
    fn from(_: KeyRejected) -> Self {
        Self::Inconsistent
    }
}

impl From<ssh_key::Error> for Unusable {
    fn from(_: ssh_key::Error) -> Self {
        Self::Inconsistent
    }
}

impl Pair {
    fn new(key: &KeypairData) -> Result<Self, Unusable> {
        match key {
            KeypairData::Ed25519(pair) => {
                let seed = Zeroizing::new(pair.private.to_bytes());
                Ok(Self::Ed25519(Ed25519KeyPair::from_seed_and_public_key(seed.as_slice(), &pair.public.0)?))
            }
            KeypairData::Ecdsa(pair) => Self::ecdsa(pair),
            KeypairData::Rsa(pair) => Self::rsa(pair),
            other => Err(Unusable::Type(other.algorithm().map_or_else(|_| "unknown".to_owned(), |algorithm| algorithm.to_string()))),
        }
    }

    fn ecdsa(pair: &EcdsaKeypair) -> Result<Self, Unusable> {
        let algorithm = match pair.curve() {
            EcdsaCurve::NistP256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            EcdsaCurve::NistP384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            EcdsaCurve::NistP521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        };
        let loaded = EcdsaKeyPair::from_private_key_and_public_key(algorithm, pair.private_key_bytes(), pair.public_key_bytes())?;
        Ok(Self::Ecdsa(pair.curve(), loaded))
    }

    fn rsa(pair: &RsaKeypair) -> Result<Self, Unusable> {
        let whole = rsa::RsaPrivateKey::try_from(pair)?;
        let (Some(exponent_p), Some(exponent_q)) = (whole.dp(), whole.dq()) else { return Err(Unusable::Inconsistent) };
        let (exponent_p, exponent_q) = (Zeroizing::new(exponent_p.to_be_bytes()), Zeroizing::new(exponent_q.to_be_bytes()));
        let (public, private) = (pair.public(), pair.private());
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: positive(public.n())?, e: positive(public.e())? },
            d: positive(private.d())?,
            p: positive(private.p())?,
            q: positive(private.q())?,
            dP: &exponent_p,
            dQ: &exponent_q,
            qInv: positive(private.iqmp())?,
        };
        Ok(Self::Rsa(RsaKeyPair::from_components(&components)?))
    }

    fn sign(&self, message: &[u8]) -> Result<(Algorithm, Vec<u8>), Unspecified> {
        match self {
            Self::Ed25519(pair) => Ok((Algorithm::Ed25519, pair.sign(message).as_ref().to_vec())),
            Self::Ecdsa(curve, pair) => {
                let fixed = pair.sign(&SystemRandom::new(), message)?;
                Ok((Algorithm::Ecdsa { curve: *curve }, two_integers(fixed.as_ref()).map_err(|_| Unspecified)?))
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), message, &mut signature)?;
                Ok((Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, signature))
            }
        }
    }
}

fn positive(number: &Mpint) -> Result<&[u8], Unusable> {
    number.as_positive_bytes().ok_or(Unusable::Inconsistent)
}

impl Signer for FileSigner {
    fn public_key(&self) -> &KeyData {
        &self.public
    }

    /// RSA takes its milliseconds.
    fn is_quick(&self) -> bool {
        !matches!(self.pair, Pair::Rsa(_))
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        let failed = |cause: String| SignerError { key: fingerprint(&self.public), cause };
        let (algorithm, data) = self.pair.sign(message).map_err(|_| failed("the cryptographic library refused".to_owned()))?;
        Signature::new(algorithm, data).map_err(|error| failed(error.to_string()))
    }
}

impl std::fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileSigner({})", fingerprint(&self.public))
    }
}

#[cfg(test)]
mod tests;
