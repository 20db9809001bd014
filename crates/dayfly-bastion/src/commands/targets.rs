//! `dayfly-bastion targets`: how each target was when the bastion last dialled it.

use crate::{
    config::Config,
    operator::{ListedTarget, call},
    targets::DialOutcome,
};
use clap::Args;
use std::{io::Write, path::Path};
use time::format_description::well_known::Rfc3339;

/// How to tell.
#[derive(Debug, Args)]
pub struct Targets {
    /// Print JSON: an object with the array `targets`
    #[arg(long)]
    json: bool,
    /// Only targets whose last dial failed
    #[arg(long)]
    failing: bool,
}

impl Targets {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut list = call::targets(&Config::load(config)?.state)?;
        list.targets.retain(|target| !self.failing || target.last.as_ref().is_some_and(|dial| dial.outcome != DialOutcome::Reachable));
        if self.json {
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?);
        }
        if list.targets.is_empty() {
            return Ok(writeln!(out, "no targets")?);
        }
        list.targets.iter().try_for_each(|target| Ok(writeln!(out, "{}", line(target))?))
    }
}

/// Names, addresses and fingerprints were checked when they became such; what a system said of a dial was not.
fn line(target: &ListedTarget) -> String {
    let line = format!("{}  {}:{}  {}", target.name, target.address, target.port, target.mode.as_str());
    let Some(dial) = &target.last else { return format!("{line}  not dialled since the bastion started") };
    let at = dial.at.format(&Rfc3339).unwrap_or_default();
    let mut line = format!("{line}  {} at {at}, after {} ms", dial.outcome.as_str(), dial.took_ms);
    if let Some(detail) = &dial.detail {
        let detail: String = detail.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        line.push_str(&format!(": {detail}"));
    }
    if let Some(shown) = &dial.host_key {
        line.push_str(&format!("  HOST KEY: seen {}, expected {}", shown.seen, shown.expected.join(", ")));
    }
    line
}
