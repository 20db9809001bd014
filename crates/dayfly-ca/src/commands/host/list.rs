//! `dayfly-ca hosts`: what each host is, and what it was seen to hold.

use super::{super::list, open_store, wait};
use crate::{
    config::{Config, HostRules},
    store::{Store, host::Host},
};
use clap::Args;
use dayfly_core::{
    certified_name::CertifiedName,
    name::{HostName, TargetName},
};
use serde::Serialize;
use std::{collections::BTreeSet, io::Write, path::Path, time::Duration};
use time::OffsetDateTime;

/// How to list.
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON, an array
    #[arg(long)]
    json: bool,
    /// Only hosts that have fallen behind
    #[arg(long)]
    stale: bool,
}

/// A host as `--json` prints it. Times are Unix seconds.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a HostName,
    state: &'static str,
    names: &'a BTreeSet<CertifiedName>,
    target: Option<&'a TargetName>,
    key: Option<&'a str>,
    certificate_serial: Option<u64>,
    certificate_ends_at: Option<u64>,
    seen_at: Option<u64>,
    krl_number: Option<u64>,
    krl_digest: Option<&'a str>,
    /// When it was last seen with the list that the CA served then.
    krl_current_at: Option<u64>,
    /// How long that is ago.
    krl_age_seconds: Option<u64>,
    stale: bool,
    /// The CA keys that it was seen to take logins from.
    trusted: Vec<&'a str>,
}

impl List {
    pub(in crate::commands) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let rules = Config::host_rules(config)?;
        let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
        let hosts = wait(open_store(config)?.hosts())??;
        let listed = hosts.iter().map(|host| Listed::of(host, rules, now));
        let listed: Vec<Listed<'_>> = listed.filter(|host| host.stale || !self.stale).collect();
        if self.json {
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&listed)?)?);
        }
        Ok(listed.iter().try_for_each(|host| writeln!(out, "{}", host.told(now)))?)
    }
}

impl<'a> Listed<'a> {
    fn of(host: &'a Host, rules: HostRules, now: u64) -> Self {
        let report = host.report.as_ref();
        let krl = report.and_then(|report| report.krl.as_ref());
        let current_at = report.and_then(|report| report.current_at);
        let age = current_at.map(|at| now.saturating_sub(at));
        // A host that is no target lets nobody in, so it has no list: it is late if it is not heard.
        let heard_at = if host.target.is_some() { current_at } else { report.map(|report| report.seen_at) };
        let is_late = heard_at.is_none_or(|at| now.saturating_sub(at) > rules.stale_after.as_secs());
        let state = match (host.disabled, host.key.is_some(), now >= host.token.expires_at) {
            (true, ..) => "disabled",
            (_, true, _) => "enrolled",
            (_, _, false) => "waiting",
            (_, _, true) => "token expired",
        };
        Self {
            name: &host.name,
            state,
            names: &host.names,
            target: host.target.as_ref(),
            key: host.key.as_ref().map(|key| key.fingerprint.as_str()),
            certificate_serial: host.certificate.map(|certificate| certificate.serial),
            certificate_ends_at: host.certificate.map(|certificate| certificate.ends_at),
            seen_at: report.map(|report| report.seen_at),
            krl_number: krl.map(|(number, _)| *number),
            krl_digest: krl.map(|(_, digest)| digest.as_str()),
            krl_current_at: current_at,
            krl_age_seconds: age,
            // A host that is not enrolled, or no longer, has no list to be late with.
            stale: state == "enrolled" && is_late,
            trusted: report.map(|report| report.trusted.iter().map(String::as_str).collect()).unwrap_or_default(),
        }
    }

    fn told(&self, now: u64) -> String {
        let ago = |at: Option<u64>| at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", in_words(now.saturating_sub(at))));
        let certificate = match (self.certificate_serial, self.certificate_ends_at) {
            (Some(serial), Some(ends_at)) if ends_at > now => format!("{serial}, ends in {}", in_words(ends_at.saturating_sub(now))),
            (Some(serial), Some(_)) => format!("{serial}, ENDED"),
            _ => "none".to_owned(),
        };
        let krl = match self.krl_number {
            Some(number) => format!("{number}, current {}", ago(self.krl_current_at)),
            None => "none".to_owned(),
        };
        let stale = if self.stale { "  STALE" } else { "" };
        format!(
            "{}  {}  names: {}  target: {}  certificate: {certificate}  seen: {}  revocation list: {krl}{stale}",
            self.name,
            self.state,
            list(self.names),
            self.target.map_or("none", |target| target.as_str()),
            ago(self.seen_at),
        )
    }
}

fn in_words(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{installation::host, store::host::HostReportHeld};

    #[test]
    fn a_host_is_stale_once_it_was_not_seen_with_the_current_list_for_too_long() {
        let rules = HostRules { stale_after: Duration::from_secs(600), ..HostRules::default() };
        let stale = |current_at: Option<u64>, now| {
            let report = HostReportHeld { seen_at: 5000, krl: Some((3, "d".repeat(64))), current_at, trusted: BTreeSet::new() };
            let host = Host { report: Some(report), ..host("db1", &["db1"], Some(1), "t", 0) };
            Listed::of(&host, rules, now).stale
        };
        assert!(!stale(Some(1000), 1600) && stale(Some(1000), 1601));
        assert!(stale(None, 1000), "seen, and never with the current one");
        let report = HostReportHeld { seen_at: 1000, krl: None, current_at: None, trusted: BTreeSet::new() };
        let no_target = Host { report: Some(report), target: None, ..host("db1", &["db1"], Some(1), "t", 0) };
        assert!(!Listed::of(&no_target, rules, 1600).stale && Listed::of(&no_target, rules, 1601).stale);
        assert!(!Listed::of(&host("db1", &["db1"], None, "t", 2000), rules, 1000).stale, "it has not enrolled");
        assert_eq!(Listed::of(&host("db1", &["db1"], None, "t", 1000), rules, 1000).state, "token expired");
    }
}
