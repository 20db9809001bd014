//! `dayfly-ca revocations`: what is revoked.

use super::{open_store, wait};
use crate::{
    revoke::until,
    store::{Revocation, Store},
};
use clap::Args;
use serde::Serialize;
use std::{io::Write, path::Path};
use time::OffsetDateTime;

/// Which to list.
#[derive(Debug, Args)]
pub struct Revocations {
    /// List those that have ended, too
    #[arg(long)]
    all: bool,
    /// Print JSON, an array
    #[arg(long)]
    json: bool,
}

/// A revocation as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Listed {
    kind: &'static str,
    value: String,
    revoked_at: String,
    by: String,
    reason: Option<String>,
    /// `null`: for good.
    until: Option<String>,
}

impl Revocations {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
        let mut revocations = wait(open_store(config)?.revocations())??;
        revocations.retain(|revocation| self.all || revocation.is_in_force(now));
        if self.json {
            let listed: Vec<_> = revocations.iter().map(Listed::from).collect();
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&listed)?)?);
        }
        Ok(revocations.iter().try_for_each(|revocation| writeln!(out, "{}", told(revocation)))?)
    }
}

fn told(revocation: &Revocation) -> String {
    let (kind, value) = (revocation.revoked.kind(), revocation.revoked.value());
    let reason = revocation.reason.as_ref().map(|reason| format!("  reason: {}", reason.escape_debug())).unwrap_or_default();
    format!("{kind} {value}  at: {}  by: {}  until: {}{reason}", until(Some(revocation.at)), revocation.by, until(revocation.ends_at))
}

impl From<&Revocation> for Listed {
    fn from(revocation: &Revocation) -> Self {
        Self {
            kind: revocation.revoked.kind(),
            value: revocation.revoked.value(),
            revoked_at: until(Some(revocation.at)),
            by: revocation.by.clone(),
            reason: revocation.reason.clone(),
            until: revocation.ends_at.map(|end| until(Some(end))),
        }
    }
}
