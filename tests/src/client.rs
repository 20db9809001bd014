//! A person at a terminal: `dayfly` with their state, and stock OpenSSH with certificates that are theirs alone.

use crate::{
    command::{Ended, eventually, run},
    stack::Stack,
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Somebody with a directory for certificates and an `ssh_config` that uses them.
#[derive(Debug)]
pub struct Client<'a> {
    stack: &'a Stack,
    home: PathBuf,
    directory: TempDir,
}

impl<'a> Client<'a> {
    /// alice, with fresh certificates for `db1` (role `db-admin`) and `web1` (role `web`).
    pub fn alice(stack: &'a Stack) -> Result<Self> {
        let alice = Self::new(stack, "ALICE")?;
        alice.certificate("db-admin", "db1")?.success()?;
        alice.certificate("web", "web1")?.success()?;
        Ok(alice)
    }

    /// bob, who is enrolled and may have nothing.
    pub fn bob(stack: &'a Stack) -> Result<Self> {
        Self::new(stack, "BOB")
    }

    /// carol, who may review.
    pub fn carol(stack: &'a Stack) -> Result<Self> {
        Self::new(stack, "CAROL")
    }

    /// Somebody of this name (`ALICE`), without certificates.
    pub fn new(stack: &'a Stack, name: &str) -> Result<Self> {
        let home = stack.path(&format!("DAYFLY_{name}_HOME"))?.to_owned();
        let directory = tempfile::Builder::new().prefix("dayfly-client").tempdir()?;
        let certificates = stack.path("DAYFLY_ALICE_HOME")?.join("certs").display().to_string();
        let config = fs::read_to_string(stack.path("DAYFLY_SSH_CONFIG")?)?;
        fs::write(directory.path().join("ssh_config"), config.replace(&certificates, &directory.path().display().to_string()))?;
        Ok(Self { stack, home, directory })
    }

    /// The same person with the same key on another machine: logged in there, with nothing else of what is kept here.
    pub fn elsewhere(&self) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("dayfly-client").tempdir()?;
        let (stack, home) = (self.stack, directory.path().join("home"));
        let elsewhere = Self { stack, home, directory };
        let identity = self.home.join("id_ed25519").display().to_string();
        elsewhere
            .dayfly(&["login", stack.get("DAYFLY_CA_URL")?, "--pin", stack.get("DAYFLY_CA_PIN")?, "--identity", &identity])?
            .success()?;
        Ok(elsewhere)
    }

    /// The system whose client this is.
    pub const fn stack(&self) -> &'a Stack {
        self.stack
    }

    /// Where the keys and certificates are: `db1`, `db1.pub`, `db1-cert.pub`.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Asks for a certificate and puts it where `ssh` looks for the one of that target.
    pub fn certificate(&self, role: &str, target: &str) -> Result<Ended> {
        let out = self.directory.path().join(target).display().to_string();
        self.dayfly(&["cert", role, "--target", target, "--out", &out])
    }

    /// Runs `dayfly`.
    pub fn dayfly(&self, arguments: &[&str]) -> Result<Ended> {
        run(self.stack.program("dayfly")?.args(arguments).env("DAYFLY_HOME", &self.home), b"")
    }

    /// The log's rows for which `wanted` holds. Only a reviewer may read them.
    pub fn log(&self, wanted: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
        let text = self.dayfly(&["log", "tail", "--json"])?.success()?;
        let rows = text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")));
        Ok(rows.collect::<Result<Vec<Value>>>()?.into_iter().filter(wanted).collect())
    }

    /// The same, asked for again until there is one: a bastion's events arrive when they arrive.
    pub fn log_eventually(&self, wanted: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
        eventually("the log does not tell of it", || Ok(Some(self.log(&wanted)?).filter(|rows| !rows.is_empty())))
    }

    /// Changes the `ssh_config`.
    pub fn edit_ssh_config(&self, edit: impl FnOnce(&str) -> Result<String>) -> Result<()> {
        let path = self.directory.path().join("ssh_config");
        Ok(fs::write(&path, edit(&fs::read_to_string(&path)?)?)?)
    }

    /// `SHA256:…` of the key that is used for `target`.
    pub fn fingerprint(&self, target: &str) -> Result<String> {
        let text = self.keygen(&["-l"], &format!("{target}.pub"))?;
        text.split_whitespace().nth(1).map(str::to_owned).context("ssh-keygen -l prints the fingerprint second")
    }

    /// The serial of the certificate that is used for `target`.
    pub fn serial(&self, target: &str) -> Result<u64> {
        let text = self.keygen(&["-L"], &format!("{target}-cert.pub"))?;
        let serial = text.lines().find_map(|line| line.trim().strip_prefix("Serial: ")).context("ssh-keygen -L prints the serial")?;
        Ok(serial.parse()?)
    }

    fn keygen(&self, arguments: &[&str], file: &str) -> Result<String> {
        run(Command::new("ssh-keygen").args(arguments).arg("-f").arg(self.directory.path().join(file)), b"")?.success()
    }

    /// `ssh -F …`, or `scp` or `sftp` in its place.
    pub fn openssh(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-F").arg(self.directory.path().join("ssh_config"));
        command
    }

    /// Runs `ssh` with these arguments and no input.
    pub fn ssh(&self, arguments: &[&str]) -> Result<Ended> {
        run(self.openssh("ssh").args(arguments), b"")
    }
}
