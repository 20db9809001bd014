//! `dayfly-bastion end`: ends one session.

use crate::{
    config::Config,
    operator::{Request, call},
};
use clap::Args;
use std::{io::Write, path::Path};
use uuid::Uuid;

/// Which, and what to tell whose it is.
#[derive(Debug, Args)]
pub struct End {
    /// The session's id, as `dayfly-bastion sessions` shows it
    session: Uuid,
    /// What the person reads in their terminal
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
}

impl End {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let request = Request::End { session: self.session, message: self.message.clone() };
        drop(call::order(&Config::load(config)?.state, &request)?);
        Ok(writeln!(out, "session {} is being ended", self.session)?)
    }
}
