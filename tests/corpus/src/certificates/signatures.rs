//! Signatures: by others, over something else, in another form, with algorithms that nobody should trust.

use super::{
    List,
    good::{ecdsa_numbers, ecdsa_signature},
};
use crate::{
    keys::{self, Authority},
    wire::{Fields, mpint, string},
};
use anyhow::{Context, Result};
use ssh_key::Signature;

pub(super) fn add(list: &mut List) -> Result<()> {
    signers(list)?;
    changed_afterwards(list)?;
    edwards(list)?;
    ecdsa(list)?;
    rsa(list)
}

fn signers(list: &mut List) -> Result<()> {
    list.signed_by(Authority::Foreign, "foreign_authority", "foreign_ca", "Signed by an authority that nobody trusts.", |_| ())?;
    list.signed_by(Authority::ForeignFido, "foreign_fido_authority", "foreign_ca", "Signed by a FIDO key that nobody trusts.", |_| ())?;
    let holder = keys::ed25519(keys::HOLDER);
    let own = Fields { authority: holder.public_key().to_bytes()?, ..Fields::good()? };
    let signature: Signature = signature::Signer::try_sign(&holder, &own.signed_part())?;
    let certificate = own.with_signature(&Vec::try_from(signature)?);
    list.bytes("self_signed", "foreign_ca", "Its holder signed it.", &certificate)?;
    let foreign = |message: &[u8]| Authority::Foreign.sign(message);
    list.signature(Authority::Ed25519, "signed_by_another", "malformed", "It names our authority, and another key signed it.", foreign)?;
    // The authority's key, certified by itself, in the place of the key.
    let inner =
        Fields { holder: crate::wire::without_name(&Authority::Ed25519.blob()?), ..Fields::good()? }.signed_by(Authority::Ed25519)?;
    let nested = Fields { authority: inner, ..Fields::good()? };
    let signature = Authority::Ed25519.sign(&nested.signed_part())?;
    list.bytes(
        "nested_certificate",
        "foreign_ca",
        "A certificate for our authority's key in the place of that key.",
        &nested.with_signature(&signature),
    )?;
    let (outer, what) = (Fields { authority: Vec::new(), ..Fields::good()? }, "It names no authority.");
    let signature = Authority::Ed25519.sign(&outer.signed_part())?;
    list.bytes("authority_missing", "malformed", what, &outer.with_signature(&signature))?;
    let trailing = Fields { authority: [Authority::Ed25519.blob()?, vec![0]].concat(), ..Fields::good()? };
    let signature = Authority::Ed25519.sign(&trailing.signed_part())?;
    let certificate = trailing.with_signature(&signature);
    list.bytes("authority_trailing_byte", "malformed", "After the authority's key stands a byte that is not its own.", &certificate)?;
    let untouched = |message: &[u8]| keys::fido_signature(5, message, 0);
    list.signature(
        Authority::Fido,
        "fido_authority_not_touched",
        "malformed",
        "Signed by a FIDO authority that nobody touched. OpenSSH does not mind.",
        untouched,
    )?;
    Ok(())
}

fn changed_afterwards(list: &mut List) -> Result<()> {
    type Change = fn(&mut Fields);
    let changes: [(&str, &str, Change); 7] = [
        ("changed_principal", "Another principal than was signed.", |fields| fields.principals = string(b"root@db1")),
        ("changed_window", "A later end than was signed.", |fields| fields.before += 60),
        ("changed_serial", "Another serial than was signed.", |fields| fields.serial = 6),
        ("changed_key_id", "Another holder's name than was signed.", |fields| fields.key_id = b"bob".to_vec()),
        ("changed_options", "Fewer limits than were signed.", |fields| fields.critical.clear()),
        ("changed_extensions", "More permissions than were signed.", |fields| {
            fields.extensions.extend(crate::wire::option("permit-user-rc", b""))
        }),
        ("changed_holder", "Another key than was signed.", |fields| {
            fields.holder.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
        }),
    ];
    for (name, what, change) in changes {
        let mut fields = Fields { critical: crate::wire::option("force-command", b"uptime"), ..Fields::good()? };
        let signature = Authority::Ed25519.sign(&fields.signed_part())?;
        change(&mut fields);
        list.bytes(name, "malformed", what, &fields.with_signature(&signature))?;
    }
    Ok(())
}

/// The order of Ed25519's base point (RFC 8032 section 5.1), lowest byte first.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0x10,
];

