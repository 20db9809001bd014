//! `sshd`: whether it takes its configuration, whether it obeys ours, and having it read anew.

use crate::error::{Failure, Kind};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::{
    fmt::Display,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// How to check and to reload `sshd`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sshd {
    /// The program, by an absolute path, without which it does not run.
    pub program: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// How it is told to read that anew.
    pub reload: Reload,
}

/// How `sshd` is told to read its configuration anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reload {
    /// By this `systemctl`. One that does not run is left alone: it reads the file when it starts.
    Systemctl(PathBuf),
    /// By SIGHUP to the process whose number is in this file.
    PidFile(PathBuf),
    /// By this command, which a shell runs.
    Command(String),
    /// Not at all: somebody else does it.
    None,
}

impl Sshd {
    /// Whether it would start with its configuration: `sshd -t`.
    pub fn check(&self) -> Result<(), Failure> {
        let output = self.run("-t")?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::new(Kind::Failed, format!("sshd does not take {}", self.config.display())).because(said(&output)).remedy(format!(
            "correct what it names, and try again; see it with: {} -t -f {}",
            self.program.display(),
            self.config.display()
        )))
    }

    /// Whether every directive of `drop_in`, which is at `path`, is in force: `sshd -T` shows each as it is written there. Of two values the first one counts, so an earlier line
    /// can take one away, and a configuration that includes no drop-in takes all.
    pub fn obeys(&self, path: &Path, drop_in: &str) -> Result<(), Failure> {
        let output = self.run("-T")?;
        if !output.status.success() {
            return Err(Failure::new(Kind::Failed, "sshd does not show its configuration").because(said(&output)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let shown: Vec<(String, &str)> = text.lines().filter_map(directive).collect();
        let missing: Vec<&str> = drop_in.lines().filter(|line| directive(line).is_some_and(|wanted| !shown.contains(&wanted))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Kind::Failed, format!("sshd would not obey: {}", missing.join("; ")))
            .because(format!("an earlier line of {} says otherwise, or nothing there includes the drop-in", self.config.display()))
            .remedy(format!("have it begin with: Include {}; and take the other lines away", path.with_file_name("*.conf").display())))
    }

    /// Has it read its configuration anew.
    pub fn reload(&self) -> Result<(), Failure> {
        match &self.reload {
            Reload::None => Ok(()),
            Reload::PidFile(path) => hang_up(path),
            Reload::Command(command) => succeed(Command::new("/bin/sh").arg("-c").arg(command), command),
            Reload::Systemctl(program) => {
                // Debian and its kin call it ssh, others sshd.
                let reload = |unit: &str| succeed(Command::new(program).args(["try-reload-or-restart", unit]), unit);
                reload("sshd.service").or_else(|_| reload("ssh.service"))
            }
        }
    }

    fn run(&self, mode: &str) -> Result<Output, Failure> {
        let output = Command::new(&self.program).arg(mode).arg("-f").arg(&self.config).output();
        output.map_err(|error| {
            Failure::new(Kind::Failed, format!("{} cannot be run", self.program.display()))
                .because(error)
                .remedy("install the OpenSSH server, or name it with --sshd PROGRAM")
        })
    }
}

/// A line's keyword, in small letters as `sshd -T` writes it, and its value.
fn directive(line: &str) -> Option<(String, &str)> {
    let (keyword, value) = line.trim().split_once(' ')?;
    (!keyword.starts_with('#')).then(|| (keyword.to_ascii_lowercase(), value.trim()))
}

fn hang_up(path: &Path) -> Result<(), Failure> {
    let failed = |cause: &dyn Display| Failure::new(Kind::Failed, format!("sshd could not be told by {}", path.display())).because(cause);
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let number: i32 = text.trim().parse().map_err(|error| failed(&error))?;
    // Nought and below would be whole groups of processes.
    let pid =
        Some(number).filter(|number| *number > 1).and_then(Pid::from_raw).ok_or_else(|| failed(&format!("{number} is no process")))?;
    kill_process(pid, Signal::HUP).map_err(|error| failed(&error))
}

fn succeed(command: &mut Command, what: &str) -> Result<(), Failure> {
    let failed = |cause: &dyn Display| Failure::new(Kind::Failed, format!("sshd could not be reloaded ({what})")).because(cause);
    let output = command.output().map_err(|error| failed(&error))?;
    if output.status.success() { Ok(()) } else { Err(failed(&said(&output))) }
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).trim().replace("\r\n", "\n").replace('\n', "; ");
    if text.is_empty() { output.status.to_string() } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn comments_and_blanks_are_no_directives() {
        assert_eq!(directive("  PasswordAuthentication  no "), Some(("passwordauthentication".to_owned(), "no")));
        assert!(directive("# A comment").is_none() && directive("").is_none());
    }

    #[test]
    fn a_pid_file_never_names_a_group_of_processes() {
        let place = tempfile::tempdir().unwrap();
        for text in ["0", "-1", "1", "", "x", "-5"] {
            let path = place.path().join("pid");
            std::fs::write(&path, text).unwrap();
            assert!(hang_up(&path).is_err(), "{text}");
        }
    }
}
