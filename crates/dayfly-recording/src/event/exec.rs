//! The `exec` event: a command is bytes, and stays readable where it is text.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// A command was started (RFC 4254 section 6.5).
///
/// In JSON, `command` holds the command if it is UTF-8, and `command_base64` holds its bytes if it is not; `asked` and `asked_base64` likewise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Exec {
    /// The channel.
    pub channel: u32,
    /// What ran.
    pub command: Vec<u8>,
    /// Whether the certificate's force-command decided what ran.
    pub forced: bool,
    /// What the client had asked for, if a force-command took its place.
    pub asked: Option<Vec<u8>>,
}

impl Exec {
    /// A command that ran as it was asked for.
    pub fn new(channel: u32, command: impl Into<Vec<u8>>) -> Self {
        Self { channel, command: command.into(), forced: false, asked: None }
    }

    /// A force-command that ran in place of `asked`; none for a shell.
    pub fn forced(channel: u32, command: impl Into<Vec<u8>>, asked: Option<Vec<u8>>) -> Self {
        Self { channel, command: command.into(), forced: true, asked }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Wire {
    channel: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command_base64: Option<String>,
    #[serde(default)]
    forced: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_base64: Option<String>,
}

/// An `exec` event whose command cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExecError {
    #[error("it has no command")]
    NoCommand,
    #[error("it has a command as text and one as base64")]
    TwoCommands,
    #[error("its command is not base64")]
    NotBase64,
}

impl TryFrom<Wire> for Exec {
    type Error = ExecError;
    fn try_from(wire: Wire) -> Result<Self, ExecError> {
        let command = join(wire.command, wire.command_base64)?.ok_or(ExecError::NoCommand)?;
        Ok(Self { channel: wire.channel, command, forced: wire.forced, asked: join(wire.asked, wire.asked_base64)? })
    }
}

impl From<Exec> for Wire {
    fn from(exec: Exec) -> Self {
        let (command, command_base64) = split(exec.command);
        let (asked, asked_base64) = exec.asked.map_or((None, None), split);
        Self { channel: exec.channel, command, command_base64, forced: exec.forced, asked, asked_base64 }
    }
}

fn split(bytes: Vec<u8>) -> (Option<String>, Option<String>) {
    match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
    }
}

fn join(text: Option<String>, base64: Option<String>) -> Result<Option<Vec<u8>>, ExecError> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(ExecError::TwoCommands),
        (Some(text), None) => Ok(Some(text.into_bytes())),
        (None, Some(base64)) => STANDARD.decode(base64).map(Some).map_err(|_| ExecError::NotBase64),
        (None, None) => Ok(None),
    }
}
