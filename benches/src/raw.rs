//! Raw aws-lc, of a key of each kind: what no CA can be faster than.

use anyhow::{Result, bail};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self as lc, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
        RSA_PKCS1_SHA512, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
    },
};

/// A key that aws-lc made.
pub enum Raw {
    /// Ed25519.
    Ed25519(Ed25519KeyPair),
    /// ECDSA, and how it is verified.
    Ecdsa(EcdsaKeyPair, &'static dyn VerificationAlgorithm),
    /// RSA, which signs with SHA-512.
    Rsa(RsaKeyPair),
}

impl Raw {
    /// A new key of a kind of [`crate::custody::KINDS`].
    pub fn make(kind: &str) -> Result<Self> {
        let failed = |_| anyhow::anyhow!("aws-lc made no {kind} key");
        Ok(match kind {
            "Ed25519" => Self::Ed25519(Ed25519KeyPair::generate().map_err(failed)?),
            "P-256" => Self::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?, &lc::ECDSA_P256_SHA256_FIXED),
            "P-384" => Self::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failed)?, &lc::ECDSA_P384_SHA384_FIXED),
            "RSA-3072" => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?),
            "RSA-4096" => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa4096).map_err(failed)?),
            other => bail!("no such kind of key: {other}"),
        })
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let failed = |_| anyhow::anyhow!("aws-lc did not sign");
        match self {
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Ecdsa(pair, _) => Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }

    /// Verifies what it signed.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        let verify = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key)
                .verify(message, signature)
                .map_err(|_| anyhow::anyhow!("aws-lc refused its own signature"))
        };
        match self {
            Self::Ed25519(pair) => verify(&lc::ED25519, pair.public_key().as_ref()),
            Self::Ecdsa(pair, algorithm) => verify(*algorithm, pair.public_key().as_ref()),
            Self::Rsa(pair) => verify(&lc::RSA_PKCS1_2048_8192_SHA512, pair.public_key().as_ref()),
        }
    }
}
