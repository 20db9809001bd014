//! SSH signatures: which keys are strong enough, and whether a signature fits (RFC 4253 § 6.6, RFC 5656, RFC 8332, OpenSSH PROTOCOL.u2f and
//! PROTOCOL.sshsig).

use crate::{
    reason::{Reason, Refusal},
    signer::{Signer, SignerError},
};
use aws_lc_rs::signature::{self as lc, UnparsedPublicKey};
use ssh_encoding::Decode;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, Mpint, Signature, SshSig, public::KeyData};

mod soundness;

/// The shortest RSA modulus, in bits.
pub const SHORTEST_RSA_BITS: u32 = 3072;

/// The bit of a FIDO signature's flags that says that somebody touched the key (CTAP2, "user presence").
const FIDO_TOUCHED: u8 = 0x01;

/// Counter and flags at the end of a FIDO signature, in bytes.
const FIDO_TRAILER: usize = 5;

/// A signature that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// SHA-1, DSA, or an algorithm that does not belong to the key.
    #[error("the signature's algorithm is not accepted for this key")]
    Algorithm,
    /// The signature is another message's or another key's.
    #[error("the signature does not fit the message and key")]
    Mismatch,
    /// The signature was made for another purpose.
    #[error("the signature was made for another purpose")]
    Namespace,
    /// A FIDO key that nobody touched.
    #[error("the security key was not touched")]
    NotTouched,
}

/// Refuses keys that are too weak: RSA under [`SHORTEST_RSA_BITS`], DSA, whatever is not known, and keys that no honest program makes and anybody
/// may sign with ([`soundness`]).
pub fn strength(key: &KeyData) -> Result<(), Refusal> {
    let weak = |what: String| {
        Err(Refusal::new(Reason::WeakAlgorithm, format!("{what} is too weak"), "use an Ed25519 key: ssh-keygen -t ed25519".to_owned()))
    };
    match key {
        KeyData::Rsa(rsa) if soundness::rsa_bits(rsa) < SHORTEST_RSA_BITS => {
            weak(format!("an RSA key of {} bits", soundness::rsa_bits(rsa)))
        }
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) | KeyData::Rsa(_) => {
            soundness::check(key).or_else(weak)
        }
        other => weak(format!("a key of type {}", other.algorithm())),
    }
}

/// Whether `signature` over `message` is `key`'s. Never accepts SHA-1.
pub fn verify(key: &KeyData, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    let data = signature.as_bytes();
    match (key, signature.algorithm()) {
        (KeyData::Ed25519(public), Algorithm::Ed25519) => raw(&lc::ED25519, &public.0, message, data),
        (KeyData::Ecdsa(public), Algorithm::Ecdsa { curve }) if public.curve() == curve => {
            let fixed = fixed_ecdsa(data, curve).ok_or(SignatureError::Mismatch)?;
            let algorithm = match curve {
                EcdsaCurve::NistP256 => &lc::ECDSA_P256_SHA256_FIXED,
                EcdsaCurve::NistP384 => &lc::ECDSA_P384_SHA384_FIXED,
                EcdsaCurve::NistP521 => &lc::ECDSA_P521_SHA512_FIXED,
            };
            raw(algorithm, public.as_sec1_bytes(), message, &fixed)
        }
        (KeyData::Rsa(public), Algorithm::Rsa { hash: Some(hash) }) => {
            let parameters = match hash {
                HashAlg::Sha256 => &lc::RSA_PKCS1_2048_8192_SHA256,
                HashAlg::Sha512 => &lc::RSA_PKCS1_2048_8192_SHA512,
                _ => return Err(SignatureError::Algorithm),
            };
            let (Some(n), Some(e)) = (public.n().as_positive_bytes(), public.e().as_positive_bytes()) else {
                return Err(SignatureError::Mismatch);
            };
            lc::RsaPublicKeyComponents { n, e }.verify(parameters, message, data).map_err(|_| SignatureError::Mismatch)
        }
        (KeyData::SkEd25519(_), Algorithm::SkEd25519) | (KeyData::SkEcdsaSha2NistP256(_), Algorithm::SkEcdsaSha2NistP256) => {
            verify_fido(key, message, signature)
        }
        _ => Err(SignatureError::Algorithm),
    }
}

fn raw(algorithm: &'static dyn lc::VerificationAlgorithm, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).map_err(|_| SignatureError::Mismatch)
}

/// `mpint r ‖ mpint s` as two integers of the curve's size.
fn fixed_ecdsa(mut data: &[u8], curve: EcdsaCurve) -> Option<Vec<u8>> {
    let size = match curve {
        EcdsaCurve::NistP256 => 32,
        EcdsaCurve::NistP384 => 48,
        EcdsaCurve::NistP521 => 66,
    };
    let mut fixed = Vec::with_capacity(2 * size);
    for _ in 0..2 {
        let integer = Mpint::decode(&mut data).ok()?;
        let bytes = integer.as_positive_bytes()?;
        fixed.resize(fixed.len() + size.checked_sub(bytes.len())?, 0);
        fixed.extend_from_slice(bytes);
    }
    data.is_empty().then_some(fixed)
}

