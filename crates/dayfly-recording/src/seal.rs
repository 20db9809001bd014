//! Puts the manifest and its signature into a recording's directory.

use crate::{
    digest::Sha256Digest,
    layout::{MANIFEST, SIGNATURE},
    manifest::Manifest,
    writer::{RecordingError, storage::Storage, sync_directory},
};
use std::{fmt, fs, io, io::Write, path::Path};

/// Writes and signs the manifest. Returns the digest of its bytes.
pub(crate) fn seal<E: fmt::Display>(
    storage: &dyn Storage,
    dir: &Path,
    manifest: &Manifest,
    sign: impl FnOnce(&[u8]) -> Result<String, E>,
) -> Result<Sha256Digest, RecordingError> {
    let encoded = serde_json::to_vec_pretty(manifest);
    let mut bytes = encoded.map_err(|source| RecordingError::Encoding { file: MANIFEST.to_owned(), source })?;
    bytes.push(b'\n');
    let signature = sign(&bytes).map_err(|error| RecordingError::Signing { cause: error.to_string() })?;
    // In this order, so that a manifest that is there has its signature.
    place(storage, dir, SIGNATURE, signature.as_bytes())?;
    place(storage, dir, MANIFEST, &bytes)?;
    Ok(Sha256Digest::of(&bytes))
}

/// Puts a file in place at once and for good.
fn place(storage: &dyn Storage, dir: &Path, name: &str, bytes: &[u8]) -> Result<(), RecordingError> {
    let (path, new) = (dir.join(name), dir.join(format!(".{name}.new")));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(RecordingError::io("remove", &new)(error)),
        _ => {}
    }
    let mut file = storage.create(&new).map_err(RecordingError::io("create", &new))?;
    file.write_all(bytes).map_err(RecordingError::io("write", &new))?;
    file.sync_data().map_err(RecordingError::io("store", &new))?;
    fs::rename(&new, &path).map_err(RecordingError::io("create", &path))?;
    sync_directory(dir)
}
