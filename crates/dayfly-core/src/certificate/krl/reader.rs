//! Bytes as a list. Total: whatever the bytes, the answer is a list or an error.

use super::{Krl, KrlError, LARGEST_KRL, RevokedCertificates, layout::LARGEST_BITMAP, tag};
use ssh_key::{encoding::Decode, public::KeyData};
use std::collections::BTreeSet;

/// The most runs of serials in one list. Bitmaps unfold: a byte of one can hold four runs of sixteen bytes.
const MOST_RUNS: usize = 2 * 1024 * 1024;

/// The largest CA key, in bytes: RSA of 16384 bits is a quarter of it. A certificate in a key's place nests others, and each nests on the stack.
const LARGEST_KEY: usize = 8 * 1024;

/// Reads a list.
pub(super) fn read(bytes: &[u8]) -> Result<Krl, KrlError> {
    if bytes.len() > LARGEST_KRL {
        return Err(KrlError::TooLarge);
    }
    let mut cursor = Cursor(bytes.strip_prefix(tag::MAGIC).ok_or(KrlError::NotAKrl)?);
    let format = cursor.u32()?;
    if format != tag::FORMAT {
        return Err(KrlError::Format(format));
    }
    let (number, generated_at, _flags, _reserved) = (cursor.u64()?, cursor.u64()?, cursor.u64()?, cursor.string()?);
    let comment = String::from_utf8_lossy(without_nul(cursor.string()?)?).into_owned();
    let mut krl = Krl::new(number, generated_at, comment);
    let mut runs_left = MOST_RUNS;
    while !cursor.is_at_end() {
        let (kind, mut section) = (cursor.u8()?, Cursor(cursor.string()?));
        match kind {
            tag::CERTIFICATES => read_certificates(&mut section, &mut krl, &mut runs_left)?,
            tag::KEY => section.strings(|blob| Ok(krl.keys.insert(blob.to_vec())))?,
            tag::SHA1 => section.strings(|hash| Ok(krl.sha1.insert(hash.try_into().map_err(|_| KrlError::Value)?)))?,
            tag::SHA256 => section.strings(|hash| Ok(krl.sha256.insert(hash.try_into().map_err(|_| KrlError::Value)?)))?,
            // The key stands in the section, the signature behind it. Neither counts.
            tag::SIGNATURE => (section, _) = (Cursor(&[]), cursor.string()?),
            tag::EXTENSION => pass_extension(&mut section)?,
            unknown => return Err(KrlError::Section(unknown)),
        }
        section.end()?;
    }
    Ok(krl)
}

fn read_certificates(section: &mut Cursor<'_>, krl: &mut Krl, runs_left: &mut usize) -> Result<(), KrlError> {
    let (authority, _reserved) = (read_authority(section.string()?)?, section.string()?);
    let mut runs = Runs { found: Vec::new(), left: runs_left };
    let mut key_ids = BTreeSet::new();
    while !section.is_at_end() {
        let (kind, mut part) = (section.u8()?, Cursor(section.string()?));
        match kind {
            tag::SERIAL_LIST => {
                while !part.is_at_end() {
                    let serial = part.u64()?;
                    runs.add(serial, serial)?;
                }
            }
            tag::SERIAL_RANGE => runs.add(part.u64()?, part.u64()?)?,
            tag::SERIAL_BITMAP => read_bitmap(part.u64()?, part.string()?, &mut runs)?,
            tag::KEY_ID => part.strings(|key_id| Ok(key_ids.insert(without_nul(key_id)?.to_vec())))?,
            tag::CERTIFICATE_EXTENSION => pass_extension(&mut part)?,
            unknown => return Err(KrlError::Section(unknown)),
        }
        part.end()?;
    }
    // A CA may have several sections; one that revokes nothing leaves no trace.
    if !runs.found.is_empty() || !key_ids.is_empty() {
        let found = runs.found;
        let RevokedCertificates { serials, key_ids: known } = krl.certificates.entry(authority).or_default();
        serials.extend(found);
        known.extend(key_ids);
    }
    Ok(())
}

/// A plain key, whatever its type, or nothing for any CA.
fn read_authority(blob: &[u8]) -> Result<Vec<u8>, KrlError> {
    if blob.is_empty() {
        return Ok(Vec::new());
    }
    if blob.len() > LARGEST_KEY {
        return Err(KrlError::Authority);
    }
    let mut rest = blob;
    let is_key = KeyData::decode(&mut rest).is_ok_and(|key| !key.is_certificate());
    if is_key && rest.is_empty() { Ok(blob.to_vec()) } else { Err(KrlError::Authority) }
}

/// Bits of a positive number, the lowest for the first serial. Neighbouring bits become one run.
fn read_bitmap(start: u64, number: &[u8], runs: &mut Runs<'_>) -> Result<(), KrlError> {
    let is_negative = number.first().is_some_and(|byte| byte & 0x80 != 0);
    let number = number.strip_prefix(&[0]).unwrap_or(number);
    let longest = usize::try_from(LARGEST_BITMAP / 8).unwrap_or(usize::MAX);
    if is_negative || number.len() > longest {
        return Err(KrlError::Serial);
    }
    let bits = number.iter().rev().flat_map(|byte| (0..8).map(move |bit| byte & (1 << bit) != 0));
    let mut run: Option<(u64, u64)> = None;
    for (offset, _) in (0_u64..).zip(bits).filter(|(_, is_set)| *is_set) {
        let serial = start.checked_add(offset).ok_or(KrlError::Serial)?;
        run = match run {
            Some((first, last)) if serial - last == 1 => Some((first, serial)),
            Some((first, last)) => {
                runs.add(first, last)?;
                Some((serial, serial))
            }
            None => Some((serial, serial)),
        };
    }
    run.map_or(Ok(()), |(first, last)| runs.add(first, last))
}

/// An extension that need not be understood is passed over.
fn pass_extension(section: &mut Cursor<'_>) -> Result<(), KrlError> {
    let (name, is_critical, _contents) = (section.string()?, section.u8()? != 0, section.string()?);
    if is_critical { Err(KrlError::CriticalExtension(String::from_utf8_lossy(name).chars().take(64).collect())) } else { Ok(()) }
}

fn without_nul(text: &[u8]) -> Result<&[u8], KrlError> {
    if text.contains(&0) { Err(KrlError::Value) } else { Ok(text) }
}

struct Runs<'a> {
    found: Vec<(u64, u64)>,
    left: &'a mut usize,
}

impl Runs<'_> {
    fn add(&mut self, first: u64, last: u64) -> Result<(), KrlError> {
        if first == 0 || first > last {
            return Err(KrlError::Serial);
        }
        *self.left = self.left.checked_sub(1).ok_or(KrlError::TooLarge)?;
        self.found.push((first, last));
        Ok(())
    }
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn end(&self) -> Result<(), KrlError> {
        if self.is_at_end() { Ok(()) } else { Err(KrlError::Leftover) }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], KrlError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(KrlError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KrlError> {
        self.take(N)?.try_into().map_err(|_| KrlError::Truncated)
    }

    fn u8(&mut self) -> Result<u8, KrlError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, KrlError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, KrlError> {
        self.array().map(u64::from_be_bytes)
    }

    fn string(&mut self) -> Result<&'a [u8], KrlError> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| KrlError::Truncated)?)
    }

    /// Every string up to the end.
    fn strings(&mut self, mut with: impl FnMut(&'a [u8]) -> Result<bool, KrlError>) -> Result<(), KrlError> {
        while !self.is_at_end() {
            let string = self.string()?;
            with(string)?;
        }
        Ok(())
    }
}
