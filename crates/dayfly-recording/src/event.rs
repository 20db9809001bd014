//! The events of a session: one JSON object a line in `events.ndjson`.

mod exec;
mod name;
mod transfer;

use crate::{
    digest::Sha256Digest,
    facts::SessionFacts,
    manifest::Outcome,
    stream::{Stream, StreamDigest},
};
use base64::{Engine, engine::general_purpose::STANDARD};
pub use exec::Exec;
pub use name::{Name, NameError};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{io, net::SocketAddr};
use time::OffsetDateTime;
pub use transfer::{
    Attributes, Carried, Extent, OpenFlag, Rsync, ScpDone, ScpItem, ScpMessage, ScpResult, SftpAnswer, SftpClosed, SftpEnd, SftpOperation,
    SftpRequest, SftpStatus, Side,
};

/// A line of `events.ndjson`: `{"seq":…,"time_ms":…,"event":"…",…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// 0 for the first line, one more for each further line.
    pub seq: u64,
    /// Milliseconds since the session began. Never less than on the line before.
    pub time_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. `channel` is a number that the bastion gives to each SSH channel of the session, from 0 on in the order of their opening. A bastion for
/// which a session is one channel writes 0.
///
/// Text and bytes are what the person or the target sent, escape sequences included: whoever shows them must neutralise them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The session began. Always the first event, written by the writer itself.
    Start {
        /// The version of the format: [`crate::manifest::FORMAT`].
        format: u32,
        /// When (RFC 3339, UTC).
        #[serde(with = "time::serde::rfc3339")]
        started_at: OffsetDateTime,
        /// All that was known about the session then.
        session: Box<SessionFacts>,
    },
    /// A terminal was granted (RFC 4254 section 6.2). Written by [`crate::RecordingWriter::open_terminal`].
    Pty {
        /// The channel.
        channel: u32,
        /// The N of the file `terminal-N.cast`.
        terminal: u32,
        /// The client's `TERM`.
        term: String,
        /// Width in characters, as the client said it.
        columns: u32,
        /// Height in characters, as the client said it.
        rows: u32,
    },
    /// The client asked to set an environment variable (RFC 4254 section 6.4).
    Env {
        /// The channel.
        channel: u32,
        /// The variable's name.
        name: String,
        /// Whether the role allowed it.
        accepted: bool,
        /// What it was set to, if it was: a command can hide here as well as anywhere. What was not accepted had no effect, and may be a secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// A login shell was started.
    Shell {
        /// The channel.
        channel: u32,
    },
    /// A command was started.
    Exec(Exec),
    /// A subsystem was started, such as `sftp` (RFC 4254 section 6.5).
    Subsystem {
        /// The channel.
        channel: u32,
        /// Its name.
        name: String,
    },
    /// A connection was opened from the target onwards (RFC 4254 section 7.2). Its bytes are counted and hashed, `stdin` towards the destination.
    Forward {
        /// The channel.
        channel: u32,
        /// The host, as it was asked for.
        host: String,
        /// The port.
        port: u16,
    },
    /// The target was asked to listen for connections towards the client (RFC 4254 section 7.1). Each that arrives is a session of its own.
    Listen {
        /// The channel.
        channel: u32,
        /// The address, as it was asked for. Empty: all of the target's addresses.
        host: String,
        /// The port that the target listens at.
        port: u16,
    },
    /// The session is a connection that arrived where the target listens (RFC 4254 section 7.2). Its bytes are counted and hashed, `stdin` towards the target.
    Arrival {
        /// The channel.
        channel: u32,
        /// The address that was listened at.
        host: String,
        /// The port.
        port: u16,
        /// Where it came from, by the word of the target.
        from: SocketAddr,
    },
    /// Programs at the target may use the client's agent while the session lasts.
    AgentForwarding {
        /// The channel.
        channel: u32,
    },
    /// What use they made of it. What was said is not recorded.
    AgentUse {
        /// The channel.
        channel: u32,
        /// How many connections there were to the agent.
        connections: u64,
        /// How many bytes the agent was asked in.
        asked: u64,
        /// How many bytes it answered in.
        answered: u64,
    },
    /// The terminal's size changed (RFC 4254 section 6.7). Written by [`crate::RecordingWriter::resize`].
    WindowChange {
        /// The channel.
        channel: u32,
        /// Width in characters.
        columns: u32,
        /// Height in characters.
        rows: u32,
    },
    /// The client sent a signal to the command (RFC 4254 section 6.9).
    Signal {
        /// The channel.
        channel: u32,
        /// The signal's name without `SIG`, such as `TERM`.
        name: String,
    },
    /// A part of the beginning of `stdin`.
    Stdin(Chunk),
    /// A part of the beginning of `stdout`.
    Stdout(Chunk),
    /// A part of the beginning of `stderr`.
    Stderr(Chunk),
    /// One side will send no more (RFC 4254 section 5.3).
    Eof {
        /// The channel.
        channel: u32,
        /// `stdin` for the client's end, `stdout` for the target's, `stderr` included.
        stream: Stream,
    },
    /// The command ended (RFC 4254 section 6.10).
    ExitStatus {
        /// The channel.
        channel: u32,
        /// Its exit status.
        status: u32,
    },
    /// The command was killed (RFC 4254 section 6.10).
    ExitSignal {
        /// The channel.
        channel: u32,
        /// The signal's name without `SIG`.
        name: String,
        /// Whether it dumped core.
        core_dumped: bool,
        /// The target's explanation, often empty.
        message: String,
    },
    /// The bastion refused something that was asked for.
    Refused {
        /// The channel, if it concerned one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<u32>,
        /// What was asked for, such as `pty-req` or `direct-tcpip`.
        what: String,
        /// Why not, in a sentence.
        why: String,
    },
    /// Something was typed into a terminal whose input is recorded, and the terminal did not show it.
    Unseen {
        /// The channel.
        channel: u32,
        /// The N of the file `terminal-N.cast`.
        terminal: u32,
        /// How many bytes.
        bytes: u64,
        /// What, encrypted with age to the key of whoever may know, if there is one (armored).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealed: Option<String>,
    },
    /// The client asked the target's SFTP server for something. Written before it was passed on.
    Sftp(SftpRequest),
    /// The SFTP server answered.
    SftpAnswer(SftpAnswer),
    /// A file or directory that was open by SFTP is closed: what was carried.
    SftpClosed(SftpClosed),
    /// The channel's SFTP is over: how much of everything there was.
    SftpEnd(SftpEnd),
    /// A file or directory is offered by the old protocol of `scp`.
    Scp(ScpItem),
    /// What became of it.
    ScpDone(ScpDone),
    /// One side of `scp` said something.
    ScpMessage(ScpMessage),
    /// `rsync` was started.
    Rsync(Rsync),
    /// A stream is over. Whatever the manifest says about streams comes from these.
    StreamEnd(StreamEnd),
    /// The session is over. The last event of a recording that did not fail, written by the writer itself.
    End {
        /// How it ended.
        outcome: Outcome,
        /// Why, in a sentence.
        reason: String,
    },
}

