//! The facts of a session that are known before it starts.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use uuid::Uuid;

/// Who, by which certificate, as what, where, through which bastion and from where. Part of the `start` event and of the manifest.
///
/// The values come from the caller's checks; nothing here judges them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// The session's id, a UUID of version 7 (RFC 9562 section 5.7). Names the recording's directory.
    pub session_id: Uuid,
    /// The id that all sessions of one client connection share.
    pub connection_id: Uuid,
    /// Who: the subject of the person's certificate.
    pub subject: String,
    /// The role the certificate was minted for.
    pub role: String,
    /// The id of the grant it was minted from.
    pub grant: String,
    /// The certificate's serial.
    pub certificate_serial: u64,
    /// The fingerprint of the certified key, as `SHA256:…`.
    pub key_fingerprint: String,
    /// The serial of the session certificate that the bastion logged in to the target with, if one was minted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_certificate_serial: Option<u64>,
    /// The account at the target.
    pub account: String,
    /// The target's name.
    pub target: String,
    /// The bastion's name.
    pub bastion: String,
    /// How the target is reached.
    pub mode: Mode,
    /// The person's address: the peer of the outer TCP connection.
    pub peer: SocketAddr,
    /// Whether what is typed into terminals is recorded too. If not, the writer drops it and only counts its bytes.
    #[serde(default)]
    pub record_input: bool,
}

/// How a target is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The bastion terminates SSH and sees everything.
    Record,
    /// The bastion forwards bytes and sees only how many.
    Passthrough,
}
