//! Why a recording cannot be read.

use crate::layout::{FileName, MAX_LINE_BYTES};
use std::{io, path::PathBuf};

/// Why a recording, or a line of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The directory holds no recording.
    #[error("{} is not a recording: it has no events.ndjson; name the directory that is called after the session's id", dir.display())]
    NotARecording {
        /// The directory.
        dir: PathBuf,
    },
    /// The disk said no.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The disk's answer.
        source: io::Error,
    },
    /// The manifest is not one of this version of the format.
    #[error("cannot read {}: {cause}; it was changed, or written by another version", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// A line is longer than any that is written.
    #[error("{file}, line {line}: longer than {MAX_LINE_BYTES} bytes; no writer of recordings wrote this")]
    LineTooLong {
        /// The file.
        file: FileName,
        /// The line's number, from 1 on.
        line: u64,
    },
    /// A line is not what belongs there.
    #[error("{file}, line {line}: {cause}; it was changed, or written by another version")]
    Malformed {
        /// The file.
        file: FileName,
        /// The line's number, from 1 on.
        line: u64,
        /// What is wrong.
        cause: String,
    },
}