impl Event {
    /// The event for a part of `stream`, as [`crate::StreamTap::observe`] returns it.
    pub fn chunk(channel: u32, stream: Stream, offset: u64, data: impl Into<Vec<u8>>) -> Self {
        let chunk = Chunk { channel, offset, data: data.into() };
        match stream {
            Stream::Stdin => Self::Stdin(chunk),
            Stream::Stdout => Self::Stdout(chunk),
            Stream::Stderr => Self::Stderr(chunk),
        }
    }

    /// The event for the end of `stream`, as [`crate::StreamTap::finish`] returns it.
    pub fn stream_end(channel: u32, stream: Stream, digest: StreamDigest) -> Self {
        Self::StreamEnd(StreamEnd { channel, stream, digest })
    }

    /// How much of its line it is, in bytes.
    pub fn length(&self) -> usize {
        let mut length = Length(0);
        // What cannot be written is found when it is.
        let _ = serde_json::to_writer(&mut length, self);
        length.0
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A part of a stream. At most [`crate::StreamTap::DEFAULT_LIMIT`] bytes of each stream are recorded, unless the bastion is configured otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The channel.
    pub channel: u32,
    /// Where it begins in the stream, in bytes.
    pub offset: u64,
    /// The bytes, in base64 (RFC 4648 section 4, padded).
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub data: Vec<u8>,
}

/// What a stream amounted to. In the `stream_end` event and in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamEnd {
    /// The channel.
    pub channel: u32,
    /// The stream.
    pub stream: Stream,
    /// Its size and digest.
    #[serde(flatten)]
    pub digest: StreamDigest,
}

impl StreamEnd {
    /// SHA-256 over the whole stream.
    pub fn sha256(&self) -> Sha256Digest {
        self.digest.sha256
    }
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests;
