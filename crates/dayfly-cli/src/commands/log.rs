//! `dayfly log`.

mod export;
mod tail;
mod verify;

use super::Context;
use crate::error::Failure;
use clap::Subcommand;
use std::process::ExitCode;

/// A subcommand of `dayfly log`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify that nobody changed, removed or reordered a row, ever since you first looked
    Verify(verify::Arguments),
    /// Show the log's rows
    Tail(tail::Arguments),
    /// Write the log with its signed head, to be verified elsewhere
    Export,
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<ExitCode, Failure> {
    match command {
        Command::Verify(arguments) => return verify::run(&arguments, context).await,
        Command::Tail(arguments) => tail::run(&arguments, context).await?,
        Command::Export => export::run(context).await?,
    }
    Ok(ExitCode::SUCCESS)
}
