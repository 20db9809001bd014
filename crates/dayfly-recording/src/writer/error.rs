//! Why something could not be recorded.

use crate::{
    layout::{FileName, MAX_LINE_BYTES},
    reader::ReadError,
    writer::FinishedRecording,
};
use std::{
    io,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// Why something could not be recorded. What is not recorded must not happen: the session is to be ended.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The session's id does not say where its recording belongs.
    #[error("the session id {session_id} is not a UUID of version 7 of our time; make one with the clock of the day")]
    NoTimeInId {
        /// The id.
        session_id: Uuid,
    },
    /// The session was recorded, or is being recorded, already.
    #[error("there is a recording of this session at {} already; use a new session id", dir.display())]
    Exists {
        /// Where.
        dir: PathBuf,
    },
    /// The disk said no.
    #[error("cannot {action} {}: {source}; make sure that the disk has room and that the directory belongs to the bastion", path.display())]
    Io {
        /// What was tried: a verb.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The disk's answer.
        source: io::Error,
    },
    /// A value has no place in the file's format.
    #[error("cannot write {file}: {source}")]
    Encoding {
        /// The file.
        file: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// A single event is larger than any reader would take.
    #[error("a line of {bytes} bytes for {file} is longer than the {MAX_LINE_BYTES} allowed; record it in parts")]
    LineTooLong {
        /// The file.
        file: FileName,
        /// The line's length.
        bytes: usize,
    },
    /// The terminal was closed, or belongs to another recording.
    #[error("{file} is not open in this recording")]
    NoTerminal {
        /// The terminal's file.
        file: FileName,
    },
    /// This recording failed before; nothing more is recorded.
    #[error("the recording has failed before: {cause}")]
    AlreadyFailed {
        /// The first failure.
        cause: String,
    },
    /// What was typed unseen could not be encrypted.
    #[error("cannot encrypt what was typed unseen: {cause}; check unseen_input_key")]
    Sealing {
        /// What the encryption says.
        cause: String,
    },
    /// The manifest could not be signed.
    #[error("cannot sign the manifest: {cause}; the recording is sealed at the bastion's next start")]
    Signing {
        /// The signer's answer.
        cause: String,
    },
    /// The recording failed and was sealed with what reached its files, as `recording_failed`.
    #[error("the recording has failed and was sealed as it is: {cause}")]
    SealedAsFailed {
        /// The first failure.
        cause: String,
        /// What was sealed.
        finished: Box<FinishedRecording>,
    },
    /// A recording that was cut off cannot be read, so it cannot be sealed either.
    #[error("cannot seal a recording that was cut off: {0}")]
    Unreadable(#[from] ReadError),
    /// A recording that was cut off does not say whose it is.
    #[error("cannot seal {}: its events do not begin with a start event; keep it for examination", dir.display())]
    NoStart {
        /// The recording's directory.
        dir: PathBuf,
    },
}

impl RecordingError {
    /// Puts a name to an encryption's failure.
    pub(crate) fn sealing(cause: String) -> Self {
        Self::Sealing { cause }
    }

    /// Puts a name to an answer of the disk.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
