//! `dayfly-ca host add` and `dayfly-ca host token`: a token, printed once.

use super::{super::list, event, find, open_store, wait};
use crate::{
    config::RuleBook,
    identity::enrollment_token,
    store::{
        Change, Store,
        host::{Host, HostToken},
    },
};
use anyhow::ensure;
use clap::Args;
use dayfly_core::{
    audit::{AuditEvent, Event},
    certified_name::CertifiedName,
    name::{HostName, TargetName},
};
use serde::Serialize;
use std::{collections::BTreeSet, io::Write, path::Path, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The longest that a token may be good for, in seconds: a week.
const LONGEST_LIFE_SECONDS: u64 = 7 * 24 * 60 * 60;

/// Which host to name.
#[derive(Debug, Args)]
pub struct Add {
    /// The name, as this program and the log write it
    name: HostName,
    /// A host name or an address that its certificate may hold: what people type after `ssh`. Repeat it, or separate by commas
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',', required_unless_present = "target")]
    names: Vec<CertifiedName>,
    /// The target that it is. Its name is one of the certificate's, and its sshd is told whom to let in
    #[arg(long)]
    target: Option<TargetName>,
    #[command(flatten)]
    life: Life,
}

/// Which host to give a new token.
#[derive(Debug, Args)]
pub struct Token {
    /// Its name, as `dayfly-ca hosts` shows it
    name: HostName,
    #[command(flatten)]
    life: Life,
}

#[derive(Debug, Args)]
struct Life {
    /// How long the token is good for, a week at most
    #[arg(long = "expires", value_name = "DURATION", default_value = "1h", value_parser = life)]
    life: Duration,
    /// Print JSON, an object
    #[arg(long)]
    json: bool,
}

fn life(text: &str) -> Result<Duration, String> {
    let life = humantime::parse_duration(text).map_err(|_| format!("{text:?} is not a duration: write 1h, 30m or 2d"))?;
    if (1..=LONGEST_LIFE_SECONDS).contains(&life.as_secs()) { Ok(life) } else { Err("write a duration from 1s to 7d".to_owned()) }
}

impl Add {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let rules = crate::commands::rules(config)?;
        let mut names: BTreeSet<CertifiedName> = self.names.iter().cloned().collect();
        if let Some(target) = &self.target {
            let is_known = rules.inventory.get(target.as_str()).is_some();
            ensure!(is_known, "there is no target {target}: correct the name, or add it to {}", config.display());
            names.insert(CertifiedName::new(target.as_str())?);
        }
        let store = open_store(config)?;
        self.check_names(&names, &rules, &store)?;
        let made = Made::new(&self.life);
        let host = Host {
            name: self.name.clone(),
            names,
            target: self.target.clone(),
            token: made.token.clone(),
            key: None,
            certificate: None,
            report: None,
            disabled: false,
        };
        let about = made.about(Event::HostAdded, &host);
        wait(store.commit(Change::AddHost(host.clone()), about))??;
        made.tell(&host, self.life.json, out)
    }

    /// A host certificate with somebody else's name would let this host pass for them.
    fn check_names(&self, names: &BTreeSet<CertifiedName>, rules: &RuleBook, store: &dyn Store) -> anyhow::Result<()> {
        let (bastions, hosts) = (wait(store.bastions())??, wait(store.hosts())??);
        for name in names.iter().map(CertifiedName::as_str) {
            let is_its_target = self.target.as_ref().is_some_and(|target| target.as_str() == name);
            let is_target = rules.inventory.get(name).is_some() && !is_its_target;
            ensure!(!is_target, "{name} is a target: if this host is that target, say so with --target {name}; else leave the name out");
            let bastion = bastions.iter().find(|bastion| bastion.name.as_str() == name || bastion.host_names.contains(name));
            if let Some(bastion) = bastion {
                anyhow::bail!("{name} is a name of bastion {}: a host's certificate never carries one", bastion.name);
            }
            if let Some(other) = hosts.iter().find(|host| !host.disabled && host.name != self.name && host.names.contains(name)) {
                anyhow::bail!("{name} is a name of host {}: leave it out, or disable that host first", other.name);
            }
        }
        Ok(())
    }
}

impl Token {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let store = open_store(config)?;
        let host = find(&store, &self.name)?;
        let made = Made::new(&self.life);
        let about = made.about(Event::HostTokenIssued, &host);
        let change = Change::IssueHostToken { host: host.name.clone(), token: made.token.clone() };
        wait(store.commit(change, about))??;
        made.tell(&host, self.life.json, out)
    }
}

/// A token, and what is kept of it.
struct Made {
    text: zeroize::Zeroizing<String>,
    token: HostToken,
    expires_at: OffsetDateTime,
}

#[derive(Serialize)]
struct Told<'a> {
    host: &'a HostName,
    names: &'a BTreeSet<CertifiedName>,
    target: Option<&'a TargetName>,
    token: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

impl Made {
    fn new(life: &Life) -> Self {
        let text = enrollment_token::generate();
        let expires_at = OffsetDateTime::now_utc() + life.life;
        let expires_at = expires_at.replace_nanosecond(0).unwrap_or(expires_at);
        let seconds = u64::try_from(expires_at.unix_timestamp()).unwrap_or_default();
        Self { token: HostToken { digest: enrollment_token::digest(&text), expires_at: seconds, is_used: false }, text, expires_at }
    }

    fn about(&self, kind: Event, host: &Host) -> AuditEvent {
        let event = event(kind).fact("host", &host.name).fact("names", list(&host.names)).fact("token_expires", self.token.expires_at);
        host.target.iter().fold(event, |event, target| event.target(target))
    }

    fn tell(&self, host: &Host, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        if json {
            let told = Told {
                host: &host.name,
                names: &host.names,
                target: host.target.as_ref(),
                token: self.text.as_str(),
                expires_at: self.expires_at,
            };
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?);
        }
        let expires_at = self.expires_at.format(&Rfc3339)?;
        writeln!(out, "{} may enrol once, until {expires_at}, for the names {}", host.name, list(&host.names))?;
        writeln!(out, "\n  {}\n", self.text.as_str())?;
        Ok(writeln!(
            out,
            "It is shown this once. On the host, with the token in a file: dayfly host enroll URL --pin PIN --token-file FILE"
        )?)
    }
}
