//! `dayfly sessions`.

mod list;
mod play;
mod show;

use super::Context;
use crate::{
    connection::Connection,
    error::Failure,
    log::{Following, Pages, row::Row},
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

/// Every row of the log as it is now, each of which follows from the one before.
async fn every_row(connection: &Connection, context: &Context<'_>, mut take: impl FnMut(Row)) -> Result<(), Failure> {
    let head = connection.client.log_head().await?.seq;
    let mut pages = Pages::after(&connection.client, 0);
    let mut following = Following::default();
    while pages.position() < head {
        let rows = pages.next().await?;
        if rows.is_empty() {
            break;
        }
        for row in rows.iter().filter(|row| row.seq <= head) {
            following.follow(row)?;
            take(Row::new(row));
        }
        context.output.progress(&format!("read {} of {head} rows", pages.position().min(head)))?;
    }
    Ok(context.output.progress("")?)
}