fn edwards(list: &mut List) -> Result<()> {
    let numbers =
        |message: &[u8]| -> Result<Vec<u8>> { Ok(Signature::try_from(Authority::Ed25519.sign(message)?.as_slice())?.as_bytes().to_vec()) };
    let named = |name: &[u8], data: &[u8]| [string(name), string(data)].concat();
    let ed25519 = |data: &[u8]| named(b"ssh-ed25519", data);
    let authority = Authority::Ed25519;
    list.signature(
        authority,
        "ed25519_s_not_canonical",
        "malformed",
        "The other spelling of a signature's second half, which RFC 8032 rules out.",
        |message| {
            let mut data = numbers(message)?;
            let mut carry = 0_u16;
            for (digit, add) in data.iter_mut().skip(32).zip(ED25519_ORDER) {
                let sum = u16::from(*digit) + u16::from(add) + carry;
                carry = sum >> 8;
                *digit = u8::try_from(sum & 0xff)?;
            }
            Ok(ed25519(&data))
        },
    )?;
    list.signature(authority, "ed25519_signature_short", "malformed", "A signature that lacks a byte.", |message| {
        Ok(ed25519(numbers(message)?.get(..63).context("a signature has 64 bytes")?))
    })?;
    list.signature(authority, "ed25519_signature_zero", "malformed", "A signature of zeros.", |_| Ok(ed25519(&[0; 64])))?;
    list.signature(authority, "signature_empty", "malformed", "No signature.", |_| Ok(Vec::new()))?;
    list.signature(
        authority,
        "signature_trailing_byte",
        "malformed",
        "After the signature stands a byte that is not its own.",
        |message| Ok([ed25519(&numbers(message)?), vec![0]].concat()),
    )?;
    for (name, reason, what, label) in [
        ("signature_named_ssh_rsa", "weak_algorithm", "A signature that says that it is RSA's, with SHA-1.", &b"ssh-rsa"[..]),
        ("signature_named_rsa_sha2", "weak_algorithm", "A signature that says that it is RSA's.", b"rsa-sha2-512"),
        ("signature_named_unknown", "malformed", "A signature of an algorithm that nobody knows.", b"none"),
    ] {
        list.signature(authority, name, reason, what, |message| Ok(named(label, &numbers(message)?)))?;
    }
    Ok(())
}

fn ecdsa(list: &mut List) -> Result<()> {
    let p256 = |numbers: Vec<u8>| Ok(ecdsa_signature(b"ecdsa-sha2-nistp256", &numbers));
    let authority = Authority::P256;
    list.signature(authority, "ecdsa_r_zero", "malformed", "An ECDSA signature whose first number is zero.", |message| {
        p256([mpint(&[]), mpint(&ecdsa_numbers(message)?.1)].concat())
    })?;
    list.signature(authority, "ecdsa_s_zero", "malformed", "An ECDSA signature whose second number is zero.", |message| {
        p256([mpint(&ecdsa_numbers(message)?.0), mpint(&[])].concat())
    })?;
    list.signature(
        authority,
        "ecdsa_both_zero",
        "malformed",
        "An ECDSA signature of zeros, which some took for everybody's (CVE-2022-21449).",
        |_| p256([mpint(&[]), mpint(&[])].concat()),
    )?;
    list.signature(authority, "ecdsa_r_negative", "malformed", "An ECDSA signature whose first number is negative.", |message| {
        p256([string(&[0xff]), mpint(&ecdsa_numbers(message)?.1)].concat())
    })?;
    list.signature(
        authority,
        "ecdsa_r_oversized",
        "malformed",
        "An ECDSA signature whose first number is too large for its curve.",
        |message| p256([mpint(&[9; 40]), mpint(&ecdsa_numbers(message)?.1)].concat()),
    )?;
    list.signature(authority, "ecdsa_r_padded", "malformed", "An ECDSA signature with zeros before its first number.", |message| {
        let (r, s) = ecdsa_numbers(message)?;
        p256([string(&[vec![0, 0], r].concat()), mpint(&s)].concat())
    })?;
    list.signature(authority, "ecdsa_trailing_bytes", "malformed", "An ECDSA signature with a third number.", |message| {
        let (r, s) = ecdsa_numbers(message)?;
        p256([mpint(&r), mpint(&s), mpint(&s)].concat())
    })?;
    list.signature(authority, "ecdsa_swapped", "malformed", "An ECDSA signature with its numbers exchanged.", |message| {
        let (r, s) = ecdsa_numbers(message)?;
        p256([mpint(&s), mpint(&r)].concat())
    })?;
    list.signature(authority, "ecdsa_signature_of_another_curve", "weak_algorithm", "A signature by P-256 that says P-384.", |message| {
        let (r, s) = ecdsa_numbers(message)?;
        Ok(ecdsa_signature(b"ecdsa-sha2-nistp384", &[mpint(&r), mpint(&s)].concat()))
    })?;
    Ok(())
}

fn rsa(list: &mut List) -> Result<()> {
    let authority = Authority::Rsa;
    list.signature(authority, "rsa_sha1_signature", "weak_algorithm", "Signed with SHA-1, and says so.", |message| {
        keys::sha1_signature(b"ssh-rsa", message)
    })?;
    list.signature(authority, "rsa_sha1_named_sha512", "malformed", "Signed with SHA-1, and says SHA-512.", |message| {
        keys::sha1_signature(b"rsa-sha2-512", message)
    })?;
    let data =
        |message: &[u8]| -> Result<Vec<u8>> { Ok(Signature::try_from(Authority::Rsa.sign(message)?.as_slice())?.as_bytes().to_vec()) };
    list.signature(authority, "rsa_signature_padded", "malformed", "An RSA signature with a zero before it.", |message| {
        Ok([string(b"rsa-sha2-512"), string(&[vec![0], data(message)?].concat())].concat())
    })?;
    list.signature(authority, "rsa_sha512_named_sha256", "malformed", "Signed with SHA-512, and says SHA-256.", |message| {
        Ok([string(b"rsa-sha2-256"), string(&data(message)?)].concat())
    })?;
    list.signature(authority, "rsa_signature_one", "malformed", "The number one for an RSA signature.", |_| {
        Ok([string(b"rsa-sha2-512"), string(&[vec![0; 383], vec![1]].concat())].concat())
    })?;
    list.signature(authority, "rsa_signature_empty", "malformed", "An RSA signature without bytes.", |_| {
        Ok([string(b"rsa-sha2-512"), string(b"")].concat())
    })?;
    Ok(())
}
