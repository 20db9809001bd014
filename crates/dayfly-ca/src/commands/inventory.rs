//! `dayfly-ca inventory`: every target, where it is listed, when that was last read, and what is wrong.

use super::{open_store, wait};
use crate::{
    config::{RuleBook, SourceSettings},
    inventory::{Composed, in_force},
    store::{Store as _, inventory::SourceRecord},
};
use clap::Args;
use dayfly_core::{
    name::{SourceName, TargetGroupName, TargetName},
    target::{Mode, Target},
};
use serde::Serialize;
use std::{collections::BTreeSet, io::Write, path::Path, time::Duration};
use time::OffsetDateTime;

/// How to list.
#[derive(Debug, Args)]
pub struct Inventory {
    /// Print JSON: an object with the arrays `targets` and `sources`
    #[arg(long)]
    json: bool,
}

/// What `--json` prints. Times are Unix seconds.
#[derive(Serialize)]
struct Report<'a> {
    targets: Vec<ListedTarget<'a>>,
    sources: Vec<ListedSource<'a>>,
}

#[derive(Serialize)]
struct ListedTarget<'a> {
    name: &'a TargetName,
    /// Where it is listed; nothing for the configuration itself.
    source: Option<&'a SourceName>,
    address: &'a str,
    port: u16,
    mode: Mode,
    groups: &'a BTreeSet<TargetGroupName>,
}

#[derive(Serialize)]
struct ListedSource<'a> {
    name: &'a SourceName,
    place: String,
    /// How many of its targets are in force.
    targets: usize,
    /// When it last gave an answer that could be used.
    read_at: Option<u64>,
    /// When it was last read, whatever came of it.
    tried_at: Option<u64>,
    /// What is wrong, and since when.
    failure: Option<ListedFailure<'a>>,
}

#[derive(Serialize)]
struct ListedFailure<'a> {
    kind: &'a str,
    detail: String,
    since: Option<u64>,
}

impl Inventory {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let (written, settings) = RuleBook::load(config)?;
        let store = open_store(config)?;
        let (records, composed) = (wait(store.inventory_sources())??, wait(in_force(&store, &written, &settings))??);
        let report = Report {
            targets: composed.book.inventory.iter().map(|target| ListedTarget::of(target, &composed)).collect(),
            sources: settings.iter().map(|source| ListedSource::of(source, &records, &composed)).collect(),
        };
        if self.json {
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?);
        }
        let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
        report.targets.iter().try_for_each(|target| writeln!(out, "{}", target.told()))?;
        report.sources.iter().try_for_each(|source| writeln!(out, "{}", source.told(now)))?;
        Ok(())
    }
}

impl<'a> ListedTarget<'a> {
    fn of(target: &'a Target, composed: &'a Composed) -> Self {
        let source = composed.origins.get(&target.name);
        Self { name: &target.name, source, address: &target.address, port: target.port, mode: target.mode, groups: &target.groups }
    }

    fn told(&self) -> String {
        let source = self.source.map_or("the configuration", |source| source.as_str());
        let groups = super::list(self.groups);
        format!("{}  {}:{}  {}  groups: {groups}  from: {source}", self.name, self.address, self.port, self.mode.as_str())
    }
}

impl<'a> ListedSource<'a> {
    fn of(source: &'a SourceSettings, records: &'a [SourceRecord], composed: &'a Composed) -> Self {
        let record = records.iter().find(|record| record.name == source.name && record.place == source.place.to_string());
        let aside = composed.aside.get(&source.name);
        let aside = aside.map(|trouble| ListedFailure { kind: trouble.kind(), detail: trouble.to_string(), since: None });
        let failure = record.and_then(|record| record.failure.as_ref());
        let failure =
            failure.map(|failure| ListedFailure { kind: &failure.kind, detail: failure.detail.clone(), since: Some(failure.since) });
        Self {
            name: &source.name,
            place: source.place.to_string(),
            targets: composed.origins.values().filter(|name| **name == source.name).count(),
            read_at: record.map(|record| record.read_at).filter(|at| *at > 0),
            tried_at: record.map(|record| record.tried_at),
            failure: failure.or(aside),
        }
    }

    fn told(&self, now: u64) -> String {
        let ago = |at: Option<u64>| match at {
            Some(at) => format!("{} ago", humantime::format_duration(Duration::from_secs(now.saturating_sub(at)))),
            None => "never".to_owned(),
        };
        let (read, tried) = (ago(self.read_at), ago(self.tried_at));
        let line = format!("source {}  {}  targets: {}  read: {read}  tried: {tried}", self.name, self.place, self.targets);
        match &self.failure {
            Some(failure) => format!("{line}  FAILING: {}", failure.detail),
            None => line,
        }
    }
}
