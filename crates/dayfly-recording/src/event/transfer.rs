//! The events of files that cross a session: what was asked for, what was answered, and what was carried.

use super::Name;
use crate::digest::Sha256Digest;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that the client asked of the target's SFTP server (draft-ietf-secsh-filexfer-02, OpenSSH's PROTOCOL section 4). Written before it was passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SftpRequest {
    /// The channel.
    pub channel: u32,
    /// Its number in the channel, from 0 on, which the answer names.
    pub request: u64,
    /// What.
    #[serde(flatten)]
    pub operation: SftpOperation,
}

/// What a client asks of an SFTP server, beside looking at attributes and reading and writing what it has opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum SftpOperation {
    /// Open a file. What was carried stands in the `sftp_closed` event.
    Open {
        /// The file.
        path: Name,
        /// What for.
        flags: Vec<OpenFlag>,
        /// What it is to have if it is made.
        attributes: Attributes,
    },
    /// Open a directory, to list it.
    OpenDirectory {
        /// The directory.
        path: Name,
    },
    /// Remove a file.
    Remove {
        /// The file.
        path: Name,
    },
    /// Rename a file or directory.
    Rename {
        /// From this name.
        path: Name,
        /// To this name.
        to: Name,
        /// Whether a file of the new name is replaced (`posix-rename@openssh.com`).
        replace: bool,
    },
    /// Make a directory.
    MakeDirectory {
        /// The directory.
        path: Name,
        /// What it is to have.
        attributes: Attributes,
    },
    /// Remove a directory.
    RemoveDirectory {
        /// The directory.
        path: Name,
    },
    /// Make a symbolic link. In the order in which OpenSSH's server takes the names, which is not that of the draft.
    Symlink {
        /// The link.
        path: Name,
        /// What it points to.
        to: Name,
    },
    /// Make another name for a file (`hardlink@openssh.com`).
    Hardlink {
        /// The new name.
        path: Name,
        /// The file that is there.
        to: Name,
    },
    /// Change attributes of a file, by its name or while it is open.
    SetAttributes {
        /// The file.
        path: Name,
        /// To what.
        attributes: Attributes,
        /// Whether a link at that name is followed; not if it was asked by `lsetstat@openssh.com`.
        follow: bool,
    },
    /// Read where a symbolic link points to.
    ReadLink {
        /// The link.
        path: Name,
    },
    /// Copy within the target, between open files (`copy-data`).
    CopyData {
        /// The file to read.
        path: Name,
        /// From there on, in bytes.
        offset: u64,
        /// How many bytes; 0: all.
        length: u64,
        /// The file to write.
        to: Name,
        /// From there on, in bytes.
        to_offset: u64,
    },
}

/// What a file is opened for (draft-ietf-secsh-filexfer-02 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpenFlag {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Writing at the end.
    Append,
    /// Making it if it is not there.
    Create,
    /// Emptying it.
    Truncate,
    /// Making it, and failing if it is there.
    Exclusive,
}

/// What of a file's attributes was said (draft-ietf-secsh-filexfer-02 section 5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its owner, by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// Its group, by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
    /// Its permissions, and its type in the high bits, as `st_mode` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<u32>,
    /// When it was last read: seconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessed: Option<u32>,
    /// When it was last changed: seconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<u32>,
}

/// The target's answer to a request. A request without one was not answered before the session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SftpAnswer {
    /// The channel.
    pub channel: u32,
    /// The request's number.
    pub request: u64,
    /// What became of it.
    pub status: SftpStatus,
}

/// An open file or directory was closed, or the session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SftpClosed {
    /// The channel.
    pub channel: u32,
    /// The number of the request that opened it.
    pub request: u64,
    /// Its name.
    pub path: Name,
    /// What became of the closing; none if the session ended first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SftpStatus>,
    /// What was read of the file, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Carried>,
    /// What was written to the file, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Carried>,
    /// How many names of the directory were listed, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
}

