//! SSH clients that others wrote, and how each is told of a login.

use crate::{
    client::Client,
    command::{Ended, run},
    stack::Stack,
};
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

/// Runs a program of `tests/peers` as `user` with the certificate for `target`, and returns what it printed.
pub fn python(interpreter: &Path, program: &str, alice: &Client<'_>, login: (&str, &str, Trust), deed: &[&str]) -> Result<Value> {
    let (user, target, trust) = login;
    let (host, port) = bastion(alice.stack())?;
    let login = json!({
        "host": host,
        "port": port.parse::<u16>()?,
        "user": user,
        "key": alice.directory().join(target),
        "known_hosts": known_hosts(alice, trust)?,
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(program);
    let text = run(Command::new(interpreter).arg(path).arg(login.to_string()).args(deed), b"")?.success()?;
    serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
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

/// PuTTY's programs, with a configuration of their own: alice's key in PuTTY's format, and one trusted host CA.
#[derive(Debug)]
pub struct Putty<'a> {
    alice: &'a Client<'a>,
    programs: PathBuf,
}

impl<'a> Putty<'a> {
    /// Converts the key for `db1` and trusts the CA whose public half is in `host_ca`, for the bastion's address alone.
    pub fn new(alice: &'a Client<'a>, programs: PathBuf, host_ca: &Path) -> Result<Self> {
        let key = fs::read_to_string(host_ca)?;
        let key = key.split_whitespace().nth(1).context("the key is the second word")?;
        let (host, _) = bastion(alice.stack())?;
        let authorities = alice.directory().join("putty/sshhostcas");
        fs::create_dir_all(&authorities)?;
        fs::write(
            authorities.join("dayfly"),
            format!("PublicKey={key}\nValidity={host}\nPermitRSASHA1=0\nPermitRSASHA256=1\nPermitRSASHA512=1\n"),
        )?;
        let mut puttygen = Command::new(programs.join("puttygen"));
        puttygen.arg(alice.directory().join("db1")).args(["-O", "private", "-o"]).arg(alice.directory().join("db1.ppk"));
        run(&mut puttygen, b"")?.success()?;
        Ok(Self { alice, programs })
    }

    /// Runs `plink` or `psftp` as `user`, never asking, with `options` before the address and `arguments` after it.
    pub fn run(&self, program: &str, user: &str, options: &[&str], arguments: &[&str]) -> Result<Ended> {
        let (host, port) = bastion(self.alice.stack())?;
        let directory = self.alice.directory();
        let mut command = Command::new(self.programs.join(program));
        command.env("PUTTYDIR", directory.join("putty")).args(["-batch", "-noagent", "-P", port, "-l", user]);
        command.arg("-i").arg(directory.join("db1.ppk")).arg("-cert").arg(directory.join("db1-cert.pub"));
        run(command.args(options).arg(host).args(arguments), b"")
    }
}
