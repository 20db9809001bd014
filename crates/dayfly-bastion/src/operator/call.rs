//! The operator's side: asks a running bastion.

use super::{
    Request,
    protocol::{Answer, SessionList, TargetList},
    socket_path,
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long the bastion may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer, or a no.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody is there.
    #[error("no bastion answers at {}: {source}; it has to run, and you have to be its user or root", path.display())]
    Away {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It broke off.
    #[error("the bastion broke off: {0}")]
    BrokenOff(#[from] io::Error),
    /// Its answer makes no sense: it may be of another version.
    #[error("the bastion's answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

/// The sessions of the bastion whose state directory this is.
pub fn sessions(state: &Path) -> Result<SessionList, CallError> {
    match ask(state, &Request::Sessions)?.0 {
        Answer::Sessions(list) => Ok(list),
        Answer::Targets(_) | Answer::Done | Answer::Refused(_) => Err(CallError::BrokenOff(io::ErrorKind::InvalidData.into())),
    }
}

/// How the targets of the bastion are whose state directory this is.
pub fn targets(state: &Path) -> Result<TargetList, CallError> {
    match ask(state, &Request::Targets)?.0 {
        Answer::Targets(list) => Ok(list),
        Answer::Sessions(_) | Answer::Done | Answer::Refused(_) => Err(CallError::BrokenOff(io::ErrorKind::InvalidData.into())),
    }
}

/// Asks for something to be done, and returns what follows the answer.
pub fn order(state: &Path, request: &Request) -> Result<impl Read + use<>, CallError> {
    let (_, rest) = ask(state, request)?;
    rest.get_ref().set_read_timeout(None)?;
    Ok(rest)
}

fn ask(state: &Path, request: &Request) -> Result<(Answer, BufReader<UnixStream>), CallError> {
    let path = socket_path(state);
    let mut socket = UnixStream::connect(&path).map_err(|source| CallError::Away { path, source })?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    socket.write_all(&line)?;
    let mut reader = BufReader::new(socket);
    let mut answer = Vec::new();
    reader.read_until(b'\n', &mut answer)?;
    match serde_json::from_slice(&answer)? {
        Answer::Refused(words) => Err(CallError::Refused(words)),
        answer => Ok((answer, reader)),
    }
}
