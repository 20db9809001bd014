//! One dayfly at a time: an editor that asks for ten certificates at once gets one request to the CA, and nine that find its answer.

use super::private_file::{PrivateDirectory, PrivateFileError};
use rustix::{
    fd::OwnedFd,
    fs::{FlockOperation, flock},
    io::Errno,
};

const LOCK_FILE: &str = "lock";

/// Held until it is dropped, or the process ends.
pub struct Lock {
    _held: OwnedFd,
}

impl Lock {
    /// Takes the lock, waiting for whoever has it.
    pub(super) fn take(directory: &PrivateDirectory, waiting: impl FnOnce()) -> Result<Self, PrivateFileError> {
        let file = directory.hold(LOCK_FILE)?;
        let failed = |errno: Errno| PrivateFileError::System { path: directory.path().join(LOCK_FILE), cause: errno.into() };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Self { _held: file }),
            Err(Errno::WOULDBLOCK) => waiting(),
            Err(errno) => return Err(failed(errno)),
        }
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self { _held: file }),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }
}
