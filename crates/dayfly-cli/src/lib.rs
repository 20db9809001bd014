//! The tool people use: signs in, gets certificates, replays sessions, verifies the log.
//!
//! | Module | What it is |
//! |---|---|
//! | [`args`], [`commands`] | the command line, and a file for each subcommand |
//! | [`login`], [`connection`] | who is logged in where, and calls to that CA |
//! | [`sign_in`], [`workload`] | signing in by a browser, and by the token of a CI system |
//! | [`by_browser`] | what a browser does for the tool on a page of the CA |
//! | [`identity`], [`agent`] | the keys that prove who the person is; the running ssh-agent |
//! | [`device`] | this machine as a device: its key, and what it is like |
//! | [`state`] | files that are the person's alone |
//! | [`certificate`] | what a certificate on this host is good for |
//! | [`host`] | this host at the CA: its certificate, and what its `sshd` is told |
//! | [`inspection`] | explaining certificates, keys, and lines of OpenSSH's files |
//! | [`log`] | reading the log, following its links, remembering what was verified |
//! | [`ssh_config`] | what OpenSSH is told |
//! | [`play`] | showing a recording without obeying it |
//! | [`output`], [`error`] | what the person sees |

pub mod agent;
pub mod args;
pub mod by_browser;
pub mod certificate;
pub mod commands;
pub mod connection;
pub mod device;
pub mod error;
pub mod host;
pub mod identity;
pub mod inspection;
pub mod log;
pub mod login;
pub mod output;
pub mod play;
pub mod sign_in;
pub mod ssh_config;
pub mod state;
pub mod workload;

use args::Arguments;
use clap::{Parser, error::ErrorKind};
use commands::{Command, Context};
use error::{Failure, Kind};
use output::{Form, Output};
use std::{io, process::ExitCode};

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let output = Output::new(if arguments.json { Form::Json } else { Form::Text });
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Failed, "the program could not start").because(error))
        .and_then(|runtime| runtime.block_on(run(arguments, &output)));
    match ended {
        Ok(code) => code,
        Err(failure) if failure.kind == Kind::NobodyReads => ExitCode::SUCCESS,
        Err(failure) => {
            // If even that cannot be shown, the exit code still tells.
            let _ = output.progress("").and_then(|()| output.failure(&failure));
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

async fn run(arguments: Arguments, output: &Output) -> Result<ExitCode, Failure> {
    // A host has nobody who is logged in, and its timer no home.
    if let Command::Host(command) = arguments.command {
        return commands::host::run(command, output).await;
    }
    let context = Context::new(arguments.home, output)?;
    commands::run(arguments.command, &context).await
}

/// Help goes to the standard output and is no error; everything else is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.print();
    match (error.kind(), shown) {
        (_, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(Kind::Failed.exit_code()),
        (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, _) => ExitCode::SUCCESS,
        _ => ExitCode::from(Kind::Usage.exit_code()),
    }
}
