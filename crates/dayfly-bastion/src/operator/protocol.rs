//! A request is a line of JSON, and so is its answer. What somebody watches follows as it is, after the answer.

use crate::targets::Dial;
use dayfly_core::{
    identity::Subject,
    name::{RoleName, TargetName},
    target::Mode,
};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use time::OffsetDateTime;
use uuid::Uuid;

/// The longest line, in bytes.
pub(super) const LONGEST_LINE: u64 = 64 * 1024;

/// What an operator asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Which sessions there are.
    Sessions,
    /// How the targets are.
    Targets,
    /// That one ends.
    End {
        /// Which.
        session: Uuid,
        /// What the person is told.
        message: Option<String>,
    },
    /// What its terminal shows.
    Watch {
        /// Which.
        session: Uuid,
    },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// Those that there are.
    Sessions(SessionList),
    /// How they are.
    Targets(TargetList),
    /// It is being done.
    Done,
    /// It is not, for this reason.
    Refused(String),
}

/// The sessions that run, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// Each of them.
    pub sessions: Vec<Listed>,
}

/// The targets that the bastion may serve, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetList {
    /// Each of them.
    pub targets: Vec<ListedTarget>,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedTarget {
    /// Its name.
    pub name: TargetName,
    /// Where it is dialled.
    pub address: String,
    /// Its SSH port.
    pub port: u16,
    /// `record` or `passthrough`.
    pub mode: Mode,
    /// How it was when it was last dialled; nothing if it was not since the bastion started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Dial>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub person: Subject,
    /// Under which role.
    pub role: RoleName,
    /// The account; none for passthrough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The target.
    pub target: TargetName,
    /// `record` or `passthrough`.
    pub mode: Mode,
    /// From where.
    pub peer: SocketAddr,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// For how long, in seconds.
    pub seconds: u64,
    /// How long nothing was sent either way, in seconds.
    pub idle_seconds: u64,
    /// Bytes from the client.
    pub bytes_up: u64,
    /// Bytes to the client.
    pub bytes_down: u64,
}
