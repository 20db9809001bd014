//! A FIDO key in software, for tests: signs as OpenSSH's PROTOCOL.u2f says, with whatever flags a test wants.

// Only tests are built with this module.
#![allow(clippy::unwrap_used)]

use super::{Signer, SignerError};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use sha2::{Digest, Sha256};
use ssh_encoding::Encode;
use ssh_key::{
    Algorithm, Mpint, Signature,
    public::{EcdsaPublicKey, Ed25519PublicKey, KeyData, SkEcdsaSha2NistP256, SkEd25519},
};

/// What an authenticator signs beside the message.
const APPLICATION: &str = "ssh:";

/// Bits of the flags (CTAP2): somebody touched the key; and gave a PIN or a fingerprint.
pub const TOUCHED: u8 = 0x01;
/// See [`TOUCHED`].
pub const VERIFIED: u8 = 0x04;

/// A FIDO key in software.
pub struct FidoSigner {
    pair: Pair,
    public: KeyData,
    flags: u8,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl FidoSigner {
    /// `sk-ssh-ed25519@openssh.com`, made from a seed, whose signatures carry `flags`.
    pub fn ed25519(seed: u8, flags: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = Ed25519PublicKey::try_from(pair.public_key().as_ref()).unwrap();
        Self { pair: Pair::Ed25519(pair), public: KeyData::SkEd25519(SkEd25519::new(public, APPLICATION)), flags }
    }

    /// `sk-ecdsa-sha2-nistp256@openssh.com`, another one each time, whose signatures carry `flags`.
    pub fn p256(flags: u8) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let EcdsaPublicKey::NistP256(point) = EcdsaPublicKey::from_sec1_bytes(pair.public_key().as_ref()).unwrap() else { unreachable!() };
        Self { pair: Pair::P256(pair), public: KeyData::SkEcdsaSha2NistP256(SkEcdsaSha2NistP256::new(point, APPLICATION)), flags }
    }
}

impl Signer for FidoSigner {
    fn public_key(&self) -> &KeyData {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        let trailer = [&[self.flags][..], &7_u32.to_be_bytes()].concat();
        let signed = [&Sha256::digest(APPLICATION)[..], &trailer, &Sha256::digest(message)].concat();
        let (algorithm, mut data) = match &self.pair {
            Pair::Ed25519(pair) => (Algorithm::SkEd25519, pair.sign(&signed).as_ref().to_vec()),
            Pair::P256(pair) => {
                let fixed = pair.sign(&SystemRandom::new(), &signed).unwrap();
                let (r, s) = fixed.as_ref().split_at(32);
                let mut data = Vec::new();
                Mpint::from_positive_bytes(r).encode(&mut data).unwrap();
                Mpint::from_positive_bytes(s).encode(&mut data).unwrap();
                (Algorithm::SkEcdsaSha2NistP256, data)
            }
        };
        data.extend(trailer);
        Ok(Signature::new(algorithm, data).unwrap())
    }
}
