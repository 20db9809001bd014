//! The reference: OpenSSH's own `sshd` as a jump host and as a target, with an ordinary key, on loopback.

use anyhow::{Context, Result, bail, ensure};
use std::{
    io::ErrorKind,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A jump host and a target, both plain `sshd`. They end with this value.
pub struct Reference {
    jump: Child,
    target: Child,
    config: PathBuf,
}

impl Reference {
    /// Starts both under `directory`, whose `ssh_config` afterwards knows `reference` (by way of the jump host) for `account`.
    pub fn start(directory: &Path, account: &str) -> Result<Self> {
        for name in ["host", "user"] {
            let key = directory.join(name);
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status()?;
            ensure!(made.success(), "ssh-keygen made no key");
        }
        let (jump, jump_port) = sshd(directory, "jump")?;
        let (target, target_port) = sshd(directory, "target")?;
        let host_key = std::fs::read_to_string(directory.join("host.pub"))?;
        std::fs::write(directory.join("known_hosts"), format!("* {host_key}"))?;
        let config = directory.join("ssh_config");
        let shown = directory.display();
        std::fs::write(
            &config,
            format!(
                "Host *\n  User {account}\n  IdentityFile \"{shown}/user\"\n  IdentitiesOnly yes\n  UserKnownHostsFile \"{shown}/known_hosts\"\n  \
                 LogLevel ERROR\nHost jump\n  HostName 127.0.0.1\n  Port {jump_port}\nHost reference\n  HostName 127.0.0.1\n  \
                 Port {target_port}\n  ProxyJump jump\nHost direct\n  HostName 127.0.0.1\n  Port {target_port}\n"
            ),
        )?;
        Ok(Self { jump, target, config })
    }

    /// The client's configuration.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The process id of the jump host's listener.
    pub fn jump_pid(&self) -> u32 {
        self.jump.id()
    }

    /// The process id of the target's listener.
    pub fn target_pid(&self) -> u32 {
        self.target.id()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        for child in [&mut self.jump, &mut self.target] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn sshd(directory: &Path, name: &str) -> Result<(Child, u16)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let shown = directory.display();
    let config = directory.join(format!("{name}.sshd_config"));
    std::fs::write(
        &config,
        format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/user.pub\nStrictModes no\nUsePAM no\n\
             PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nMaxStartups 1000\nLogLevel ERROR\n"
        ),
    )?;
    let child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(&config)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("sshd cannot be started: install openssh-server")?;
    wait_for(port)?;
    Ok((child, port))
}

/// Until somebody answers at `port`.
fn wait_for(port: u16) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    bail!("sshd does not answer at port {port}")
}
