//! Reading the log.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The SSHSIG namespace of a signed head.
pub const HEAD_NAMESPACE: &str = "log-head@dayfly";

/// Which rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// Rows after this number.
    #[serde(default)]
    pub after: u64,
    /// At most so many; the CA has its own bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Consecutive rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// By rising number.
    pub rows: Vec<LogRow>,
}

/// One row: what was linked, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogRow {
    /// 1, 2, 3 …
    pub seq: u64,
    /// The event's canonical bytes, which are JSON.
    pub event: String,
    /// The row's hash, in hexadecimal: [`dayfly_core::log_link`] of the row before, the number and the event.
    pub hash: String,
}

/// The newest row, signed by the log key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedHead {
    /// The number of the newest row; 0 for an empty log.
    pub seq: u64,
    /// Its hash, in hexadecimal.
    pub hash: String,
    /// When it was signed, RFC 3339.
    pub time: String,
    /// An armored SSHSIG by the log key over [`dayfly_core::log_link::head_message`], namespace [`HEAD_NAMESPACE`].
    pub signature: String,
}
