//! Keys that are kept as files, because their kind is not made from a seed.

use crate::wire::{mpint, string};
use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA512, RsaKeyPair,
    },
};
use rsa::{Pkcs1v15Sign, traits::PrivateKeyParts};
use ssh_key::{
    EcdsaCurve, Mpint, PrivateKey,
    private::{KeypairData, RsaKeypair},
};
use std::sync::LazyLock;

/// A key of `keys/`.
#[derive(Debug)]
pub(super) struct Stored(LazyLock<ssh_key::Result<PrivateKey>>);

impl Stored {
    pub(super) fn key(&self) -> Result<PrivateKey> {
        Ok(self.0.as_ref().map_err(Clone::clone).context("a key of the corpus cannot be read")?.clone())
    }
}

macro_rules! stored {
    ($($name:ident $file:literal),+ $(,)?) => {
        $(pub(super) static $name: Stored = Stored(LazyLock::new(|| PrivateKey::from_openssh(include_str!(concat!("../../keys/", $file)))));)+
    };
}

stored!(
    P256 "p256_authority",
    P384 "p384_authority",
    P521 "p521_authority",
    RSA "rsa_authority",
    RSA_4096 "rsa_4096_authority",
    P256_HOLDER "p256_holder",
    P384_HOLDER "p384_holder",
    P521_HOLDER "p521_holder",
    RSA_HOLDER "rsa_holder",
    RSA_4096_HOLDER "rsa_4096_holder",
);

/// Loading takes ten times as long as signing.
static LOADED_RSA: LazyLock<Result<RsaKeyPair>> = LazyLock::new(|| loaded(rsa_pair(&RSA.key()?)?));
static LOADED_RSA_4096: LazyLock<Result<RsaKeyPair>> = LazyLock::new(|| loaded(rsa_pair(&RSA_4096.key()?)?));

/// The RSA authorities' signature over `message`, as a blob (RFC 8332 section 3): the one of 4096 bits, or that of 3072.
pub(super) fn rsa_signature(is_larger: bool, name: &str, message: &[u8]) -> Result<Vec<u8>> {
    let pair = if is_larger { &*LOADED_RSA_4096 } else { &*LOADED_RSA };
    let pair = pair.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    let mut signature = vec![0; pair.public_modulus_len()];
    let padding = if name == "rsa-sha2-256" { &RSA_PKCS1_SHA256 } else { &RSA_PKCS1_SHA512 };
    pair.sign(padding, &SystemRandom::new(), message, &mut signature)?;
    Ok([string(name.as_bytes()), string(&signature)].concat())
}

/// Another signature at every call, as a blob (RFC 5656 section 3.1.2). Those that are the same at every call take fifty times as long.
pub(super) fn ecdsa_signature(key: &Stored, message: &[u8]) -> Result<Vec<u8>> {
    let key = key.key()?;
    let KeypairData::Ecdsa(pair) = key.key_data() else { bail!("an ECDSA key is no ECDSA key") };
    let (name, algorithm) = match pair.curve() {
        EcdsaCurve::NistP256 => ("ecdsa-sha2-nistp256", &ECDSA_P256_SHA256_FIXED_SIGNING),
        EcdsaCurve::NistP384 => ("ecdsa-sha2-nistp384", &ECDSA_P384_SHA384_FIXED_SIGNING),
        EcdsaCurve::NistP521 => ("ecdsa-sha2-nistp521", &ECDSA_P521_SHA512_FIXED_SIGNING),
    };
    let loaded = EcdsaKeyPair::from_private_key_and_public_key(algorithm, pair.private_key_bytes(), pair.public_key_bytes())?;
    let signature = loaded.sign(&SystemRandom::new(), message)?;
    let (r, s) = signature.as_ref().split_at(signature.as_ref().len() / 2);
    Ok([string(name.as_bytes()), string(&[mpint(r), mpint(s)].concat())].concat())
}

/// The RSA authority's signature over the SHA-1 of `message`, under a name of choice (RFC 4253 section 6.6).
pub(super) fn sha1_signature(name: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let key = RSA.key()?;
    let key = rsa::RsaPrivateKey::try_from(rsa_pair(&key)?)?;
    // The DER that stands before a SHA-1 digest (RFC 8017 section 9.2).
    let mut encoded = vec![0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
    encoded.extend(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message).as_ref());
    let signature = key.sign(Pkcs1v15Sign::new_unprefixed(), &encoded)?;
    Ok([string(name), string(&signature)].concat())
}

fn rsa_pair(key: &PrivateKey) -> Result<&RsaKeypair> {
    match key.key_data() {
        KeypairData::Rsa(pair) => Ok(pair),
        _ => bail!("an RSA key is no RSA key"),
    }
}

fn loaded(pair: &RsaKeypair) -> Result<RsaKeyPair> {
    let whole = rsa::RsaPrivateKey::try_from(pair)?;
    let exponents = whole.dp().zip(whole.dq()).context("an RSA key knows its primes")?;
    let (exponent_p, exponent_q) = (exponents.0.to_be_bytes(), exponents.1.to_be_bytes());
    let (public, private) = (pair.public(), pair.private());
    Ok(RsaKeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents { n: positive(public.n())?, e: positive(public.e())? },
        d: positive(private.d())?,
        p: positive(private.p())?,
        q: positive(private.q())?,
        dP: &exponent_p,
        dQ: &exponent_q,
        qInv: positive(private.iqmp())?,
    })?)
}

fn positive(number: &Mpint) -> Result<&[u8]> {
    number.as_positive_bytes().context("an RSA key's numbers are positive")
}
