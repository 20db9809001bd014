//! The encoding: cut, continued, mislabelled, too large.

use super::List;
use crate::{
    keys::Authority,
    wire::{ED25519, Fields, line, string},
};
use anyhow::{Context, Result};

pub(super) fn add(list: &mut List) -> Result<()> {
    list.signed("nonce_empty", "malformed", "It has no random bytes.", |fields| fields.nonce.clear())?;
    list.signed("nonce_short", "malformed", "It has eight random bytes, with which collisions can be sought.", |fields| {
        fields.nonce.truncate(8)
    })?;
    list.signed("oversized", "malformed", "A nonce of 64 KiB.", |fields| fields.nonce = vec![7; 64 * 1024])?;
    let good = Fields::good()?.signed_by(Authority::Ed25519)?;
    let cut = |length: usize| good.get(..length).context("a certificate is longer than that");
    list.bytes("trailing_byte", "malformed", "After the certificate stands a byte that is not its own.", &[&good[..], &[0]].concat())?;
    list.bytes("trailing_certificate", "malformed", "After the certificate stands another one.", &[&good[..], &good[..]].concat())?;
    list.bytes("cut_in_signature", "malformed", "Its end is missing.", cut(good.len() - 1)?)?;
    list.bytes("cut_after_name", "malformed", "Nothing stands after its name.", cut(4 + ED25519.len())?)?;
    list.bytes("cut_in_a_length", "malformed", "It ends within a length.", cut(4 + ED25519.len() + 2)?)?;
    list.bytes("empty", "malformed", "Nothing at all.", &[])?;
    let mut long = cut(4 + ED25519.len())?.to_vec();
    long.extend([0xff; 4]);
    list.bytes("length_of_4_gib", "malformed", "A nonce of four gibibytes, of which none are there.", &long)?;
    let mut last = good.clone();
    let at = good.len() - 4 - 83;
    last.splice(at..at + 4, [0xff, 0xff, 0xff, 0xff]);
    list.bytes("signature_length_past_the_end", "malformed", "A signature's length that is past the end.", &last)?;
    list.bytes(
        "bare_key",
        "malformed",
        "A key that nobody certified, under a certificate's name.",
        &crate::keys::ed25519(crate::keys::HOLDER).public_key().to_bytes()?,
    )?;
    let v00 = "ssh-ed25519-cert-v00@openssh.com";
    list.signed("version_00", "malformed", "A version of certificates that is no more.", |fields| fields.name = v00.into())?;
    list.signed("version_missing", "malformed", "A key's name for a certificate's.", |fields| fields.name = b"ssh-ed25519".to_vec())?;
    lines(list, &good)
}

fn lines(list: &mut List, good: &[u8]) -> Result<()> {
    let text = line(ED25519.as_bytes(), good);
    for (name, what, line) in [
        ("line_of_another_type", "The line says RSA, the certificate Ed25519.", line(b"ssh-rsa-cert-v01@openssh.com", good)),
        ("line_of_a_key", "The line says that it is a bare key.", line(b"ssh-ed25519", good)),
        ("line_without_base64", "The line says what it is, and nothing else.", format!("{ED25519}\n")),
        ("line_with_junk_in_base64", "Base64 with a letter that it does not have.", text.replacen("AAAA", "AA!A", 1)),
        ("line_in_url_base64", "Base64 in another alphabet.", text.replace(['+', '/'], "_")),
        ("line_cut_in_base64", "Base64 that lacks its last letters.", text.trim_end().get(..text.len() - 4).unwrap_or_default().to_owned()),
        ("line_within_a_line", "Base64 with a line break.", text.replacen("AAAA", "AAAA\n", 1)),
    ] {
        list.line(name, "malformed", what, line)?.line_only = true;
    }
    let inner = string(good);
    list.bytes("certificate_in_a_string", "malformed", "A length stands before the certificate.", &inner)?;
    Ok(())
}
