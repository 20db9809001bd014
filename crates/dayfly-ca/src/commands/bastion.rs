//! `dayfly-ca bastion`: enrol and list bastions.

use super::{enrolled_key, event, list, open_store, wait};
use crate::store::{self, Change, Store};
use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use dayfly_core::{
    address::Network,
    audit::Event,
    certified_name::CertifiedName,
    name::{BastionName, ScopeName},
    target::ALL,
};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
};

/// What to do with bastions.
#[derive(Debug, Subcommand)]
pub enum Bastion {
    /// Enrol a bastion. It may do nothing but serve the targets named here
    Add(Add),
    /// List all bastions
    List(List),
}

/// Which bastion to enrol.
#[derive(Debug, Args)]
pub struct Add {
    /// The name, as policies and the log write it
    name: BastionName,
    /// The public key that its calls and recordings are signed with
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A target or target group that it may serve; repeat it, or separate by commas. `all` is every target
    #[arg(long, value_name = "TARGET", required = true, num_args = 1.., value_delimiter = ',')]
    targets: Vec<ScopeName>,
    /// An address or network that it dials targets from; repeat it, or separate by commas. Its session certificates hold there alone
    #[arg(long, value_name = "CIDR", required = true, num_args = 1.., value_delimiter = ',')]
    dials_from: Vec<Network>,
    /// A further name that its host certificate holds: a host name or an address that people type
    #[arg(long = "host-name", value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    host_names: Vec<String>,
    /// Where people reach it. The host becomes a name in its host certificate
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
}

/// How to list.
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON, an array
    #[arg(long)]
    json: bool,
}

impl Bastion {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => add.run(config, out),
            Self::List(list) => list.run(config, out),
        }
    }
}

impl Add {
    fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let rules = crate::commands::rules(config)?;
        for scope in &self.targets {
            let is_known = scope.as_str() == ALL || rules.inventory.within(scope).next().is_some();
            ensure!(is_known, "there is no target and no target group {scope}: correct the name, or add it to {}", config.display());
        }
        let host_names = self.all_host_names()?;
        for name in host_names.iter().map(String::as_str).chain([self.name.as_str()]) {
            ensure!(rules.inventory.get(name).is_none(), "{name} is a target: a bastion's own certificate never carries a target's name");
        }
        let store = open_store(config)?;
        let hosts = wait(store.hosts())??;
        for name in host_names.iter().map(String::as_str).chain([self.name.as_str()]) {
            let other = hosts.iter().find(|host| !host.disabled && host.names.contains(name));
            if let Some(other) = other {
                bail!("{name} is a name of host {}: its certificate would pass for the bastion's", other.name);
            }
        }
        let key = enrolled_key::read(&self.key)?;
        let bastion = store::Bastion {
            name: self.name.clone(),
            key_fingerprint: key.fingerprint,
            public_key: key.line,
            targets: self.targets.iter().cloned().collect(),
            dials_from: self.dials_from.iter().copied().collect(),
            host_names,
            address: self.address.clone(),
            disabled: false,
            report: None,
        };
        let about = event(Event::BastionAdded)
            .fact("bastion", &bastion.name)
            .fact("key", &bastion.key_fingerprint)
            .fact("targets", list(&bastion.targets))
            .fact("dials_from", list(&bastion.dials_from))
            .fact("host_names", list(&bastion.host_names))
            .fact("address", bastion.address.as_deref().unwrap_or("none"));
        let told = told(&bastion);
        wait(store.commit(Change::AddBastion(bastion), about))??;
        Ok(writeln!(out, "{told}")?)
    }

    /// What was named, and where people reach it: what they type must be what the certificate says.
    fn all_host_names(&self) -> anyhow::Result<BTreeSet<String>> {
        let host = self.address.as_deref().map(host_of).transpose()?;
        self.host_names.iter().map(String::as_str).chain(host).map(|name| Ok(CertifiedName::new(name)?.to_string())).collect()
    }
}

/// The host of `host:port` or `[address]:port`.
fn host_of(address: &str) -> anyhow::Result<&str> {
    let split = address.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0));
    let Some((host, _)) = split else { bail!("{address:?} is not a host and a port: write bastion.example.org:22 or [2001:db8::1]:22") };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    ensure!(bracketed.is_some() || !host.contains(':'), "{address:?}: write an IPv6 address in brackets, [2001:db8::1]:22");
    Ok(bracketed.unwrap_or(host))
}

/// A bastion as `--json` prints it.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a BastionName,
    targets: &'a BTreeSet<ScopeName>,
    dials_from: &'a BTreeSet<Network>,
    host_names: &'a BTreeSet<String>,
    address: Option<&'a str>,
    key: &'a str,
    public_key: &'a str,
    disabled: bool,
}

impl List {
    fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let bastions = wait(open_store(config)?.bastions())??;
        if self.json {
            let listed: Vec<_> = bastions.iter().map(Listed::from).collect();
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&listed)?)?);
        }
        Ok(bastions.iter().try_for_each(|bastion| writeln!(out, "{}", told(bastion)))?)
    }
}

fn told(bastion: &store::Bastion) -> String {
    let ended = if bastion.disabled { ", disabled" } else { "" };
    format!(
        "{}  {}  targets: {}  dials from: {}  host names: {}  address: {}{ended}",
        bastion.name,
        bastion.key_fingerprint,
        list(&bastion.targets),
        list(&bastion.dials_from),
        list(&bastion.host_names),
        bastion.address.as_deref().unwrap_or("none"),
    )
}

impl<'a> From<&'a store::Bastion> for Listed<'a> {
    fn from(bastion: &'a store::Bastion) -> Self {
        Self {
            name: &bastion.name,
            targets: &bastion.targets,
            dials_from: &bastion.dials_from,
            host_names: &bastion.host_names,
            address: bastion.address.as_deref(),
            key: &bastion.key_fingerprint,
            public_key: &bastion.public_key,
            disabled: bastion.disabled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        assert_eq!(host_of("bastion.example.org:22").unwrap(), "bastion.example.org");
        assert_eq!(host_of("[2001:db8::1]:2222").unwrap(), "2001:db8::1");
        for bad in ["bastion", "bastion:", "bastion:0", "bastion:65536", "2001:db8::1", "2001:db8::1:22", ":x"] {
            assert!(host_of(bad).is_err(), "{bad}");
        }
    }
}
