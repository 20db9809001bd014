//! `dayfly sessions show`.

use super::every_row;
use crate::{
    commands::Context,
    error::{Failure, Kind},
    log::{
        row::Row,
        sessions::{Session, Sessions},
    },
    output::{Lines, Report},
};
use serde::Serialize;
use std::io;
use uuid::Uuid;

/// Arguments of `dayfly sessions show`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The session's id
    #[arg(value_name = "ID")]
    session: Uuid,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    session: Session,
    /// The rows of the log that name it, whoever reported them.
    log: Vec<Row>,
}

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = arguments.session.to_string();
    let mut sessions = Sessions::default();
    let mut log = Vec::new();
    every_row(&connection, context, |row| {
        if row.text("session") == Some(id.as_str()) {
            sessions.take(&row);
            log.push(row);
        }
    })
    .await?;
    let session = sessions.into_vec().into_iter().next();
    let session = session
        .ok_or_else(|| Failure::new(Kind::Failed, format!("the log knows no session {id}")).remedy("list them: dayfly sessions list"))?;
    Ok(context.output.report(&Answer { session, log })?)
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let session = &self.session;
        lines.field("session", &session.session)?;
        let fields = [
            ("who", &session.subject),
            ("role", &session.role),
            ("account", &session.account),
            ("target", &session.target),
            ("bastion", &session.bastion),
            ("mode", &session.mode),
            ("started", &session.started),
            ("ended", &session.ended),
            ("reason", &session.reason),
            ("detail", &session.detail),
            ("recording", &session.manifest_sha256),
        ];
        lines.field("state", &session.state)?;
        for (name, value) in fields {
            if let Some(value) = value {
                lines.field(name, value)?;
            }
        }
        lines.line("")?;
        for row in &self.log {
            lines.line(&row.summary())?;
            for (name, value) in row.facts() {
                lines.line(&format!("        {name}: {value}"))?;
            }
        }
        Ok(())
    }
}
