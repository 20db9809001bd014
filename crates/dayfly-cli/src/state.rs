//! What dayfly keeps on this host: one directory, the person's alone.
//!
//! It holds who is logged in where, what to trust there, and the last log head that was verified. Whoever could write here could send the person to
//! another CA, so a directory or file that is a link, another user's, or open to others is refused, not repaired.

mod lock;
pub mod private_file;

pub use lock::Lock;

use private_file::{PrivateDirectory, PrivateFileError};
use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

/// The environment variable that names the directory.
pub const HOME_VARIABLE: &str = "DAYFLY_HOME";

/// The largest file that is read from the directory, in bytes.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// Why the directory or a file in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No place for it.
    #[error("there is no place for dayfly's files: neither {HOME_VARIABLE}, XDG_CONFIG_HOME nor HOME is set to an absolute path")]
    NoPlace,
    /// The directory or file is unsafe or out of order.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// A file holds something else than it should.
    #[error("{path} is not what dayfly wrote: {cause}")]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
}

impl StateError {
    /// What to do next, if that is known.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NoPlace => Some(format!("set {HOME_VARIABLE} to a directory of your own")),
            Self::File(error) => error.remedy(),
            Self::Contents { path, .. } => Some(format!("move {} away and log in again: dayfly login URL", path.display())),
        }
    }
}

/// The directory, opened and found to be the person's alone.
pub struct State {
    directory: PrivateDirectory,
}

impl State {
    /// Where the directory is: `chosen`, which the command line or [`HOME_VARIABLE`] names, or else the platform's usual place.
    pub fn place(chosen: Option<&Path>) -> Result<PathBuf, StateError> {
        if let Some(path) = chosen {
            return Ok(path.to_owned());
        }
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || absolute("HOME").ok_or(StateError::NoPlace);
        if cfg!(target_os = "macos") {
            return Ok(home()?.join("Library/Application Support/dayfly"));
        }
        match absolute("XDG_CONFIG_HOME") {
            Some(configuration) => Ok(configuration.join("dayfly")),
            None => Ok(home()?.join(".config/dayfly")),
        }
    }

    /// Opens the directory; `None` if there is none.
    pub fn open(path: &Path) -> Result<Option<Self>, StateError> {
        Ok(PrivateDirectory::open(path)?.map(|directory| Self { directory }))
    }

    /// Opens the directory, and makes it if there is none.
    pub fn create(path: &Path) -> Result<Self, StateError> {
        Ok(Self { directory: PrivateDirectory::create(path)? })
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Reads what [`Self::write`] wrote; `None` if nothing was.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let Some(bytes) = self.directory.read(name, LARGEST_FILE)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|cause| StateError::Contents { path: self.path().join(name), cause })
    }

    /// Writes a value so that a reader sees the old one or the new one, whatever happens.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StateError> {
        let bytes = serde_json::to_vec_pretty(value).map_err(|cause| StateError::Contents { path: self.path().join(name), cause })?;
        Ok(self.directory.write(name, &bytes)?)
    }

    /// Writes a secret as it is.
    pub fn write_secret(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        Ok(self.directory.write(name, bytes)?)
    }

    /// Removes a file; one that is not there is removed already.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        Ok(self.directory.remove(name)?)
    }

    /// Waits until no other dayfly works on the same thing. `waiting` is called once if there is one.
    pub fn lock(&self, waiting: impl FnOnce()) -> Result<Lock, StateError> {
        Ok(Lock::take(&self.directory, waiting)?)
    }
}

#[cfg(test)]
mod tests;
