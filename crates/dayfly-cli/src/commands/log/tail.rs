//! `dayfly log tail`.

use crate::{
    commands::Context,
    connection::Connection,
    error::Failure,
    log::{Following, Pages, row::Row},
    output::Form,
};
use std::time::Duration;

/// How many rows people see who do not say.
const USUAL_ROWS: u64 = 20;

/// Arguments of `dayfly log tail`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only the last N rows; by default 20, and with --json all
    #[arg(short = 'n', value_name = "N", conflicts_with = "after")]
    rows: Option<u64>,

    /// Only the rows after this number
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,

    /// Go on with what is added. Asking is itself logged; those rows of yours are not shown
    #[arg(long, short)]
    follow: bool,

    /// With --follow: how often to ask, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
}

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let head = connection.client.log_head().await?.seq;
    let mut pages = Pages::after(&connection.client, start(arguments, context.output.form(), head));
    let mut following = Following::default();
    while pages.position() < head || arguments.follow {
        let asked_after = pages.position();
        let rows = pages.next().await?;
        for row in rows.iter().filter(|row| row.seq <= head || arguments.follow) {
            following.follow(row)?;
            let row = Row::new(row);
            if !is_own_question(&row, &connection, head, asked_after) {
                context.output.report(&row)?;
            }
        }
        match (rows.is_empty(), arguments.follow) {
            (true, false) => return Ok(()),
            (_, true) if pages.position() >= head => tokio::time::sleep(Duration::from_secs(arguments.every)).await,
            _ => {}
        }
    }
    Ok(())
}

/// After which row to begin. The row of the head is there because this program asked for it, and does not count.
fn start(arguments: &Arguments, form: Form, head: u64) -> u64 {
    match (arguments.after, arguments.rows, form) {
        (Some(after), ..) => after,
        (None, Some(rows), _) => head.saturating_sub(1).saturating_sub(rows),
        (None, None, Form::Text) => head.saturating_sub(1).saturating_sub(USUAL_ROWS),
        (None, None, Form::Json) => 0,
    }
}

/// A row that is there because this program asked for the head, or for the rows after `after`.
fn is_own_question(row: &Row, connection: &Connection, head: u64, after: u64) -> bool {
    let is_of_person = row.text("event") == Some("log.read") && row.text("subject") == Some(connection.login.subject.to_string().as_str());
    let asks_for_head = row.seq == head && row.fact("head").is_some();
    let asks_for_rows = row.seq > head && row.fact("after") == Some(after.to_string().as_str());
    is_of_person && (asks_for_head || asks_for_rows)
}
