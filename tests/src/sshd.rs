//! A real `sshd` as a judge: one process for each connection, on a port of our own, so that nothing has to be waited for.

use crate::peers::peer;
use anyhow::{Context, Result};
use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

/// Debian's own.
const SYSTEMS: &str = "/usr/sbin/sshd";

/// An installed `sshd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(PathBuf);

impl Program {
    /// The system's.
    pub fn system() -> Self {
        Self(PathBuf::from(SYSTEMS))
    }

    /// OpenSSH 10's or a newer one's. `None` where it cannot be had, and where it is the system's.
    pub fn newer() -> Result<Option<Self>> {
        Ok(peer("sshd10")?.map(Self).filter(|program| *program != Self::system()))
    }

    /// All that there are.
    pub fn all() -> Result<Vec<Self>> {
        Ok(std::iter::once(Self::system()).chain(Self::newer()?).collect())
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it must be told where it is not installed: the programs that it starts. Older ones start none.
    pub fn settings(&self) -> String {
        let beside = self.0.ancestors().nth(2).map(|usr| usr.join("lib/openssh")).unwrap_or_default();
        [("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")]
            .into_iter()
            .filter(|(_, name)| beside.join(name).exists())
            .map(|(setting, name)| format!("{setting} {}\n", beside.join(name).display()))
            .collect()
    }
}

/// As root, `sshd` insists on the directory that its service would have made.
pub fn make_run_directory() -> Result<()> {
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        fs::create_dir_all("/run/sshd")?;
    }
    Ok(())
}

/// Connections to `address` are answered by an `sshd` each.
#[derive(Debug)]
pub struct Judge {
    address: SocketAddr,
    trace: PathBuf,
}

impl Judge {
    /// With the configuration in this file, which need not say where to listen. What it says goes to a file beside it.
    pub fn start(program: &Program, config: &Path) -> Result<Self> {
        make_run_directory()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, trace) = (listener.local_addr()?, config.with_extension("trace"));
        let file = File::create(&trace)?;
        let (program, config) = (program.clone(), config.to_owned());
        // It ends with the test's process, and so do those that it started: their connections end.
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if let Err(error) = answer(&program, &config, connection, &file) {
                    eprintln!("{error:#}");
                }
            }
        });
        Ok(Self { address, trace })
    }

    /// Where it is reached.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What all of them have said.
    pub fn trace(&self) -> String {
        fs::read_to_string(&self.trace).unwrap_or_default()
    }
}

fn answer(program: &Program, config: &Path, connection: TcpStream, trace: &File) -> Result<()> {
    let mut command = Command::new(program.path());
    command.args(["-i", "-e", "-f"]).arg(config);
    command.stdin(Stdio::from(OwnedFd::from(connection.try_clone()?))).stdout(Stdio::from(OwnedFd::from(connection)));
    let mut sshd = command.stderr(trace.try_clone()?).spawn().with_context(|| format!("cannot start {}", program.path().display()))?;
    // Nobody is told how it ended; it is only not left as a zombie.
    thread::spawn(move || sshd.wait());
    Ok(())
}
