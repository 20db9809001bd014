//! `dayfly-ca policy why`.

use super::supposition::Supposition;
use crate::{
    commands::wait,
    config::Config,
    store::{Person, Store, sqlite::SqliteStore},
};
use anyhow::Context;
use clap::Args;
use std::{io::Write, path::Path};
use time::OffsetDateTime;

/// What is supposed.
#[derive(Debug, Args)]
pub struct Why {
    #[command(flatten)]
    supposition: Supposition,
    /// Do not look up who is enrolled: they are in no group but those that --group names
    #[arg(long)]
    imagined: bool,
    /// Print JSON, an object
    #[arg(long)]
    json: bool,
}

impl Why {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let book = crate::commands::rules(config)?;
        let mut supposition = self.supposition.clone();
        let notice = if self.imagined { None } else { self.enrolled(config, &mut supposition)? };
        let decision = supposition.decide(&book, OffsetDateTime::now_utc())?;
        if self.json {
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&decision)?)?);
        }
        writeln!(out, "{decision}")?;
        notice.map_or(Ok(()), |notice| Ok(writeln!(out, "\nnote: {notice}")?))
    }

    /// Adds the groups of somebody who is enrolled. What has to be said of them otherwise is returned.
    fn enrolled(&self, config: &Path, supposition: &mut Supposition) -> anyhow::Result<Option<String>> {
        let path = Config::store_path(config)?;
        let subject = supposition.subject.clone();
        // Only looked at: a store that is not there is not made.
        if !path.exists() {
            return Ok(Some(format!("there is no store {}, so {subject} is imagined", path.display())));
        }
        let store = SqliteStore::open(&path).with_context(|| format!("{} (--imagined does without it)", path.display()))?;
        Ok(match wait(store.person(&subject))?? {
            None => Some(format!("{subject} is not enrolled, and imagined")),
            Some(Person { disabled: true, .. }) => Some(format!("{subject} is disabled: whatever policy says, the CA answers nothing")),
            Some(Person { groups, .. }) => {
                supposition.groups.extend(groups);
                None
            }
        })
    }
}
