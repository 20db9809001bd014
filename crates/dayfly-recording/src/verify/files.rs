//! That the files are those that the manifest lists: none more, none less, none other.

use crate::{
    digest::digest_file,
    layout::{FileName, MANIFEST, SIGNATURE},
    manifest::FileEntry,
    verify::VerifyError,
};
use std::{collections::BTreeSet, fs, io, path::Path};

pub(crate) fn check(dir: &Path, listed: &[FileEntry]) -> Result<(), VerifyError> {
    let mut names = BTreeSet::new();
    if let Some(twice) = listed.iter().find(|entry| !names.insert(entry.name)) {
        return Err(VerifyError::ListedTwice { file: twice.name });
    }
    if !names.contains(&FileName::Events) {
        return Err(VerifyError::Missing { file: FileName::Events });
    }
    nothing_was_added(dir, &names)?;
    listed.iter().try_for_each(|entry| is_unchanged(dir, entry))
}

fn nothing_was_added(dir: &Path, names: &BTreeSet<FileName>) -> Result<(), VerifyError> {
    let unreadable = |source| VerifyError::Unreadable { file: dir.display().to_string(), source };
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let expected = name.to_str().is_some_and(|name| match name {
            MANIFEST | SIGNATURE => true,
            _ => name.parse().is_ok_and(|name| names.contains(&name)),
        });
        if !expected {
            return Err(VerifyError::Added { file: name.to_string_lossy().escape_default().to_string() });
        }
    }
    Ok(())
}

fn is_unchanged(dir: &Path, entry: &FileEntry) -> Result<(), VerifyError> {
    let (file, path) = (entry.name, dir.join(entry.name.to_string()));
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => VerifyError::Missing { file },
        _ => VerifyError::Unreadable { file: file.to_string(), source },
    };
    let metadata = fs::symlink_metadata(&path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(VerifyError::NotAFile { file });
    }
    // Before the digest, which takes long for a file that was blown up.
    if metadata.len() != entry.size {
        return Err(VerifyError::Size { file, listed: entry.size, found: metadata.len() });
    }
    let (size, sha256) = digest_file(&path).map_err(unreadable)?;
    if (size, sha256) == (entry.size, entry.sha256) { Ok(()) } else { Err(VerifyError::Digest { file }) }
}
