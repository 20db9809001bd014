//! Holders' keys: too weak, made so that anybody can sign with them, or not keys at all.

use super::List;
use crate::wire::{mpint, string};
use anyhow::Result;

pub(super) fn add(list: &mut List) -> Result<()> {
    rsa(list)?;
    ecdsa(list)?;
    edwards(list)?;
    let dsa = [mpint(&odd(128)), mpint(&odd(20)), mpint(&odd(128)), mpint(&odd(128))].concat();
    held(list, "dsa_holder", "weak_algorithm", "A DSA key.", "ssh-dss-cert-v01@openssh.com", dsa)?;
    held(
        list,
        "holder_of_unknown_type",
        "weak_algorithm",
        "A key of a type that nobody knows.",
        "ssh-ed448-cert-v01@openssh.com",
        string(&[7; 57]),
    )?;
    let inner = crate::wire::Fields::good()?;
    let nested = "ssh-ed25519-cert-v01@openssh.com-cert-v01@openssh.com";
    held(list, "holder_is_a_certificate", "malformed", "A certificate in the place of the holder's key.", nested, inner.signed_part())?;
    Ok(())
}

fn rsa(list: &mut List) -> Result<()> {
    let key = |e: &[u8], n: &[u8]| [mpint(e), mpint(n)].concat();
    let even: Vec<u8> = odd(384).into_iter().map(|byte| byte & 0xfe).collect();
    let negative = [mpint(&[1, 0, 1]), string(&odd(384))].concat();
    let padded = [mpint(&[1, 0, 1]), string(&[vec![0, 0], odd(384)].concat())].concat();
    const RSA: &str = "ssh-rsa-cert-v01@openssh.com";
    for (name, reason, what, key) in [
        ("rsa_1024_holder", "weak_algorithm", "An RSA key of 1024 bits.", key(&[1, 0, 1], &odd(128))),
        ("rsa_2048_holder", "weak_algorithm", "An RSA key of 2048 bits.", key(&[1, 0, 1], &odd(256))),
        ("rsa_3071_holder", "weak_algorithm", "An RSA key of 3071 bits, which fill as many bytes as 3072.", key(&[1, 0, 1], &half(384))),
        ("rsa_even_exponent", "weak_algorithm", "An RSA key with an even exponent: it has no private half.", key(&[1, 0, 0], &odd(384))),
        ("rsa_exponent_one", "weak_algorithm", "An RSA key with exponent 1: everybody's signature fits.", key(&[1], &odd(384))),
        ("rsa_exponent_zero", "malformed", "An RSA key with exponent 0.", key(&[], &odd(384))),
        (
            "rsa_exponent_large",
            "weak_algorithm",
            "An RSA key with an exponent of 2048 bits, which takes long to check.",
            key(&odd(256), &odd(384)),
        ),
        ("rsa_even_modulus", "weak_algorithm", "An RSA key with an even modulus: it is factored.", key(&[1, 0, 1], &even)),
        ("rsa_modulus_large", "weak_algorithm", "An RSA key of 16392 bits, past what OpenSSH takes.", key(&[1, 0, 1], &odd(2049))),
        ("rsa_negative_modulus", "malformed", "An RSA key with a negative modulus.", negative),
        ("rsa_modulus_padded", "malformed", "An RSA key with zeros before its modulus.", padded),
    ] {
        held(list, name, reason, what, RSA, key)?;
    }
    let modern = "rsa-sha2-512-cert-v01@openssh.com";
    held(
        list,
        "rsa_signature_name_as_type",
        "malformed",
        "The name of a signature's algorithm for that of a key's type.",
        modern,
        key(&[1, 0, 1], &odd(384)),
    )?;
    Ok(())
}

