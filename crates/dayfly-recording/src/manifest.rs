//! The manifest: what a recording consists of and how the session ended, signed by the bastion.

use crate::{digest::Sha256Digest, event::StreamEnd, facts::SessionFacts, layout::FileName};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The version of the recording's format that this crate writes and reads.
pub const FORMAT: u32 = 1;

/// The SSHSIG namespace of `manifest.json.sig` (PROTOCOL.sshsig), so that a signature made for something else is none for a manifest.
pub const SIGNATURE_NAMESPACE: &str = "recording@dayfly";

/// The contents of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format: [`FORMAT`].
    pub format: u32,
    /// Who, where, by which certificate. The same as in the `start` event.
    pub session: SessionFacts,
    /// When the session began (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When it ended; for an interrupted session the time of the last thing that was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    /// When this manifest was written: [`Self::ended_at`], or the next start after an interruption.
    #[serde(with = "time::serde::rfc3339")]
    pub sealed_at: OffsetDateTime,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in a sentence.
    pub reason: String,
    /// Bytes from the person to the target, in all terminals and ended streams. Not known of an interrupted session.
    pub bytes_in: Option<u64>,
    /// Bytes from the target to the person, likewise.
    pub bytes_out: Option<u64>,
    /// Every file of the recording beside the manifest and its signature, sorted by name.
    pub files: Vec<FileEntry>,
    /// The streams that came to their end, in that order.
    pub streams: Vec<StreamEnd>,
}

/// A file of the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name in the recording's directory.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 over its contents.
    pub sha256: Sha256Digest,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should: the last channel closed and the person left.
    Completed,
    /// The person's connection was lost or closed with channels open.
    ClientGone,
    /// The target's connection was lost or closed with channels open.
    TargetGone,
    /// The bastion ended it: revoked, past a limit, draining.
    Terminated,
    /// Nothing was started, because it was refused.
    Refused,
    /// What happened could not be recorded, so the session was ended. The files hold what was recorded until then.
    RecordingFailed,
    /// The bastion was killed; the recording was sealed at its next start. The files hold what had been written until then.
    Interrupted,
}

impl Outcome {
    /// Its name in the files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientGone => "client_gone",
            Self::TargetGone => "target_gone",
            Self::Terminated => "terminated",
            Self::Refused => "refused",
            Self::RecordingFailed => "recording_failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether the files may end in the middle of a line and without an `end` event.
    pub fn leaves_files_cut(self) -> bool {
        matches!(self, Self::RecordingFailed | Self::Interrupted)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
