//! Decides whether a recording is, to the byte, what was sealed.

mod contents;
mod error;
mod files;

use crate::{
    digest::Sha256Digest,
    layout::{MANIFEST, SIGNATURE},
    manifest::{FORMAT, Manifest},
    reader::{MAX_MANIFEST_BYTES, read_bounded},
};
pub use error::VerifyError;
use std::{io, path::Path};
use uuid::Uuid;

const MAX_SIGNATURE_BYTES: u64 = 64 * 1024;

/// A recording that is what was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What the signer says.
    pub manifest: Manifest,
    /// SHA-256 over the bytes of `manifest.json`: what the audit log holds if it is about this very recording.
    pub manifest_sha256: Sha256Digest,
    /// How many events there are.
    pub events: u64,
}

/// Verifies the recording in `dir`. `check` gets the exact bytes of `manifest.json` and the text of `manifest.json.sig`; it decides whether that is a good
/// signature, of [`crate::SIGNATURE_NAMESPACE`], by the key of the bastion.
///
/// In this order: the signature; the manifest's form; that the directory, if it is called after a session, is called after this one; that the files are those
/// listed, of that size and content; that the events are numbered without a gap, begin with the `start` and end with the `end` that the manifest tells of
/// (a recording that was cut off need not end so); that every terminal can be played. The first defect is returned.
pub fn verify(dir: &Path, check: impl FnOnce(&[u8], &str) -> Result<(), String>) -> Result<Verified, VerifyError> {
    let (manifest, manifest_sha256) = signed_manifest(dir, check)?;
    let name = dir.file_name().and_then(|name| name.to_str());
    if name.is_some_and(|name| Uuid::try_parse(name).is_ok_and(|id| id != manifest.session.session_id)) {
        return Err(VerifyError::OtherSession { dir: dir.to_owned(), session_id: manifest.session.session_id });
    }
    files::check(dir, &manifest.files)?;
    let events = contents::check(dir, &manifest)?;
    Ok(Verified { manifest, manifest_sha256, events })
}

fn signed_manifest(dir: &Path, check: impl FnOnce(&[u8], &str) -> Result<(), String>) -> Result<(Manifest, Sha256Digest), VerifyError> {
    let bytes = read(dir, MANIFEST, MAX_MANIFEST_BYTES)?.ok_or_else(|| VerifyError::NotFinished { dir: dir.to_owned() })?;
    let signature = read(dir, SIGNATURE, MAX_SIGNATURE_BYTES)?.ok_or_else(|| VerifyError::NotSigned { dir: dir.to_owned() })?;
    let signature = String::from_utf8(signature).map_err(|_| VerifyError::Signature { cause: "it is not text".to_owned() })?;
    check(&bytes, &signature).map_err(|cause| VerifyError::Signature { cause })?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| VerifyError::Manifest { cause: error.to_string() })?;
    if manifest.format != FORMAT {
        return Err(VerifyError::Format { format: manifest.format });
    }
    Ok((manifest, Sha256Digest::of(&bytes)))
}

fn read(dir: &Path, name: &str, limit: u64) -> Result<Option<Vec<u8>>, VerifyError> {
    match read_bounded(&dir.join(name), limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(VerifyError::Unreadable { file: name.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests;
