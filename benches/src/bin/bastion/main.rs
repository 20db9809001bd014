//! The bastion beside OpenSSH's `sshd` as a jump host, in the same run: copies, logins, typing and memory.
//!
//! Takes everything from the environment of `scripts/stack`.

mod copying;
mod logins;
mod memory;
mod typing;
mod ways;

use anyhow::{Result, ensure};
use clap::Parser;
use dayfly_benches::{reference::Reference, show};
use std::{
    path::PathBuf,
    process::{Command, Stdio},
};
use ways::Ways;

/// How the bastion compares with OpenSSH's own jump host.
#[derive(Parser)]
struct Arguments {
    /// The configuration that `scripts/stack` wrote for `ssh -F`.
    #[arg(long, env = "DAYFLY_SSH_CONFIG")]
    ssh_config: PathBuf,
    /// The bastion's process.
    #[arg(long, env = "DAYFLY_BASTION_PID")]
    bastion_pid: u32,
    /// Whom to log in as.
    #[arg(long, env = "DAYFLY_ACCOUNT")]
    account: String,
    /// How much to copy, in MiB.
    #[arg(long, default_value_t = 512)]
    mebibytes: u32,
    /// How often each thing is done; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Logins in a row, and as many at a time as there are cores.
    #[arg(long, default_value_t = 40)]
    logins: u32,
    /// Idle sessions at once.
    #[arg(long, default_value_t = 10)]
    idle: u32,
    /// Keystrokes a way.
    #[arg(long, default_value_t = 2000)]
    keystrokes: usize,
    /// What gets fresh certificates, for the shell: those of the stack live shorter than a run of this.
    #[arg(long)]
    renew: String,
    /// Print an object a line.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let directory = tempfile::tempdir()?;
    let reference = Reference::start(directory.path(), &arguments.account)?;
    let ways = Ways::new(&arguments, &reference, directory.path());
    // Memory first: what transfers have freed would hide what sessions take.
    let mut figures = memory::measure(&arguments, &ways)?;
    figures.extend(typing::measure(&arguments, &ways)?);
    figures.extend(logins::measure(&arguments, &ways)?);
    figures.extend(copying::measure(&arguments, &ways)?);
    show(&figures, arguments.json)
}

/// Fresh certificates.
fn renew(arguments: &Arguments) -> Result<()> {
    let renewed = Command::new("sh").args(["-c", &arguments.renew]).stdout(Stdio::null()).status()?;
    ensure!(renewed.success(), "no fresh certificates: {}", arguments.renew);
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
