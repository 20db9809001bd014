//! Whether a public key is one that an honest program could have made. Libraries accept others, and with some of them anybody can sign.

use aws_lc_rs::signature::{self as lc, ParsedPublicKey};
use ssh_key::{
    EcdsaCurve,
    public::{KeyData, RsaPublicKey},
};

/// The longest RSA modulus, in bits: OpenSSH's limit (`OPENSSL_RSA_MAX_MODULUS_BITS`) is 16384, of what is signed with here 8192.
const LONGEST_RSA_BITS: u32 = 8192;

/// The longest RSA exponent, in bytes. Programs choose 65537; a long one makes others compute.
const LONGEST_RSA_EXPONENT: usize = 4;

/// The `y` of every Ed25519 point of small order, lowest byte first, with its sign bit cleared; and the spellings of them that RFC 8032 section
/// 5.1.3 rules out. With such a key a signature fits many messages, or all.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    edge(1, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
        0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
        0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    edge(0xec, 0xff, 0x7f),
    edge(0xed, 0xff, 0x7f),
    edge(0xee, 0xff, 0x7f),
];

/// What the key is, if it is not sound.
pub(super) fn check(key: &KeyData) -> Result<(), String> {
    match key {
        KeyData::Ed25519(public) => edwards(&public.0),
        KeyData::SkEd25519(public) => edwards(&public.public_key().0),
        KeyData::Ecdsa(public) => point(public.curve(), public.as_sec1_bytes()),
        KeyData::SkEcdsaSha2NistP256(public) => point(EcdsaCurve::NistP256, public.ec_point().as_bytes()),
        KeyData::Rsa(public) => rsa(public),
        _ => Ok(()),
    }
}

/// The bits of the modulus, counted from its highest one.
pub(super) fn rsa_bits(key: &RsaPublicKey) -> u32 {
    let digits = key.n().as_positive_bytes().unwrap_or_default();
    let unused = digits.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(digits.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(unused)
}

fn edwards(public: &[u8; 32]) -> Result<(), String> {
    let mut y = *public;
    let [.., last] = &mut y;
    *last &= 0x7f;
    if SMALL_ORDER.contains(&y) { Err("an Ed25519 key of small order, with which anybody can sign,".to_owned()) } else { Ok(()) }
}

fn point(curve: EcdsaCurve, encoded: &[u8]) -> Result<(), String> {
    let algorithm = match curve {
        EcdsaCurve::NistP256 => &lc::ECDSA_P256_SHA256_FIXED,
        EcdsaCurve::NistP384 => &lc::ECDSA_P384_SHA384_FIXED,
        EcdsaCurve::NistP521 => &lc::ECDSA_P521_SHA512_FIXED,
    };
    // 4: both coordinates stand there (RFC 5656 section 3.1; SEC 1 section 2.3.3). The library takes shorter forms too, which SSH does not have.
    let is_point = encoded.first() == Some(&4) && ParsedPublicKey::new(algorithm, encoded).is_ok();
    if is_point { Ok(()) } else { Err("an ECDSA key that is no point of its curve".to_owned()) }
}

fn rsa(key: &RsaPublicKey) -> Result<(), String> {
    let (n, e) = (key.n().as_positive_bytes().unwrap_or_default(), key.e().as_positive_bytes().unwrap_or_default());
    let is_odd = |digits: &[u8]| digits.last().is_some_and(|byte| byte & 1 == 1);
    if !is_odd(n) || !is_odd(e) || e == [1] || e.len() > LONGEST_RSA_EXPONENT {
        return Err("an RSA key with such a modulus or exponent".to_owned());
    }
    if rsa_bits(key) > LONGEST_RSA_BITS {
        return Err(format!("an RSA key of {} bits, which is more than {LONGEST_RSA_BITS},", rsa_bits(key)));
    }
    Ok(())
}

/// A `y` near zero or near the prime: its lowest byte, what fills it, and its highest.
const fn edge(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut y = [between; 32];
    let [low, .., high] = &mut y;
    (*low, *high) = (first, last);
    y
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use aws_lc_rs::signature::UnparsedPublicKey;
    use ssh_key::public::Ed25519PublicKey;

    /// What makes them worth a list: the library below takes a signature that nobody made, for any message.
    #[test]
    fn the_library_accepts_anybodys_signature_by_a_key_of_small_order_and_the_check_does_not() {
        let neutral = edge(1, 0, 0);
        let signature = [neutral, [0; 32]].concat();
        for message in [&b"one"[..], b"another"] {
            assert!(UnparsedPublicKey::new(&lc::ED25519, neutral).verify(message, &signature).is_ok());
        }
        assert!(check(&KeyData::Ed25519(Ed25519PublicKey(neutral))).is_err());
    }

    /// Eight messages will do. The last two of the list are spellings that the library refuses by itself, today.
    #[test]
    fn each_of_the_list_is_one_for_which_signatures_can_be_made_up() {
        let made_up = [edge(1, 0, 0), [0; 32]].concat();
        for y in SMALL_ORDER {
            let mut signed = y;
            signed[31] |= 0x80;
            let fits = |key: [u8; 32]| (0..64_u8).any(|n| UnparsedPublicKey::new(&lc::ED25519, key).verify(&[n], &made_up).is_ok());
            let is_canonical = !matches!((y[0], y[31]), (0xed | 0xee, 0x7f));
            assert_eq!(fits(y) || fits(signed), is_canonical, "{y:x?}");
            assert!(edwards(&signed).is_err() && edwards(&y).is_err());
        }
    }
}