/// What was carried from or to a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// How many bytes.
    pub bytes: u64,
    /// How they lie in the file.
    pub extent: Extent,
    /// SHA-256 over them, in the order in which they crossed the connection. That of the file's contents if `extent` is `whole`.
    pub sha256: Sha256Digest,
    /// Of the pieces, how many the target did not take.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
}

/// How carried bytes lie in their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// All of it, from its first byte to its last, in order.
    Whole,
    /// In order and without a gap, but perhaps not all of it.
    Part,
    /// In another order, with gaps, or twice.
    Scattered,
}

/// The end of a channel that carried SFTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SftpEnd {
    /// The channel.
    pub channel: u32,
    /// How many requests of each kind there were, those included that are not listed one by one: looking at attributes, and reading and writing.
    pub requests: std::collections::BTreeMap<String, u64>,
}

/// The status of an SFTP request (draft-ietf-secsh-filexfer-02 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SftpStatus(pub u32);

/// The names of the codes, from 0 on.
const STATUS_NAMES: [&str; 9] = [
    "ok",
    "end_of_file",
    "no_such_file",
    "permission_denied",
    "failure",
    "bad_message",
    "no_connection",
    "connection_lost",
    "not_supported",
];

impl SftpStatus {
    /// It was done.
    pub const OK: Self = Self(0);
    /// There is no more to read.
    pub const END_OF_FILE: Self = Self(1);
}

impl fmt::Display for SftpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match usize::try_from(self.0).ok().and_then(|code| STATUS_NAMES.get(code)) {
            Some(name) => f.write_str(name),
            None => write!(f, "code_{}", self.0),
        }
    }
}

/// Text that names no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the status of an SFTP request")]
pub struct SftpStatusError(String);

impl TryFrom<String> for SftpStatus {
    type Error = SftpStatusError;
    fn try_from(text: String) -> Result<Self, SftpStatusError> {
        let named = STATUS_NAMES.iter().position(|name| *name == text).and_then(|code| u32::try_from(code).ok());
        let status = named.or_else(|| text.strip_prefix("code_")?.parse().ok()).map(Self);
        // One spelling each.
        status.filter(|status| status.to_string() == text).ok_or_else(|| SftpStatusError(text.chars().take(64).collect()))
    }
}

impl From<SftpStatus> for String {
    fn from(status: SftpStatus) -> String {
        status.to_string()
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A file or directory that one side offers by the old protocol of `scp`. Written before it was passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScpItem {
    /// The channel.
    pub channel: u32,
    /// Its number in the channel, from 0 on.
    pub number: u64,
    /// Whether the client sends it.
    pub is_upload: bool,
    /// Whether it is a directory, which what follows is in.
    pub is_directory: bool,
    /// The directory that it is in, below the one that the command names.
    pub directory: Name,
    /// Its name, as it was sent.
    pub name: Name,
    /// Its permissions.
    pub permissions: u32,
    /// Its size in bytes, if it is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it was last changed, if that was said: seconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<u64>,
}

/// What became of a file or directory that was offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScpDone {
    /// The channel.
    pub channel: u32,
    /// Its number.
    pub number: u64,
    /// In one word.
    pub result: ScpResult,
    /// How many bytes of it crossed the connection, if any could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 over them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Digest>,
    /// What was said against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Name>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScpResult {
    /// It was taken.
    Ok,
    /// It was not wanted.
    Refused,
    /// It was sent, and one side says that something went wrong.
    Failed,
    /// The session ended first.
    Cut,
}

/// Something that one side said about no file in particular.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScpMessage {
    /// The channel.
    pub channel: u32,
    /// Who.
    pub side: Side,
    /// What, written as a name is.
    pub text: Name,
}

/// One end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The person's.
    Client,
    /// The target's.
    Target,
}

/// `rsync` was started. Its protocol is not followed: its streams are counted and hashed, and not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rsync {
    /// The channel.
    pub channel: u32,
    /// Whether the target sends the files.
    pub sends: bool,
    /// What it was started with. The last ones are the names.
    pub arguments: Vec<Name>,
}
