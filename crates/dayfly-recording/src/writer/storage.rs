//! The port to the disk, so that its failures can be had in tests.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Creates the files of a recording.
pub trait Storage: Send {
    /// Creates the file at `path` for writing, with mode 0600. It is an error if there is one already.
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>>;
}

/// A file that can be made to survive the loss of power.
pub trait StoredFile: io::Write + Send {
    /// Waits until everything that was written is on disk (`fdatasync`).
    fn sync_data(&mut self) -> io::Result<()>;
}

/// The real disk. A file is locked (`flock`) for as long as it is open, which tells a live recording from one that was cut off.
#[derive(Debug, Clone, Copy)]
pub struct FileSystem;

impl Storage for FileSystem {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.try_lock()?;
        Ok(Box::new(file))
    }
}

impl StoredFile for File {
    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }
}
