//! The subcommands, a file each.

mod cert;
mod completions;
mod device;
mod factor;
pub mod host;
mod inspect;
mod log;
mod login;
mod logout;
mod reference;
mod roles;
mod sessions;
mod ssh_config;
mod targets;
mod whoami;
mod why;

use crate::{connection::Connection, error::Failure, output::Output, state::State};
use clap::Subcommand;
use std::{path::PathBuf, process::ExitCode};

/// A subcommand with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prove to a CA who you are, and remember it
    Login(login::Arguments),
    /// End your sign-in, and forget the CA
    Logout(logout::Arguments),
    /// Show who you are to the CA
    Whoami,
    /// List the roles that you may ask for
    Roles,
    /// List the targets that you may reach now: by which roles, as whom, through which bastions
    Targets,
    /// Ask what the CA would answer you now, by which policies and facts, and what would change it. Nothing is issued
    Why(why::Arguments),
    /// Enrol and prove a second factor
    #[command(subcommand)]
    Factor(factor::Command),
    /// Enrol this machine as a device of yours, and tell the CA what it is like
    #[command(subcommand)]
    Device(device::Command),
    /// Get a certificate, into the ssh-agent or into files
    Cert(cert::Arguments),
    /// Explain certificates, keys, revocation lists, and lines of authorized_keys and known_hosts
    Inspect(inspect::Arguments),
    /// Print what OpenSSH needs to know of the targets you may reach
    SshConfig(ssh_config::Arguments),
    /// List, show and replay sessions
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Verify and read the audit log
    #[command(subcommand)]
    Log(log::Command),
    /// Enrol this host, and keep its certificate, whom its sshd trusts, and its revocation list
    #[command(subcommand)]
    Host(host::Command),
    /// Print completions for a shell
    Completions(completions::Arguments),
    /// Print the reference of all commands
    #[command(hide = true)]
    Reference,
}

/// What every command works with.
pub struct Context<'a> {
    /// Where the state is, or will be.
    pub home: PathBuf,
    /// Where results go.
    pub output: &'a Output,
}

impl<'a> Context<'a> {
    /// With the state at `home`, or at the usual place.
    pub fn new(home: Option<PathBuf>, output: &'a Output) -> Result<Self, Failure> {
        // An empty variable is as good as none.
        let chosen = home.filter(|path| !path.as_os_str().is_empty());
        Ok(Self { home: State::place(chosen.as_deref())?, output })
    }

    /// Calls to the CA that the person is logged in to.
    pub fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(&self.home)
    }
}

/// Runs a command. The exit code is not success if what was checked is broken.
pub async fn run(command: Command, context: &Context<'_>) -> Result<ExitCode, Failure> {
    match command {
        Command::Login(arguments) => login::run(arguments, context).await?,
        Command::Logout(arguments) => logout::run(&arguments, context).await?,
        Command::Whoami => whoami::run(context).await?,
        Command::Roles => roles::run(context).await?,
        Command::Targets => targets::run(context).await?,
        Command::Why(arguments) => why::run(arguments, context).await?,
        Command::Factor(command) => factor::run(command, context).await?,
        Command::Device(command) => device::run(command, context).await?,
        Command::Cert(arguments) => cert::run(arguments, context).await?,
        Command::Inspect(arguments) => inspect::run(&arguments, context).await?,
        Command::SshConfig(arguments) => ssh_config::run(&arguments, context).await?,
        Command::Sessions(command) => sessions::run(command, context).await?,
        Command::Log(command) => return log::run(command, context).await,
        Command::Host(command) => return host::run(command, context.output).await,
        Command::Completions(arguments) => completions::run(&arguments)?,
        Command::Reference => reference::run(context)?,
    }
    Ok(ExitCode::SUCCESS)
}