/// The key library checks the signature; that somebody touched the key it does not.
fn verify_fido(key: &KeyData, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    let data = signature.as_bytes();
    let flags = data.len().checked_sub(FIDO_TRAILER).and_then(|index| data.get(index)).ok_or(SignatureError::Mismatch)?;
    if flags & FIDO_TOUCHED == 0 {
        return Err(SignatureError::NotTouched);
    }
    signature::Verifier::verify(key, message, signature).map_err(|_| SignatureError::Mismatch)
}

/// Whether `sshsig` is a signature over `message` for `namespace`, by a strong key. Who owns the key is the caller's question.
pub fn verify_sshsig<'a>(sshsig: &'a SshSig, namespace: &str, message: &[u8]) -> Result<&'a KeyData, SignatureError> {
    if sshsig.namespace() != namespace {
        return Err(SignatureError::Namespace);
    }
    strength(sshsig.public_key()).map_err(|_| SignatureError::Algorithm)?;
    let signed = SshSig::signed_data(namespace, sshsig.hash_alg(), message).map_err(|_| SignatureError::Mismatch)?;
    verify(sshsig.public_key(), &signed, sshsig.signature())?;
    Ok(sshsig.public_key())
}

/// Signs `message` for `namespace` (SHA-512).
pub fn sign_sshsig(signer: &dyn Signer, namespace: &str, message: &[u8]) -> Result<SshSig, SignerError> {
    let failed = |error: ssh_key::Error| SignerError { key: fingerprint(signer.public_key()), cause: error.to_string() };
    let signed = SshSig::signed_data(namespace, HashAlg::Sha512, message).map_err(failed)?;
    let signature = signer.sign(&signed)?;
    SshSig::new(signer.public_key().clone(), namespace, HashAlg::Sha512, signature).map_err(failed)
}

/// `SHA256:…`, as OpenSSH shows it.
pub fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::signer::SeedSigner;
    use ssh_key::PrivateKey;

    fn keys() -> Vec<PrivateKey> {
        let mut rng = rand::rng();
        let ecdsa = |curve| Algorithm::Ecdsa { curve };
        [Algorithm::Ed25519, ecdsa(EcdsaCurve::NistP256), ecdsa(EcdsaCurve::NistP384), ecdsa(EcdsaCurve::NistP521)]
            .into_iter()
            .map(|algorithm| PrivateKey::random(&mut rng, algorithm).unwrap())
            .collect()
    }

    #[test]
    fn accepts_what_the_key_signed_and_nothing_else() {
        for key in keys() {
            let signature: Signature = signature::Signer::try_sign(&key, b"message").unwrap();
            let public = key.public_key().key_data();
            assert_eq!(verify(public, b"message", &signature), Ok(()), "{}", public.algorithm());
            assert_eq!(verify(public, b"massage", &signature), Err(SignatureError::Mismatch));
            let other = SeedSigner::new(9);
            assert!(verify(other.public_key(), b"message", &signature).is_err());
        }
    }

    #[test]
    fn row_06_sha1_signatures_and_short_rsa_keys() {
        let rsa_1024 = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDXtYbqNwbYZXCS8VaX8MHZVMW0VdzPfoJ+IWHmqw9ZvCq5qpTd1l8yPvCEYjs1NVIvRxyWMNRsSJ5BVRYuyPDkxIyoF2cnsDsPxQqz7FUSjWQ0Nv1g0v0QHHVzoQ7BSm1Xcu2e2cVJwXqvqvCzjQoQKhHDZ1dA2BfVvKpGR5tY9Q==";
        let key = ssh_key::PublicKey::from_openssh(rsa_1024).unwrap();
        assert_eq!(strength(key.key_data()).unwrap_err().reason, Reason::WeakAlgorithm);
        let sha1 = Signature::new(Algorithm::Rsa { hash: None }, vec![1; 128]).unwrap();
        assert_eq!(verify(key.key_data(), b"message", &sha1), Err(SignatureError::Algorithm));
    }

    #[test]
    fn row_21_an_sshsig_is_good_for_its_purpose_only() {
        let signer = SeedSigner::new(1);
        let sshsig = sign_sshsig(&signer, "request@dayfly", b"body").unwrap();
        assert_eq!(verify_sshsig(&sshsig, "request@dayfly", b"body").unwrap(), signer.public_key());
        assert_eq!(verify_sshsig(&sshsig, "possession@dayfly", b"body"), Err(SignatureError::Namespace));
        assert_eq!(verify_sshsig(&sshsig, "request@dayfly", b"bodY"), Err(SignatureError::Mismatch));
    }
}
