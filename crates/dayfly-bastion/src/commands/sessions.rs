//! `dayfly-bastion sessions`: what runs through the bastion now.

use crate::{
    config::Config,
    operator::{Listed, call},
};
use clap::Args;
use dayfly_core::target::Mode;
use std::{io::Write, path::Path, time::Duration};
use time::format_description::well_known::Rfc3339;

/// How to tell.
#[derive(Debug, Args)]
pub struct Sessions {
    /// Print JSON: an object with the array `sessions`
    #[arg(long)]
    json: bool,
}

impl Sessions {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let list = call::sessions(&Config::load(config)?.state)?;
        if self.json {
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?);
        }
        if list.sessions.is_empty() {
            return Ok(writeln!(out, "no sessions")?);
        }
        list.sessions.iter().try_for_each(|session| Ok(writeln!(out, "{}", line(session))?))
    }
}

/// Every name in it was checked when it became one, so none can draw on a terminal.
fn line(session: &Listed) -> String {
    let target = session.target.to_string();
    let target = session.account.as_ref().map_or(target.clone(), |account| format!("{account}@{target}"));
    let mode = match session.mode {
        Mode::Record => "recorded",
        Mode::Passthrough => "passthrough",
    };
    let span = |seconds| humantime::format_duration(Duration::from_secs(seconds));
    format!(
        "{}  {} ({}) at {target} from {}, {mode}, since {} ({}, idle {}), {} bytes up, {} down",
        session.id,
        session.person,
        session.role,
        session.peer,
        session.since.format(&Rfc3339).unwrap_or_default(),
        span(session.seconds),
        span(session.idle_seconds),
        session.bytes_up,
        session.bytes_down
    )
}
