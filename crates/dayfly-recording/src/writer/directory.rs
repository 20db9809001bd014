//! Makes a recording's directory appear with its first event in it, or not at all.

use crate::{
    layout::{self, FileName, STARTING},
    writer::{error::RecordingError, file::LineFile, storage::Storage},
};
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// Creates the directory of `session_id` under `root`, and `events.ndjson` with its first line, and stores both.
///
/// It is prepared under another name and then renamed, so that a recording without a `start` event does not exist, whenever the process dies.
pub(crate) fn begin(storage: &dyn Storage, root: &Path, session_id: Uuid, line: &[u8]) -> Result<(PathBuf, LineFile), RecordingError> {
    let dir = layout::directory(root, session_id).ok_or(RecordingError::NoTimeInId { session_id })?;
    if dir.try_exists().map_err(RecordingError::io("look for", &dir))? {
        return Err(RecordingError::Exists { dir });
    }
    make_parents(root, &dir)?;
    let starting = root.join(format!("{STARTING}{session_id}"));
    let prepared = prepare(storage, &starting, line).and_then(|events| move_into_place(&starting, &dir).map(|()| events));
    match prepared {
        Ok(mut events) => {
            events.moved_to(&dir);
            Ok((dir, events))
        }
        Err(error) => {
            // Else every refused session would leave something behind on a full disk. The error that matters is the first.
            if !matches!(error, RecordingError::Exists { .. }) {
                let _ = fs::remove_dir_all(&starting);
            }
            Err(error)
        }
    }
}

/// Stores the directory's list of files (`fsync`).
pub(crate) fn sync_directory(dir: &Path) -> Result<(), RecordingError> {
    File::open(dir).and_then(|handle| handle.sync_all()).map_err(RecordingError::io("store", dir))
}

fn make_parents(root: &Path, dir: &Path) -> Result<(), RecordingError> {
    DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(RecordingError::io("create", root))?;
    let below_root: Vec<&Path> = dir.ancestors().skip(1).take_while(|ancestor| *ancestor != root).collect();
    for ancestor in below_root.into_iter().rev() {
        if make(ancestor)? {
            sync_directory(ancestor.parent().unwrap_or(root))?;
        }
    }
    Ok(())
}

/// Makes one directory; false if it was there.
fn make(dir: &Path) -> Result<bool, RecordingError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(RecordingError::io("create", dir)(error)),
    }
}

fn prepare(storage: &dyn Storage, starting: &Path, line: &[u8]) -> Result<LineFile, RecordingError> {
    if !make(starting)? {
        return Err(RecordingError::Exists { dir: starting.to_owned() });
    }
    let mut events = LineFile::create(storage, starting, FileName::Events)?;
    events.append(line)?;
    events.sync()?;
    sync_directory(starting)?;
    Ok(events)
}

fn move_into_place(starting: &Path, dir: &Path) -> Result<(), RecordingError> {
    fs::rename(starting, dir).map_err(RecordingError::io("create", dir))?;
    sync_directory(dir.parent().unwrap_or(dir))
}
