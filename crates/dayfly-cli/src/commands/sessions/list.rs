//! `dayfly sessions list`.

use super::every_row;
use crate::{
    commands::Context,
    error::Failure,
    log::sessions::{Session, Sessions},
    output::{Form, Lines, Report},
};
use serde::Serialize;
use std::io;

/// Arguments of `dayfly sessions list`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only sessions of this person or machine
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,

    /// Only sessions at this target
    #[arg(long, value_name = "NAME")]
    target: Option<String>,

    /// Only the last N
    #[arg(short = 'n', value_name = "N")]
    last: Option<usize>,
}

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let mut sessions = Sessions::default();
    every_row(&connection, context, |row| sessions.take(&row)).await?;
    let is_wanted = |session: &Session| {
        let is = |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
        is(&arguments.subject, &session.subject) && is(&arguments.target, &session.target)
    };
    let mut wanted: Vec<Session> = sessions.into_vec().into_iter().filter(is_wanted).collect();
    if let Some(last) = arguments.last {
        wanted.drain(..wanted.len().saturating_sub(last));
    }
    match context.output.form() {
        Form::Text => context.output.report(&Answer(wanted))?,
        Form::Json => wanted.into_iter().try_for_each(|session| context.output.report(&Answer(vec![session])))?,
    }
    Ok(())
}

/// In JSON one a line.
struct Answer(Vec<Session>);

impl Serialize for Answer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [only] => only.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        if self.0.is_empty() {
            return lines.line("No session.");
        }
        let heading = ["SESSION", "STARTED", "WHO", "ACCOUNT", "TARGET", "MODE", "STATE"].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(heading).chain(self.0.iter().map(row)).collect();
        lines.table(&rows)
    }
}

fn row(session: &Session) -> Vec<String> {
    let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let state = match &session.reason {
        Some(reason) => format!("{} ({reason})", session.state),
        None => session.state.clone(),
    };
    vec![
        session.session.clone(),
        or_dash(&session.started),
        or_dash(&session.subject),
        or_dash(&session.account),
        or_dash(&session.target),
        or_dash(&session.mode),
        state,
    ]
}
