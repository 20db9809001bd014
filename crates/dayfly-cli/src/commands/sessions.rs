//! `dayfly sessions`.

mod list;
mod play;
mod show;

use super::Context;
use crate::{
    connection::Connection,
    error::{Failure, Kind},
    log::{self, row::Row, walk::walk, witness::Witness},
};
use clap::Subcommand;

/// A subcommand of `dayfly sessions`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List sessions, from the log
    List(list::Arguments),
    /// Show what the log says of one session
    Show(show::Arguments),
    /// Replay a session's recording, after it was verified
    Play(play::Arguments),
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::run(&arguments, context).await,
        Command::Show(arguments) => show::run(&arguments, context).await,
        Command::Play(arguments) => play::run(&arguments, context).await,
    }
}

/// Every row of the log as it is now, believed only if the whole log verifies, as for `dayfly log verify`.
async fn every_row(connection: &Connection, context: &Context<'_>, mut take: impl FnMut(Row)) -> Result<(), Failure> {
    let log_key = log::key(&connection.trust.log_key)?;
    let before = Witness::read(&connection.state, &log_key)?;
    let walked = walk(connection, context, &log_key, &before, |row| take(Row::new(row))).await?;
    match walked.map_err(|broken| broken.defect).and_then(|verification| verification.finish()) {
        Ok(_) => Ok(()),
        Err(defect) => Err(Failure::new(Kind::Failed, "the log is broken, so nothing is read from it")
            .because(defect)
            .remedy("find out what else: dayfly log verify")),
    }
}
