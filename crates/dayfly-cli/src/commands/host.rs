//! `dayfly host`: this host at the CA.

mod answer;
mod enroll;
mod renew;
mod status;

use crate::{error::Failure, output::Output};
use clap::Subcommand;
use std::{path::PathBuf, process::ExitCode};

/// What to do with this host.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enrol this host by a one-time token, and have its sshd admit the CA's certificates alone
    #[command(after_long_help = enroll::EXPLANATION)]
    Enroll(Box<enroll::Arguments>),
    /// Renew what was enrolled: the certificate when it is due, whom sshd trusts, and the revocation list
    #[command(after_long_help = renew::EXPLANATION)]
    Renew(renew::Arguments),
    /// Show the certificate and the age of the revocation list, without asking the CA. Fails if either needs somebody
    Status(status::Arguments),
}

/// Where it is.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// The directory of sshd's configuration
    #[arg(long, value_name = "DIR", default_value = crate::host::place::USUAL)]
    sshd_config_dir: PathBuf,
}

pub(crate) async fn run(command: Command, output: &Output) -> Result<ExitCode, Failure> {
    match command {
        Command::Enroll(arguments) => enroll::run(&arguments, output).await.map(|()| ExitCode::SUCCESS),
        Command::Renew(arguments) => renew::run(&arguments, output).await.map(|()| ExitCode::SUCCESS),
        Command::Status(arguments) => status::run(&arguments, output),
    }
}

impl Where {
    fn place(&self) -> Result<crate::host::place::Place, Failure> {
        Ok(crate::host::place::Place::new(&self.sshd_config_dir)?)
    }
}
