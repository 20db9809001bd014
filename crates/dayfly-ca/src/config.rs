//! `ca.toml` and the files that it names → a checked [`Config`].
//!
//! Every mistake is found at once and told with file, line and remedy. Key files and the store are opened by those who use them.

use crate::{
    geo::Geography,
    mistake::{Mistake, Mistakes},
};
use dayfly_core::{
    address::Network,
    context::{Context, NamedNetworks},
    device::ApprovalRule,
    policy::Policy,
    role::Roles,
    target::Inventory,
};
use document::Document;
pub use federation::FederationSettings;
pub use inventory::{Permits, Place, SourceSettings};
pub use keys::{AgentKey, Calls, Custody, Key, Keys, LockMemory, TokenKey};
use settings::Settings;
pub use sign_in::{ProviderSettings, SignInSettings};
use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use time::OffsetDateTime;

mod devices;
pub(crate) mod directory;
mod document;
mod federation;
mod hosts;
mod inventory;
mod issuer;
mod keys;
mod limits;
mod proxies;
mod rotation;
mod rules;
pub(crate) mod settings;
mod sign_in;
mod span;
mod surroundings;

/// Everything that the CA is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The CA's origin as callers write it: `https://` and a host, without a path. Signed requests are bound to it.
    pub origin: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The store's file.
    pub store: PathBuf,
    /// The certificate that callers see, and its key.
    pub tls: TlsFiles,
    /// The CA's keys.
    pub keys: Keys,
    /// What stands between the CA and its callers.
    pub proxies: Proxies,
    /// What callers may use up.
    pub limits: Limits,
    /// What is asked of hosts.
    pub hosts: HostRules,
    /// How keys give way to others.
    pub rotation: RotationRules,
    /// How people sign in by a browser.
    pub sign_in: SignInSettings,
    /// Which workloads of others are which machines.
    pub federation: Vec<FederationSettings>,
    /// Who may have what, where, as far as the file itself says it.
    pub rules: RuleBook,
    /// Where further targets are listed.
    pub sources: Vec<SourceSettings>,
}

/// What is asked of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostRules {
    /// How long a host certificate lives.
    pub certificate_ttl: Duration,
    /// How long a host may be without the current revocation list before it counts as stale.
    pub stale_after: Duration,
}

/// How keys give way to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationRules {
    /// How long after its publication people count as told of a key: their tools take it over when they next get a certificate.
    pub people_told_after: Duration,
    /// How long something may still be under way that was begun with the old key.
    pub in_flight: Duration,
}

/// The TLS certificate (chain) and its private key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, its chain behind it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What stands between the CA and its callers, and says on whose behalf it comes. Nobody else is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Balancers that pass TLS on, each connection behind a header of the PROXY protocol.
    pub proxy_protocol_from: Vec<Network>,
    /// Proxies that end TLS, and write `X-Forwarded-For`.
    pub forwarded_for_from: Vec<Network>,
}

/// What callers may use up, so that no one of them can take the CA from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections from one address.
    pub connections_per_address: usize,
    /// Requests a second of one person or machine, wherever they come from; ten seconds' worth may come at once.
    pub requests_per_caller: NonZeroU32,
    /// Requests that are worked on at a time; more than that are turned away.
    pub requests_in_flight: usize,
    /// How long one request may take, its body's arrival included.
    pub request_timeout: Duration,
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// How long a challenge can be answered.
    pub challenge_lifetime: Duration,
}

/// Who may have what, where: the part of the configuration that can be replaced while the CA runs.
#[derive(Debug, Clone)]
pub struct RuleBook {
    /// What a certificate may contain.
    pub roles: Roles,
    /// Which targets there are.
    pub inventory: Inventory,
    /// Who may have what.
    pub policy: Policy,
    /// The networks that policies speak of.
    pub networks: NamedNetworks,
    /// Where on earth addresses are.
    pub geography: Arc<dyn Geography>,
    /// Which devices are approved without anybody being asked.
    pub device_rules: Vec<ApprovalRule>,
}

/// As much of a configuration as can be read, and what is wrong with the rest.
pub(crate) struct Examined {
    pub(crate) settings: Option<Settings>,
    pub(crate) rules: Option<RuleBook>,
    pub(crate) sources: Vec<SourceSettings>,
    pub(crate) mistakes: Mistakes,
}

/// Reads as much of a configuration as can be read.
pub(crate) fn examine(path: &Path) -> Examined {
    let mut mistakes = Mistakes::default();
    let nothing = |mistakes| Examined { settings: None, rules: None, sources: Vec::new(), mistakes };
    let Some(document) = mistakes.keep(Document::read(path)) else { return nothing(mistakes) };
    let Some(table) = mistakes.keep(document.table()) else { return nothing(mistakes) };
    let settings = Settings::read(&document, table.clone(), &mut mistakes);
    let (rules, sources) = rules::read(&document, &table, &mut mistakes).unzip();
    // From top to bottom, and what it names after the file itself.
    mistakes.0.sort_by_key(|mistake| (mistake.file != path, mistake.file.clone(), mistake.line));
    Examined { settings, rules, sources: sources.unwrap_or_default(), mistakes }
}

impl Config {
    /// Reads everything. Relative paths in the file are relative to where it is.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        let Examined { settings, rules, sources, mistakes } = examine(path);
        let (Some(settings), Some(rules)) = (settings, rules) else { return Err(mistakes) };
        let Settings { origin, listen, store, tls, keys, proxies, limits, hosts, rotation, sign_in, federation } = settings;
        mistakes.or(Self { origin, listen, store, tls, keys, proxies, limits, hosts, rotation, sign_in, federation, rules, sources })
    }

    /// What is asked of hosts, and nothing else.
    pub fn host_rules(path: &Path) -> Result<HostRules, Mistakes> {
        let document = Document::read(path)?;
        let table = document.table()?;
        let mut mistakes = Mistakes::default();
        match hosts::read(&document, table, &mut mistakes) {
            Some(rules) => mistakes.or(rules),
            None => Err(mistakes),
        }
    }

    /// How keys give way to others, and nothing else.
    pub fn rotation_rules(path: &Path) -> Result<RotationRules, Mistakes> {
        let examined = examine(path);
        examined.settings.map(|settings| settings.rotation).ok_or(examined.mistakes)
    }

    /// The store's file and nothing else: whoever has to disable somebody now cannot be kept from it by a mistake in a policy.
    pub fn store_path(path: &Path) -> Result<PathBuf, Mistakes> {
        let document = Document::read(path)?;
        let table = document.table()?;
        let store = table.get_ref().get("store").and_then(|store| store.get_ref().as_str());
        let missing = || Mistake::new(path, "the file has no store", "add store, the path of the store's file");
        Ok(document.beside(Path::new(store.ok_or_else(missing)?)))
    }
}

impl RuleBook {
    /// What is known of `source` now, for a decision.
    pub fn context(&self, now: OffsetDateTime, source: IpAddr) -> Context {
        let place = source.to_canonical();
        let (networks, country, asn) = (self.networks.of(place), self.geography.country(place), self.geography.asn(place));
        Context { networks, country, asn, ..Context::new(now, source) }
    }

    /// Reads the rules of a configuration file, what the file itself lists of targets, and where more are listed.
    pub fn load(path: &Path) -> Result<(Self, Vec<SourceSettings>), Mistakes> {
        let document = Document::read(path)?;
        let table = document.table()?;
        let mut mistakes = Mistakes::default();
        match rules::read(&document, &table, &mut mistakes) {
            Some(read) => mistakes.or(read),
            None => Err(mistakes),
        }
    }
}

#[cfg(test)]
mod tests;
