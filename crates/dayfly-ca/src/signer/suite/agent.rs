//! A real ssh-agent on a socket of its own.

use super::ssh_keygen;
use crate::config::{AgentKey, Calls, Custody};
use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// An agent that ends with this value.
pub(in crate::signer) struct RunningAgent {
    directory: TempDir,
    process: Option<Child>,
}

impl RunningAgent {
    pub(in crate::signer) fn start() -> Self {
        let mut agent = Self { directory: tempfile::tempdir().unwrap(), process: None };
        agent.start_again();
        agent
    }

    pub(in crate::signer) fn socket(&self) -> PathBuf {
        self.directory.path().join("agent.sock")
    }

    /// Ends the agent as a crash would: its socket stays behind.
    pub(in crate::signer) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts an agent on the same socket, which holds nothing yet.
    pub(in crate::signer) fn start_again(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        let process = Command::new("ssh-agent").arg("-D").arg("-a").arg(self.socket()).stdout(Stdio::null()).spawn().unwrap();
        self.process = Some(process);
        wait_for(&self.socket());
    }

    /// Makes a key and gives it to the agent. Its line.
    pub(in crate::signer) fn add_new_key(&self, kind: (&str, &str)) -> String {
        let path = self.directory.path().join(format!("{}-{}", kind.0, kind.1));
        ssh_keygen(&path, kind);
        self.add(&path);
        std::fs::read_to_string(path.with_extension("pub")).unwrap()
    }

    pub(in crate::signer) fn add(&self, path: &Path) {
        let added = Command::new("ssh-add").arg("-q").arg(path).env("SSH_AUTH_SOCK", self.socket()).status().unwrap();
        assert!(added.success());
    }

    /// Where `ssh_keygen` put the key of that kind.
    pub(in crate::signer) fn file(&self, kind: (&str, &str)) -> PathBuf {
        self.directory.path().join(format!("{}-{}", kind.0, kind.1))
    }

    pub(in crate::signer) fn custody(&self, key: &str, calls: Calls) -> Custody {
        Custody::Agent(AgentKey { socket: self.socket(), key: key.to_owned(), calls })
    }
}

impl Drop for RunningAgent {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Until somebody answers at `socket`.
pub(super) fn wait_for(socket: &Path) {
    let start = Instant::now();
    while UnixStream::connect(socket).is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "nobody answers at {}", socket.display());
        std::thread::yield_now();
    }
}
