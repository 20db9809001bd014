//! A file of the recording: lines in, buffered, hashed as they reach the file.

use crate::{
    digest::Sha256Digest,
    layout::{FileName, MAX_LINE_BYTES},
    manifest::FileEntry,
    writer::{
        error::RecordingError,
        storage::{Storage, StoredFile},
    },
};
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
};

const BUFFER_BYTES: usize = 64 * 1024;

/// A file that lines are appended to.
pub(crate) struct LineFile {
    name: FileName,
    path: PathBuf,
    file: Box<dyn StoredFile>,
    buffer: Vec<u8>,
    /// Over what the file has taken, not over what it was offered: after a failed write these are not the same.
    hash: Sha256,
    taken: u64,
    unsynced: bool,
}

impl LineFile {
    /// Creates the file in `dir`.
    pub(crate) fn create(storage: &dyn Storage, dir: &Path, name: FileName) -> Result<Self, RecordingError> {
        let path = dir.join(name.to_string());
        let file = storage.create(&path).map_err(RecordingError::io("create", &path))?;
        Ok(Self { name, path, file, buffer: Vec::new(), hash: Sha256::new(), taken: 0, unsynced: true })
    }

    /// Says that the directory was renamed.
    pub(crate) fn moved_to(&mut self, dir: &Path) {
        self.path = dir.join(self.name.to_string());
    }

    /// The size of the file, once the buffer is written.
    pub(crate) fn size(&self) -> u64 {
        self.taken + self.buffer.len() as u64
    }

    /// Appends a line, which ends in a newline.
    pub(crate) fn append(&mut self, line: &[u8]) -> Result<(), RecordingError> {
        if line.len() > MAX_LINE_BYTES {
            return Err(RecordingError::LineTooLong { file: self.name, bytes: line.len() });
        }
        self.buffer.extend_from_slice(line);
        if self.buffer.len() < BUFFER_BYTES { Ok(()) } else { self.flush().map_err(RecordingError::io("write", &self.path)) }
    }

    /// Stores what was appended.
    pub(crate) fn sync(&mut self) -> Result<(), RecordingError> {
        self.flush().map_err(RecordingError::io("write", &self.path))?;
        if self.unsynced {
            self.file.sync_data().map_err(RecordingError::io("store", &self.path))?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// What the manifest says about the file. Nothing may be appended from now on.
    pub(crate) fn entry(&mut self) -> FileEntry {
        // Only a recording that has failed already still has something to store here. What the file does not take now is given up, so that the file stays
        // as the manifest says.
        let _ = self.sync();
        self.buffer = Vec::new();
        FileEntry { name: self.name, size: self.taken, sha256: Sha256Digest::finish(self.hash.clone()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut done = 0;
        let result = loop {
            let rest = self.buffer.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.hash.update(rest.get(..count).unwrap_or(rest));
                    done += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.taken += done as u64;
        self.unsynced |= done > 0;
        self.buffer.drain(..done);
        self.buffer.shrink_to(BUFFER_BYTES);
        result
    }
}

impl Drop for LineFile {
    fn drop(&mut self) {
        // For a writer that was dropped without being finished. There is nobody left to tell about a failure, and no manifest to contradict it.
        let _ = self.flush();
    }
}