fn ecdsa(list: &mut List) -> Result<()> {
    let key = |curve: &str, point: &[u8]| [string(curve.as_bytes()), string(point)].concat();
    let holder = crate::keys::p256_holder()?;
    let point = holder.public_key().key_data().ecdsa().map(|key| key.as_sec1_bytes().to_vec()).unwrap_or_default();
    let mut off_curve = point.clone();
    off_curve.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
    let sign = 2 + (point.last().copied().unwrap_or_default() & 1);
    let compressed = [&[sign][..], point.get(1..33).unwrap_or_default()].concat();
    const P256: &str = "ecdsa-sha2-nistp256-cert-v01@openssh.com";
    for (name, reason, what, key) in [
        ("ecdsa_point_off_curve", "weak_algorithm", "An ECDSA key that is no point of its curve.", key("nistp256", &off_curve)),
        (
            "ecdsa_point_compressed",
            "weak_algorithm",
            "An ECDSA key as a compressed point, which SSH does not have.",
            key("nistp256", &compressed),
        ),
        ("ecdsa_point_at_infinity", "malformed", "An ECDSA key that is no point at all.", key("nistp256", &[0])),
        ("ecdsa_point_zero", "weak_algorithm", "An ECDSA key whose coordinates are zero.", key("nistp256", &[&[4][..], &[0; 64]].concat())),
        ("ecdsa_point_short", "malformed", "An ECDSA key that lacks a byte.", key("nistp256", point.get(..64).unwrap_or_default())),
        ("ecdsa_curve_mismatch", "malformed", "A certificate for P-256, a key that says P-384.", key("nistp384", &point)),
        (
            "ecdsa_point_of_another_curve",
            "malformed",
            "A key that says P-256, a point as long as P-384's.",
            key("nistp256", &[&[4][..], &[9; 96]].concat()),
        ),
        ("ecdsa_unknown_curve", "malformed", "A key on a curve that nobody knows.", key("nistp192", &point)),
    ] {
        held(list, name, reason, what, P256, key)?;
    }
    Ok(())
}

fn edwards(list: &mut List) -> Result<()> {
    // The points of small order, in both spellings where there are two (RFC 8032 section 5.1.3 has one of each).
    let mut zero = [0; 32];
    let mut one = [0; 32];
    let mut minus_one = [0xff; 32];
    let mut prime = [0xff; 32];
    (zero[31], one[0], minus_one[0], minus_one[31], prime[0], prime[31]) = (0x80, 1, 0xec, 0x7f, 0xed, 0x7f);
    let order_eight = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
        0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
    for (name, what, point) in [
        ("ed25519_small_order_1", "The neutral point for a key: anybody can sign for it.", one),
        ("ed25519_small_order_2", "A point of order two for a key.", minus_one),
        ("ed25519_small_order_4", "A point of order four for a key, with its sign.", zero),
        ("ed25519_small_order_8", "A point of order eight for a key: every eighth message can be signed by anybody.", order_eight),
        ("ed25519_not_canonical", "A key's coordinate that is the prime itself, which is zero.", prime),
    ] {
        held(list, name, "weak_algorithm", what, crate::wire::ED25519, string(&point))?;
    }
    let fido = [string(&one), string(b"ssh:")].concat();
    held(list, "fido_small_order", "weak_algorithm", "The neutral point for a FIDO key.", "sk-ssh-ed25519-cert-v01@openssh.com", fido)?;
    for (name, what, bytes) in [("ed25519_short", "A key that lacks a byte.", 31), ("ed25519_long", "A key with a byte too many.", 33)] {
        held(list, name, "malformed", what, crate::wire::ED25519, string(&vec![9; bytes]))?;
    }
    Ok(())
}

fn held<'a>(list: &'a mut List, name: &str, reason: &str, what: &str, kind: &str, key: Vec<u8>) -> Result<&'a mut crate::Entry> {
    list.signed(name, reason, what, |fields| (fields.name, fields.holder) = (kind.as_bytes().to_vec(), key))
}

/// A number of so many bytes, odd, with its highest bit set.
fn odd(bytes: usize) -> Vec<u8> {
    vec![0xc3; bytes]
}

/// The same with its highest bit clear.
fn half(bytes: usize) -> Vec<u8> {
    [vec![0x43], odd(bytes - 1)].concat()
}
