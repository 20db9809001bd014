//! PuTTY's programs, with a configuration of their own.

use super::bastion;
use crate::{
    client::Client,
    command::{Ended, run},
    terminal::quoted,
};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// alice's keys in PuTTY's format, and the host CAs that she told PuTTY to trust.
#[derive(Debug)]
pub struct Putty<'a> {
    alice: &'a Client<'a>,
    programs: PathBuf,
}

impl<'a> Putty<'a> {
    /// Converts alice's keys. Nobody is trusted yet.
    pub fn new(alice: &'a Client<'a>, programs: PathBuf) -> Result<Self> {
        let putty = Self { alice, programs };
        fs::create_dir_all(putty.authorities())?;
        for target in ["db1", "web1"] {
            let mut puttygen = Command::new(putty.programs.join("puttygen"));
            puttygen.arg(alice.directory().join(target)).args(["-O", "private", "-o"]).arg(alice.directory().join(format!("{target}.ppk")));
            run(&mut puttygen, b"")?.success()?;
        }
        Ok(putty)
    }

    /// Trusts the CA whose public half is in the file `key` for the names that match `names`, and no other under the same `title`.
    pub fn trust(&self, title: &str, key: &Path, names: &str) -> Result<()> {
        let key = fs::read_to_string(key)?;
        let key = key.split_whitespace().nth(1).context("the key is the second word")?;
        let lines = format!("PublicKey={key}\nValidity={names}\nPermitRSASHA1=0\nPermitRSASHA256=1\nPermitRSASHA512=1\n");
        Ok(fs::write(self.authorities().join(title), lines)?)
    }

    /// Runs `plink` or `psftp` at the bastion as `user` with the certificate for `db1`.
    pub fn run(&self, program: &str, user: &str, options: &[&str], arguments: &[&str]) -> Result<Ended> {
        let (host, port) = bastion(self.alice.stack())?;
        run(self.command(program, "db1").args(["-P", port, "-l", user]).args(options).arg(host).args(arguments), b"")
    }

    /// Runs `command` at `target` by `plink` through another `plink` that only forwards, which is PuTTY's ProxyJump.
    pub fn jump(&self, account: &str, target: &str, command: &str) -> Result<Ended> {
        let (host, port) = bastion(self.alice.stack())?;
        let mut hop = self.command("plink", target);
        hop.args(["-P", port, "-l", account, "-nc", "%host:%port", host]);
        let hop: Vec<String> =
            std::iter::once(hop.get_program()).chain(hop.get_args()).map(|word| quoted(&word.to_string_lossy())).collect();
        run(self.command("plink", target).args(["-l", account, "-proxycmd", &hop.join(" "), target, command]), b"")
    }

    /// One of the programs with the certificate for `target`, never asking a question.
    fn command(&self, program: &str, target: &str) -> Command {
        let directory = self.alice.directory();
        let mut command = Command::new(self.programs.join(program));
        command.env("PUTTYDIR", directory.join("putty")).args(["-batch", "-noagent"]);
        command.arg("-i").arg(directory.join(format!("{target}.ppk")));
        command.arg("-cert").arg(directory.join(format!("{target}-cert.pub")));
        command
    }

    fn authorities(&self) -> PathBuf {
        self.alice.directory().join("putty/sshhostcas")
    }
}
