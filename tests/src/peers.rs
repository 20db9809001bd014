//! SSH clients that others wrote, and how each is told of a login.

mod provider;
mod putty;

pub use provider::{Browsed, Chromium, Passkeys, Provider};
pub use putty::Putty;

use crate::{client::Client, command::run, stack::Stack};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// How `scripts/peers` says that a client cannot be had on this machine.
const CANNOT_BE_HAD: i32 = 3;

/// Where `scripts/peers` put a client. `None`, with the reason on the error output, where it cannot be had.
pub fn peer(name: &str) -> Result<Option<PathBuf>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/peers");
    // The first time it downloads, which takes longer than a test is patient.
    let output = Command::new(script).arg(name).stdin(Stdio::null()).output().context("cannot start scripts/peers")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(CANNOT_BE_HAD) {
        eprintln!("SKIPPED: {said}");
        return Ok(None);
    }
    ensure!(output.status.success(), "scripts/peers {name}: {}\n{said}", output.status);
    Ok(Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())))
}

/// Whom a client trusts as the bastion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Whoever the host CA certified, by `@cert-authority` lines.
    HostCa,
    /// The bastion's host key itself, for clients that know no certified ones.
    Pinned,
    /// Whoever a stranger's CA certified.
    StrangersCa,
    /// A stranger's host key itself.
    StrangersKey,
}

/// The bastion's host and port.
pub fn bastion(stack: &Stack) -> Result<(&str, &str)> {
    stack.get("DAYFLY_BASTION_ADDR")?.rsplit_once(':').context("host:port")
}

/// One way for alice to log in at the bastion, as the programs of `tests/peers` are told of it.
#[derive(Debug)]
pub struct Login<'a> {
    /// Who logs in, with her certificates.
    pub alice: &'a Client<'a>,
    /// The user name.
    pub user: &'a str,
    /// The target whose certificate is shown.
    pub certificate: &'a str,
    /// Whom she trusts.
    pub trust: Trust,
}

impl Login<'_> {
    /// Runs one of the programs and returns what it printed.
    pub fn python(&self, interpreter: &Path, program: &str, deed: &[&str]) -> Result<Value> {
        let (host, port) = bastion(self.alice.stack())?;
        let login = json!({
            "host": host,
            "port": port.parse::<u16>()?,
            "user": self.user,
            "key": self.alice.directory().join(self.certificate),
            "known_hosts": known_hosts(self.alice, self.trust)?,
        });
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(program);
        let text = run(Command::new(interpreter).arg(path).arg(login.to_string()).args(deed), b"")?.success()?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }
}

fn known_hosts(alice: &Client<'_>, trust: Trust) -> Result<PathBuf> {
    let (host, port) = bastion(alice.stack())?;
    let (mark, key) = match trust {
        Trust::HostCa => return Ok(alice.stack().path("DAYFLY_KNOWN_HOSTS")?.to_owned()),
        Trust::Pinned => ("", alice.stack().path("DAYFLY_BASTION_DIR")?.join("host_key")),
        Trust::StrangersCa => ("@cert-authority ", alice.directory().join("web1")),
        Trust::StrangersKey => ("", alice.directory().join("web1")),
    };
    let key = run(Command::new("ssh-keygen").arg("-y").arg("-f").arg(key), b"")?.success()?;
    let path = alice.directory().join("known_hosts");
    fs::write(&path, format!("{mark}[{host}]:{port} {key}"))?;
    Ok(path)
}
