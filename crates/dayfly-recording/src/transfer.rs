//! What carries files across a session, and is followed while it does.

mod command;

use crate::{
    event::{Event, Rsync},
    scp::{Scp, ScpError},
    sftp::{Sftp, SftpError},
    stream::Stream,
};
use command::Command;

/// A channel whose bytes are followed: what is done is told, what is carried is hashed and counted and not kept.
#[derive(Debug)]
pub enum Transfer {
    /// SFTP.
    Sftp(Box<Sftp>),
    /// The old protocol of `scp`.
    Scp(Box<Scp>),
    /// `rsync`, whose protocol is not followed.
    Rsync(Rsync),
}

/// Bytes that cannot be followed, and so must not be passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// Of SFTP.
    #[error(transparent)]
    Sftp(#[from] SftpError),
    /// Of `scp`.
    #[error(transparent)]
    Scp(#[from] ScpError),
}

impl Transfer {
    /// What the subsystem `name` carries, if it is one that can be followed.
    pub fn of_subsystem(channel: u32, name: &str) -> Option<Self> {
        (name == "sftp").then(|| Self::Sftp(Box::new(Sftp::new(channel))))
    }

    /// What a command line carries, if it is surely nothing but a program that carries files.
    pub fn of_command(channel: u32, command: &[u8]) -> Option<Self> {
        Some(match Command::of(command)? {
            Command::Sftp => Self::Sftp(Box::new(Sftp::new(channel))),
            Command::ScpUpload => Self::Scp(Box::new(Scp::upload(channel))),
            Command::ScpDownload => Self::Scp(Box::new(Scp::download(channel))),
            Command::Rsync { sends, arguments } => Self::Rsync(Rsync { channel, sends, arguments }),
        })
    }

    /// What there is to tell before anything is carried.
    pub fn begun(&self) -> Option<Event> {
        match self {
            Self::Sftp(_) | Self::Scp(_) => None,
            Self::Rsync(rsync) => Some(Event::Rsync(rsync.clone())),
        }
    }

    /// Takes the next bytes of a stream. They may be passed on once the events are recorded, and not if it is an error.
    pub fn observe(&mut self, stream: Stream, bytes: &[u8]) -> Result<Vec<Event>, TransferError> {
        match (self, stream) {
            (_, Stream::Stderr) | (Self::Rsync(_), _) => Ok(Vec::new()),
            (Self::Sftp(sftp), Stream::Stdin) => Ok(sftp.from_client(bytes)?),
            (Self::Sftp(sftp), Stream::Stdout) => Ok(sftp.from_target(bytes)?),
            (Self::Scp(scp), Stream::Stdin) => Ok(scp.from_client(bytes)?),
            (Self::Scp(scp), Stream::Stdout) => Ok(scp.from_target(bytes)?),
        }
    }

    /// Whether the client's next bytes should be held back until the target has answered some of what it was asked.
    pub fn is_behind(&self) -> bool {
        matches!(self, Self::Sftp(sftp) if sftp.is_behind())
    }

    /// The channel is over: what there is left to tell.
    pub fn finish(self) -> Vec<Event> {
        match self {
            Self::Sftp(sftp) => sftp.finish(),
            Self::Scp(scp) => scp.finish(),
            Self::Rsync(_) => Vec::new(),
        }
    }
}
