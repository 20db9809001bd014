//! What somebody on the bastion's own host may ask of a running bastion: which sessions there are, to end one, to watch one, how its targets are. Over a socket in the state
//! directory, for the bastion's own user and root.

pub mod call;
mod desk;
mod protocol;

pub use protocol::{Listed, ListedTarget, Request, SessionList, TargetList};

use crate::bastion::Bastion;
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::net::{UnixListener, UnixStream};

/// How long to wait when the system has no room for a connection.
const OUT_OF_ROOM: Duration = Duration::from_millis(100);

/// Where the socket is.
pub fn socket_path(state: &Path) -> PathBuf {
    state.join("operator.sock")
}

/// A socket that operators connect to.
pub struct OperatorSocket {
    socket: UnixListener,
    bastion: Arc<Bastion>,
}

impl OperatorSocket {
    /// Listens in `state`, in the place of what an earlier bastion left there: the directory is this one's alone.
    pub fn bind(state: &Path, bastion: Arc<Bastion>) -> io::Result<Self> {
        let path = socket_path(state);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { socket, bastion })
    }

    /// Answers for ever.
    pub async fn run(self) {
        loop {
            match self.socket.accept().await {
                Ok((socket, _)) => self.take_in(socket),
                Err(error) => {
                    tracing::warn!(%error, "an operator's connection cannot be accepted");
                    tokio::time::sleep(OUT_OF_ROOM).await;
                }
            }
        }
    }

    /// The socket's mode lets in nobody else; the kernel's word on who it is goes into the log.
    fn take_in(&self, socket: UnixStream) {
        let own = rustix::process::geteuid().as_raw();
        match socket.peer_cred().map(|peer| peer.uid()) {
            Ok(uid) if uid == own || uid == 0 => {
                let bastion = self.bastion.clone();
                tokio::spawn(async move {
                    if let Err(error) = desk::serve(&bastion, socket, uid).await {
                        tracing::debug!(%error, "an operator's connection ended");
                    }
                });
            }
            Ok(uid) => tracing::warn!(uid, "somebody who is neither the bastion's user nor root tried to be its operator"),
            Err(error) => tracing::warn!(%error, "an operator who cannot be known was turned away"),
        }
    }
}

#[cfg(test)]
mod tests;
