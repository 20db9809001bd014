//! A list as bytes.

use super::{Krl, KrlError, LARGEST_KRL, RevokedCertificates, layout, tag};

/// Writes a list (OpenSSH PROTOCOL.krl).
pub(super) fn write(krl: &Krl) -> Result<Vec<u8>, KrlError> {
    if krl.comment.contains('\0') {
        return Err(KrlError::Value);
    }
    let mut out = Vec::new();
    out.extend_from_slice(tag::MAGIC);
    out.extend_from_slice(&tag::FORMAT.to_be_bytes());
    let no_flags = 0;
    for number in [krl.number, krl.generated_at, no_flags] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let reserved = b"";
    put_string(&mut out, reserved)?;
    put_string(&mut out, krl.comment.as_bytes())?;
    for (authority, revoked) in krl.certificates.iter().filter(|(_, revoked)| !revoked.serials.is_empty() || !revoked.key_ids.is_empty()) {
        put_section(&mut out, tag::CERTIFICATES, &certificates(authority, revoked)?)?;
    }
    put_section_of(&mut out, tag::KEY, &krl.keys)?;
    put_section_of(&mut out, tag::SHA1, &krl.sha1)?;
    put_section_of(&mut out, tag::SHA256, &krl.sha256)?;
    if out.len() > LARGEST_KRL { Err(KrlError::TooLarge) } else { Ok(out) }
}

fn certificates(authority: &[u8], revoked: &RevokedCertificates) -> Result<Vec<u8>, KrlError> {
    let mut out = Vec::new();
    put_string(&mut out, authority)?;
    let reserved = b"";
    put_string(&mut out, reserved)?;
    let layout = layout::smallest(revoked.serials.runs());
    let listed: Vec<u8> = layout.listed.iter().flat_map(|(first, last)| (*first..=*last).flat_map(u64::to_be_bytes)).collect();
    if !listed.is_empty() {
        put_section(&mut out, tag::SERIAL_LIST, &listed)?;
    }
    for (first, last) in layout.ranges {
        put_section(&mut out, tag::SERIAL_RANGE, &[first.to_be_bytes(), last.to_be_bytes()].concat())?;
    }
    for runs in layout.bitmaps {
        put_section(&mut out, tag::SERIAL_BITMAP, &bitmap(&runs)?)?;
    }
    put_section_of(&mut out, tag::KEY_ID, &revoked.key_ids)?;
    Ok(out)
}

/// The first serial, and a number whose lowest bit stands for it (`mpint`, RFC 4251 § 5). The highest bit of the number's first byte stays clear: it is positive.
fn bitmap(runs: &[(u64, u64)]) -> Result<Vec<u8>, KrlError> {
    let (Some((start, _)), Some((_, end))) = (runs.first(), runs.last()) else { return Err(KrlError::Serial) };
    let place = |serial: u64| usize::try_from(serial.saturating_sub(*start)).map_err(|_| KrlError::TooLarge);
    let mut number = vec![0_u8; (place(*end)? + 1) / 8 + 1];
    for serial in runs.iter().flat_map(|(first, last)| *first..=*last) {
        let bit = place(serial)?;
        if let Some(byte) = number.iter_mut().rev().nth(bit / 8) {
            *byte |= 1 << (bit % 8);
        }
    }
    let mut out = start.to_be_bytes().to_vec();
    put_string(&mut out, &number)?;
    Ok(out)
}

/// A section of strings, left out if there are none.
fn put_section_of<T: AsRef<[u8]>>(out: &mut Vec<u8>, kind: u8, strings: impl IntoIterator<Item = T>) -> Result<(), KrlError> {
    let mut section = Vec::new();
    for string in strings {
        put_string(&mut section, string.as_ref())?;
    }
    if section.is_empty() { Ok(()) } else { put_section(out, kind, &section) }
}

fn put_section(out: &mut Vec<u8>, kind: u8, section: &[u8]) -> Result<(), KrlError> {
    out.push(kind);
    put_string(out, section)
}

fn put_string(out: &mut Vec<u8>, string: &[u8]) -> Result<(), KrlError> {
    let length = u32::try_from(string.len()).map_err(|_| KrlError::TooLarge)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(string);
    Ok(())
}
