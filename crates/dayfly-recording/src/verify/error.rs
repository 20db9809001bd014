//! What can be wrong with a recording.

use crate::{layout::FileName, reader::ReadError};
use std::{io, path::PathBuf};
use uuid::Uuid;

/// What is wrong with a recording. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no manifest: the session runs, or was cut off.
    #[error("{} has no manifest.json: its session still runs, or it is sealed at the bastion's next start, or the manifest was removed", dir.display())]
    NotFinished {
        /// The recording's directory.
        dir: PathBuf,
    },
    /// There is a manifest without a signature.
    #[error("{} has no manifest.json.sig: nothing shows who wrote its manifest", dir.display())]
    NotSigned {
        /// The recording's directory.
        dir: PathBuf,
    },
    /// The signature does not fit the manifest, or its key is not the bastion's.
    #[error("manifest.json.sig is no good signature of manifest.json: {cause}")]
    Signature {
        /// Why not.
        cause: String,
    },
    /// The manifest is signed, but no manifest.
    #[error("manifest.json cannot be read: {cause}")]
    Manifest {
        /// What is wrong.
        cause: String,
    },
    /// Another version wrote it.
    #[error("manifest.json is of format {format}; verify it with the version of the program that knows it")]
    Format {
        /// Its format.
        format: u32,
    },
    /// The recording lies where another session's belongs.
    #[error("manifest.json in {} is the one of session {session_id}", dir.display())]
    OtherSession {
        /// The recording's directory.
        dir: PathBuf,
        /// The session that was recorded.
        session_id: Uuid,
    },
    /// A file cannot be looked at.
    #[error("{file} cannot be read: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The disk's answer.
        source: io::Error,
    },
    /// The manifest lists a file twice.
    #[error("{file} is listed twice in manifest.json")]
    ListedTwice {
        /// The file.
        file: FileName,
    },
    /// The manifest lists a file that is not there.
    #[error("{file} is missing")]
    Missing {
        /// The file.
        file: FileName,
    },
    /// There is a file that the manifest does not list.
    #[error("{file} was added: manifest.json does not list it")]
    Added {
        /// The file, escaped for display.
        file: String,
    },
    /// A file is a link, a directory or something else.
    #[error("{file} was replaced by something that is not a regular file")]
    NotAFile {
        /// The file.
        file: FileName,
    },
    /// A file grew or shrank.
    #[error("{file} was changed: it has {found} bytes, and had {listed}")]
    Size {
        /// The file.
        file: FileName,
        /// The size in the manifest.
        listed: u64,
        /// The size on disk.
        found: u64,
    },
    /// A file has other contents.
    #[error("{file} was changed: its SHA-256 is not the one in manifest.json")]
    Digest {
        /// The file.
        file: FileName,
    },
    /// An event is missing, or stands in another's place.
    #[error("{file}, line {line}: the event's number is {found} where {expected} belongs")]
    Gap {
        /// The file.
        file: FileName,
        /// The line's number, from 1 on.
        line: u64,
        /// The number that belongs there.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// Time goes backwards.
    #[error("{file}, line {line}: its time is before that of the line before")]
    BackInTime {
        /// The file.
        file: FileName,
        /// The line's number, from 1 on.
        line: u64,
    },
    /// The last line was cut, in a recording that was not.
    #[error("{file}, line {line}: it was cut off, but manifest.json says that the recording was not")]
    Cut {
        /// The file.
        file: FileName,
        /// The line's number, from 1 on.
        line: u64,
    },
    /// The first event is not the session's start as the manifest tells it.
    #[error("{file} does not begin with the start that manifest.json tells of")]
    Start {
        /// The file.
        file: FileName,
    },
    /// The last event is not the session's end as the manifest tells it.
    #[error("{file} does not end with the end that manifest.json tells of")]
    End {
        /// The file.
        file: FileName,
    },
    /// A `start` or `end` stands between other events.
    #[error("{file}, line {line}: the session starts or ends here a second time")]
    Misplaced {
        /// The file.
        file: FileName,
        /// The line's number, from 1 on.
        line: u64,
    },
    /// The streams that ended are not those in the manifest.
    #[error("{file} tells of other streams than manifest.json")]
    Streams {
        /// The file.
        file: FileName,
    },
    /// A terminal's file has no `pty` event, or a `pty` event has no file.
    #[error("{file} and the pty events in events.ndjson do not go together")]
    Terminal {
        /// The terminal's file.
        file: FileName,
    },
    /// A line, or a whole file, cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}
