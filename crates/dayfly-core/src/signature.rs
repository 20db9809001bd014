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

/// The bit that says that they gave a PIN or a fingerprint (CTAP2, "user verification").
const FIDO_VERIFIED: u8 = 0x04;

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

/// What a FIDO key says of one signature of its own, inside what it signs (OpenSSH PROTOCOL.u2f).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FidoFlags {
    /// Somebody touched it.
    pub touched: bool,
    /// They gave a PIN or a fingerprint.
    pub verified: bool,
}

/// Whether a key lives in a FIDO authenticator and never leaves it.
pub fn is_hardware_key(key: &KeyData) -> bool {
    matches!(key, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_))
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

/// Refuses what a CA or the log may not sign with. Ed25519, P-256, P-384 and RSA are what agents, tokens and every OpenSSH have in common; a FIDO key would
/// want a touch for each certificate.
pub fn authority_strength(key: &KeyData) -> Result<(), Refusal> {
    strength(key)?;
    match key {
        KeyData::Ed25519(_) | KeyData::Rsa(_) => Ok(()),
        KeyData::Ecdsa(public) if public.curve() != EcdsaCurve::NistP521 => Ok(()),
        other => Err(Refusal::new(
            Reason::WeakAlgorithm,
            format!("a key of type {} does not sign for a CA", other.algorithm()),
            "use an Ed25519, P-256, P-384 or RSA key of 3072 bits and more",
        )),
    }
}

/// Whether `signature` over `message` is `key`'s. Never accepts SHA-1, nor a FIDO key that nobody touched.
pub fn verify(key: &KeyData, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    demand_touch(verify_and_tell(key, message, signature)?)
}

fn demand_touch(fido: Option<FidoFlags>) -> Result<(), SignatureError> {
    if fido.is_none_or(|fido| fido.touched) { Ok(()) } else { Err(SignatureError::NotTouched) }
}

/// As [`verify`], but leaves the flags of a FIDO key to the caller. None for every other key.
pub fn verify_and_tell(key: &KeyData, message: &[u8], signature: &Signature) -> Result<Option<FidoFlags>, SignatureError> {
    if is_hardware_key(key) { verify_fido(key, message, signature).map(Some) } else { verify_plain(key, message, signature).map(|()| None) }
}

fn verify_plain(key: &KeyData, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
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

/// The key library checks the signature; what the flags say it does not look at.
fn verify_fido(key: &KeyData, message: &[u8], signature: &Signature) -> Result<FidoFlags, SignatureError> {
    if signature.algorithm() != key.algorithm() {
        return Err(SignatureError::Algorithm);
    }
    let data = signature.as_bytes();
    let flags = data.len().checked_sub(FIDO_TRAILER).and_then(|index| data.get(index)).ok_or(SignatureError::Mismatch)?;
    signature::Verifier::verify(key, message, signature).map_err(|_| SignatureError::Mismatch)?;
    Ok(FidoFlags { touched: flags & FIDO_TOUCHED != 0, verified: flags & FIDO_VERIFIED != 0 })
}

/// Whether `sshsig` is a signature over `message` for `namespace`, by a strong key, touched if it is a FIDO key. Who owns the key is the caller's question.
pub fn verify_sshsig<'a>(sshsig: &'a SshSig, namespace: &str, message: &[u8]) -> Result<&'a KeyData, SignatureError> {
    let (key, fido) = verify_sshsig_and_tell(sshsig, namespace, message)?;
    demand_touch(fido).map(|()| key)
}

/// As [`verify_sshsig`], but leaves the flags of a FIDO key to the caller. None for every other key.
pub fn verify_sshsig_and_tell<'a>(
    sshsig: &'a SshSig,
    namespace: &str,
    message: &[u8],
) -> Result<(&'a KeyData, Option<FidoFlags>), SignatureError> {
    if sshsig.namespace() != namespace {
        return Err(SignatureError::Namespace);
    }
    strength(sshsig.public_key()).map_err(|_| SignatureError::Algorithm)?;
    let signed = SshSig::signed_data(namespace, sshsig.hash_alg(), message).map_err(|_| SignatureError::Mismatch)?;
    let fido = verify_and_tell(sshsig.public_key(), &signed, sshsig.signature())?;
    Ok((sshsig.public_key(), fido))
}

/// Signs `message`, and verifies what came back: what a broken or a hostile custody makes of it leaves nothing behind but an error.
pub fn sign_verified(signer: &dyn Signer, message: &[u8]) -> Result<Signature, SignerError> {
    let signature = signer.sign(message)?;
    verify_and_tell(signer.public_key(), message, &signature).map_err(|error| SignerError {
        key: fingerprint(signer.public_key()),
        cause: format!("what came back was thrown away, since {error}: see whether who holds the key is what it should be"),
    })?;
    Ok(signature)
}

/// Signs `message` for `namespace` (SHA-512), and verifies what came back.
pub fn sign_sshsig(signer: &dyn Signer, namespace: &str, message: &[u8]) -> Result<SshSig, SignerError> {
    let failed = |error: ssh_key::Error| SignerError { key: fingerprint(signer.public_key()), cause: error.to_string() };
    let signed = SshSig::signed_data(namespace, HashAlg::Sha512, message).map_err(failed)?;
    let signature = sign_verified(signer, &signed)?;
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
    use crate::signer::{
        SeedSigner,
        fido::{FidoSigner, TOUCHED, VERIFIED},
    };
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
    fn a_fido_key_tells_of_touch_and_pin_and_nobody_can_change_what_it_said() {
        for (flags, told) in [
            (0, FidoFlags::default()),
            (TOUCHED, FidoFlags { touched: true, verified: false }),
            (TOUCHED | VERIFIED, FidoFlags { touched: true, verified: true }),
        ] {
            for key in [FidoSigner::ed25519(1, flags), FidoSigner::p256(flags)] {
                let signature = sign_verified(&key, b"message").unwrap();
                assert_eq!(verify_and_tell(key.public_key(), b"message", &signature), Ok(Some(told)));
                assert_eq!(verify(key.public_key(), b"message", &signature).is_ok(), told.touched);
                assert_eq!(verify(key.public_key(), b"massage", &signature), Err(SignatureError::Mismatch));
                let mut changed = signature.as_bytes().to_vec();
                let index = changed.len() - FIDO_TRAILER;
                changed[index] ^= TOUCHED;
                let changed = Signature::new(signature.algorithm(), changed).unwrap();
                assert_eq!(verify_and_tell(key.public_key(), b"message", &changed), Err(SignatureError::Mismatch));
            }
        }
    }

    #[test]
    fn row_28_a_signature_that_does_not_fit_never_leaves() {
        struct Broken(SeedSigner);
        impl Signer for Broken {
            fn public_key(&self) -> &KeyData {
                self.0.public_key()
            }
            fn sign(&self, _: &[u8]) -> Result<Signature, SignerError> {
                self.0.sign(b"something else")
            }
        }
        let error = sign_sshsig(&Broken(SeedSigner::new(1)), "log-head@dayfly", b"head").unwrap_err();
        assert!(error.cause.contains("thrown away"), "{error}");
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
