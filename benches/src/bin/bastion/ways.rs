//! The ways to a target that are compared, and `ssh` on them.

use super::Arguments;
use anyhow::Result;
use dayfly_benches::{process::settled_core_seconds, reference::Reference};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A way to a target.
pub(crate) struct Way {
    /// As figures name it.
    pub(crate) name: &'static str,
    /// What stands between, if anything does: the process whose time and memory count, children included.
    pub(crate) server: u32,
    host: &'static str,
    config: PathBuf,
}

/// All of them.
pub(crate) struct Ways {
    /// By way of OpenSSH's own jump host, to a plain `sshd`.
    pub(crate) reference: Way,
    /// Straight to that `sshd`.
    pub(crate) direct: Way,
    /// By way of the bastion.
    pub(crate) ours: [Way; 2],
    account: String,
    directory: PathBuf,
}

impl Ways {
    /// To the targets of `scripts/stack`, and beside them.
    pub(crate) fn new(arguments: &Arguments, reference: &Reference, directory: &Path) -> Self {
        let theirs = |name, host, server| Way { name, host, server, config: reference.config().to_owned() };
        let ours = |name, host| Way { name, host, server: arguments.bastion_pid, config: arguments.ssh_config.clone() };
        Self {
            reference: theirs("sshd -J", "reference", reference.jump_pid()),
            direct: theirs("sshd, direct", "direct", reference.target_pid()),
            ours: [ours("recorded", "db1"), ours("passthrough", "web1")],
            account: arguments.account.clone(),
            directory: directory.to_owned(),
        }
    }

    /// `ssh` with `command` on `way`, by the usual cipher.
    pub(crate) fn ssh(&self, way: &Way, command: &str) -> Command {
        let mut ssh = self.program("ssh", &way.config);
        ssh.arg(format!("{}@{}", self.account, way.host)).arg(command);
        ssh
    }

    /// The same by `cipher`, which holds for the jump as well as for the target: `ssh -o` would not.
    pub(crate) fn ssh_with(&self, way: &Way, cipher: &str, command: &str) -> Result<Command> {
        let mut ssh = self.program("ssh", &self.with_cipher(way, cipher)?);
        ssh.arg(format!("{}@{}", self.account, way.host)).arg(command);
        Ok(ssh)
    }

    /// `sftp` that does what its input says.
    pub(crate) fn sftp_with(&self, way: &Way, cipher: &str) -> Result<Command> {
        let mut sftp = self.program("sftp", &self.with_cipher(way, cipher)?);
        sftp.args(["-q", "-b", "-"]).arg(format!("{}@{}", self.account, way.host));
        Ok(sftp)
    }

    fn program(&self, name: &str, config: &Path) -> Command {
        let mut command = Command::new(name);
        command.arg("-F").arg(config).args(["-o", "BatchMode=yes"]).stdin(Stdio::null());
        command
    }

    fn with_cipher(&self, way: &Way, cipher: &str) -> Result<PathBuf> {
        let path = self.directory.join(format!("{}.{cipher}", way.host));
        fs::write(&path, format!("Ciphers {cipher}\nInclude \"{}\"\n", way.config.display()))?;
        Ok(path)
    }
}

impl Way {
    /// How long what stands between has been on a core so far, in seconds.
    pub(crate) fn core_seconds(&self) -> Result<f64> {
        settled_core_seconds(self.server)
    }
}
