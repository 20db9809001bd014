//! The running ssh-agent: listing its keys, signing with one, and putting certificates into it with a lifetime (draft-miller-ssh-agent).

mod crossing;
mod list;

pub use list::{Listed, ListedKey};

use ssh_key::{Certificate, PrivateKey, Signature, public::KeyData};
use std::{env, os::unix::net::UnixStream, path::PathBuf, time::Duration};

/// The environment variable that names the agent's socket.
const SOCKET_VARIABLE: &str = "SSH_AUTH_SOCK";

/// How long the agent may take: a person may have to touch a token or answer a question.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why the agent did not do it.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// There is none.
    #[error("no ssh-agent is running: {SOCKET_VARIABLE} is not set")]
    None,
    /// It does not answer.
    #[error("the ssh-agent at {} does not answer: {cause}", .socket.display())]
    Silent {
        /// Its socket.
        socket: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// It said no, or something that is not understood.
    #[error("the ssh-agent did not {action}: {cause}")]
    Refused {
        /// What it was asked to do.
        action: &'static str,
        /// Its answer.
        cause: String,
    },
}

impl AgentError {
    /// What to do next.
    pub fn remedy(&self) -> String {
        match self {
            Self::None => "start one: eval \"$(ssh-agent)\"; or write files: --out FILE".to_owned(),
            Self::Silent { .. } => format!("start it again, or point {SOCKET_VARIABLE} to one that runs; or write files: --out FILE"),
            Self::Refused { .. } => "see what it holds: ssh-add -l; unlock it if it is locked: ssh-add -X".to_owned(),
        }
    }
}

/// A connection to the running agent. Its calls block.
pub struct Agent {
    socket: UnixStream,
}

impl Agent {
    /// Connects to the agent that the environment names.
    pub fn connect() -> Result<Self, AgentError> {
        let socket = env::var_os(SOCKET_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from).ok_or(AgentError::None)?;
        Self::at(socket)
    }

    /// Connects to the agent at `socket`.
    pub fn at(socket: PathBuf) -> Result<Self, AgentError> {
        let connect = || {
            let stream = UnixStream::connect(&socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        let connected: std::io::Result<UnixStream> = connect();
        connected.map(|socket| Self { socket }).map_err(|cause| AgentError::Silent { socket, cause })
    }

    /// Its keys and certificates, in its order. Those of kinds that are not known here are left out.
    pub fn list(&self) -> Result<Vec<Listed>, AgentError> {
        list::list(&self.socket).map_err(|error| refused("list its keys", error))
    }

    /// Signs `message` with a key that it holds.
    pub fn sign(&self, key: &KeyData, message: &[u8]) -> Result<Signature, AgentError> {
        crossing::sign(&self.socket, key, message).map_err(|error| refused("sign", error))
    }

    /// Puts a key with its certificate into it, to be forgotten after `lifetime_seconds`.
    pub fn add(&self, key: &PrivateKey, certificate: &Certificate, comment: &str, lifetime_seconds: u32) -> Result<(), AgentError> {
        crossing::add(&self.socket, key, certificate, comment, lifetime_seconds).map_err(|error| refused("take the certificate", error))
    }

    /// Makes it forget a certificate and the key beside it.
    pub fn remove(&self, certificate: &Certificate) -> Result<(), AgentError> {
        crossing::remove(&self.socket, certificate).map_err(|error| refused("forget a certificate", error))
    }
}

fn refused(action: &'static str, cause: impl ToString) -> AgentError {
    AgentError::Refused { action, cause: cause.to_string() }
}

#[cfg(test)]
mod tests;
