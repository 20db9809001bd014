//! What must be accepted, so that a verifier that refuses everything is noticed.

use super::List;
use crate::{
    keys::{self, Authority},
    wire::{mpint, option, string, without_name},
};
use anyhow::{Context, Result};
use ssh_key::{Mpint, Signature};

pub(super) fn add(list: &mut List) -> Result<()> {
    let holders = keys::holders()?;
    list.signed("good", "", "Nothing is wrong with it.", |_| ())?;
    list.signed_by(Authority::P256, "good_p256_authority", "", "Signed by an ECDSA authority.", |_| ())?;
    list.signed_by(Authority::Rsa, "good_rsa_authority", "", "Signed by an RSA authority, with SHA-512.", |_| ())?;
    list.signed_by(Authority::Fido, "good_fido_authority", "", "Signed by a FIDO authority that was touched.", |_| ())?;
    list.signed_by(Authority::P384, "good_p384_authority", "", "Signed by an ECDSA authority over P-384.", |_| ())?;
    list.signed_by(Authority::RsaSha256, "good_rsa_sha256_authority", "", "Signed by an RSA authority, with SHA-256.", |_| ())?;
    list.signed_by(Authority::Rsa4096, "good_rsa_4096_authority", "", "Signed by an RSA authority of 4096 bits.", |_| ())?;
    for (name, what, (kind, key)) in [
        ("good_p256_holder", "Its holder has an ECDSA key.", 1),
        ("good_p384_holder", "Its holder has an ECDSA key over P-384.", 2),
        ("good_p521_holder", "Its holder has an ECDSA key over P-521.", 3),
        ("good_rsa_holder", "Its holder has an RSA key of 3072 bits.", 4),
    ]
    .into_iter()
    .filter_map(|(name, what, at)| Some((name, what, holders.get(at)?)))
    {
        let holder = without_name(&key.public_key().to_bytes()?);
        list.signed(name, "", what, |fields| (fields.name, fields.holder) = (kind.as_bytes().to_vec(), holder))?;
    }
    list.signed(
        "good_unknown_extension",
        "",
        "What an extension permits that is not known permits nothing, and refuses nothing.",
        |fields| {
            fields.extensions.extend(option("permit-time-travel@example.com", b"backwards"));
        },
    )?;
    list.signed("good_reserved_not_empty", "", "The field for later holds something, which nobody may mind.", |fields| {
        fields.reserved = b"later".to_vec();
    })?;
    list.signed("good_source_address_here", "", "It may be used from here.", |fields| {
        fields.critical = option("source-address", b"192.0.2.0/24,127.0.0.0/8,::1/128");
    })?;
    list.signed("good_256_principals", "", "As many principals as OpenSSH takes.", |fields| {
        fields.principals.extend((1..256).flat_map(|n| string(format!("deploy@web{n}").as_bytes())));
    })?;
    list.signature(
        Authority::P256,
        "good_ecdsa_high_s",
        "",
        "The other of two ECDSA signatures that say the same: whoever has one can make it. \
        It says nothing else, but its bytes are not those that the CA signed and logged.",
        other_ecdsa_signature,
    )?;
    Ok(())
}

/// The order of P-256 (FIPS 186-4 appendix D.1.2.3).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
    0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `(r, n - s)` for `(r, s)`.
fn other_ecdsa_signature(message: &[u8]) -> Result<Vec<u8>> {
    let (r, s) = ecdsa_numbers(message)?;
    let mut other = P256_ORDER;
    let mut borrow = 0_i32;
    for (digit, take) in other.iter_mut().rev().zip(s.iter().rev().chain(std::iter::repeat(&0))) {
        let difference = i32::from(*digit) - i32::from(*take) - borrow;
        borrow = i32::from(difference < 0);
        *digit = u8::try_from(difference.rem_euclid(256))?;
    }
    Ok(ecdsa_signature(b"ecdsa-sha2-nistp256", &[mpint(&r), mpint(&other)].concat()))
}

/// The two numbers of the P-256 authority's signature over `message`, without leading zeros.
pub(super) fn ecdsa_numbers(message: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    use ssh_key::encoding::Decode;
    let signature = Signature::try_from(Authority::P256.sign(message)?.as_slice())?;
    let mut rest = signature.as_bytes();
    let mut number = || -> Result<Vec<u8>> {
        let number = Mpint::decode(&mut rest)?;
        Ok(number.as_positive_bytes().context("a signature's numbers are positive")?.to_vec())
    };
    Ok((number()?, number()?))
}

/// An ECDSA signature's blob (RFC 5656 section 3.1.2).
pub(super) fn ecdsa_signature(name: &[u8], numbers: &[u8]) -> Vec<u8> {
    [string(name), string(numbers)].concat()
}
