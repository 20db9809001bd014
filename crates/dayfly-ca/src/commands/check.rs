//! `dayfly-ca check`: everything that a start would stumble over, told at once.

mod sources;

use crate::{
    assemble::client_secret,
    ceremony::verifier::Verifier,
    config::{self, FederationSettings, RuleBook, SourceSettings, settings::Settings},
    federation::read_keys,
    mistake::{Mistake, Mistakes},
    serve::tls,
    signer::{Keyring, secrets::Secrets},
    store::{Store, StoreError, host::Host, rotation::RotationRecord, sqlite::SqliteStore},
};
use anyhow::bail;
use clap::Args;
use dayfly_core::{certified_name::CertifiedName, log_link::Chain, name::ScopeName, target::ALL};
use serde::Serialize;
use std::{io::Write, path::Path};

/// What `check --help` ends with.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  no mistake was found
  1  mistakes were found; each is told with file, line and remedy
  2  the command line is wrong";

/// The rows of the log that are verified at a time.
const ROWS: u32 = 500;

/// How to tell.
#[derive(Debug, Args)]
pub struct Check {
    /// Print JSON: an object with the arrays `mistakes` and `warnings`
    #[arg(long)]
    json: bool,
    /// Count warnings as mistakes: what keeps the CA from nothing, such as what a source of the inventory says, and should be corrected all the same
    #[arg(long)]
    strict: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    mistakes: &'a Mistakes,
    warnings: &'a [Mistake],
}

impl Check {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let (mut mistakes, mut warnings) = find_mistakes(config)?;
        if self.strict {
            mistakes.0.append(&mut warnings);
        }
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&Report { mistakes: &mistakes, warnings: &warnings })?)?;
        } else {
            warnings.iter().try_for_each(|warning| writeln!(out, "warning: {warning}"))?;
            mistakes.0.iter().try_for_each(|mistake| writeln!(out, "{mistake}"))?;
        }
        match mistakes.0.len() {
            0 if self.json => Ok(()),
            0 => Ok(writeln!(out, "no mistakes")?),
            1 => bail!("1 mistake"),
            many => bail!("{many} mistakes"),
        }
    }
}

/// What is wrong, and what is worth a look.
fn find_mistakes(config: &Path) -> anyhow::Result<(Mistakes, Vec<Mistake>)> {
    let config::Examined { settings, rules, sources, mut mistakes } = config::examine(config);
    let mut warnings = Vec::new();
    if let Some(settings) = settings {
        mistakes.keep(tls::acceptor(&settings.tls));
        warnings = check_issuers(&settings, config, &mut mistakes);
        warnings.extend(no_passkeys(&settings, config));
        let checked = Checked { settings: &settings, sources: &sources, config };
        super::wait(check_store(checked, rules, &mut mistakes, &mut warnings))?;
    }
    Ok((mistakes, warnings))
}

/// The files that providers and workloads need, and claims that a workload could come to share with another.
fn check_issuers(settings: &Settings, config: &Path, mistakes: &mut Mistakes) -> Vec<Mistake> {
    for file in settings.sign_in.providers.iter().filter_map(|provider| provider.client_secret_file.as_deref()) {
        mistakes.keep(client_secret(file));
    }
    for file in settings.federation.iter().filter_map(|entry| entry.jwks_file.as_deref()) {
        mistakes.keep(read_keys(file));
    }
    let remedy = "see docs/sign-in.md for what stays on each platform";
    let of_entry = |entry: &FederationSettings| {
        let line = entry.line;
        entry.warnings().into_iter().map(move |warning| Mistake::new(config, warning, remedy).at(line)).collect::<Vec<_>>()
    };
    settings.federation.iter().flat_map(of_entry).collect()
}

/// Browsers know no passkeys for an address.
fn no_passkeys(settings: &Settings, config: &Path) -> Option<Mistake> {
    let warning = || {
        let cause = format!("browsers take no passkey to {}: its host is an address, or no name", settings.origin);
        Mistake::new(config, cause, "give the CA a host name in url, if people are to have passkeys as second factors")
    };
    Verifier::of(&settings.origin).is_none().then(warning)
}

/// Which of an authority's keys signs is in the store; without one, the configuration's.
fn check_keys(settings: &Settings, rotations: &[RotationRecord], mistakes: &mut Mistakes) {
    mistakes.keep(Keyring::load(&settings.keys, &Secrets::of_this_process(), rotations));
}

/// What the store is held against.
#[derive(Clone, Copy)]
struct Checked<'a> {
    settings: &'a Settings,
    sources: &'a [SourceSettings],
    config: &'a Path,
}

async fn check_store(checked: Checked<'_>, rules: Option<RuleBook>, mistakes: &mut Mistakes, warnings: &mut Vec<Mistake>) {
    let Checked { settings, config, .. } = checked;
    let mistake =
        |error: StoreError| Mistake::new(&settings.store, error.to_string(), "correct that, or make a store with `dayfly-ca init`");
    let Some(store) = mistakes.keep(SqliteStore::open(&settings.store).map_err(mistake)) else {
        check_keys(settings, &[], mistakes);
        return;
    };
    check_keys(settings, &mistakes.keep(store.rotations().await.map_err(mistake)).unwrap_or_default(), mistakes);
    mistakes.keep(check_log(&store, &settings.store).await);
    let rules = match rules {
        Some(rules) if !checked.sources.is_empty() => {
            let with_sources = sources::check(config, checked.sources, &store, &rules).await;
            mistakes.keep(with_sources.map_err(mistake)).map(|(rules, found)| {
                warnings.extend(found);
                rules
            })
        }
        rules => rules,
    };
    let Some(rules) = rules.as_ref() else { return };
    let (hosts, bastions) = (mistakes.keep(store.hosts().await.map_err(mistake)), mistakes.keep(store.bastions().await.map_err(mistake)));
    // What is away today, a source may list tomorrow.
    let found = if checked.sources.is_empty() { &mut mistakes.0 } else { warnings };
    if let Some(hosts) = hosts {
        let current = hosts.iter().filter(|host| !host.disabled);
        found.extend(current.flat_map(|host| host_mistakes(host, rules)).map(|(cause, remedy)| Mistake::new(config, cause, remedy)));
    }
    for bastion in bastions.iter().flatten().filter(|bastion| !bastion.disabled) {
        let is_unknown = |scope: &&ScopeName| scope.as_str() != ALL && rules.inventory.within(scope).next().is_none();
        for scope in bastion.targets.iter().filter(is_unknown) {
            let cause = format!("bastion {} may serve {scope}, which is neither a target nor a target group", bastion.name);
            found.push(Mistake::new(config, cause, "add the target again, or enrol the bastion anew under another name"));
        }
    }
}

/// What no longer fits between a host and the targets: causes and remedies.
fn host_mistakes(host: &Host, rules: &RuleBook) -> Vec<(String, &'static str)> {
    let is_gone = host.target.as_ref().filter(|target| rules.inventory.get(target.as_str()).is_none());
    let gone = is_gone.map(|target| {
        (format!("host {} is enrolled as the target {target}, which there is not", host.name), "add the target again, or disable the host")
    });
    let is_anothers = |name: &&CertifiedName| {
        rules.inventory.get(name.as_str()).is_some() && host.target.as_ref().is_none_or(|own| own.as_str() != name.as_str())
    };
    let taken = host.names.iter().filter(is_anothers).map(|name| {
        let cause = format!("host {} is enrolled for the name {name}, which is a target that it is not", host.name);
        (cause, "rename the target, or disable the host and enrol it under names of its own")
    });
    gone.into_iter().chain(taken).collect()
}

/// Follows the links of the whole log.
async fn check_log(store: &dyn Store, path: &Path) -> Result<(), Mistake> {
    let mut chain = Chain::default();
    loop {
        let rows =
            store.rows(chain.seq(), ROWS).await.map_err(|error| Mistake::new(path, error.to_string(), "restore it from a backup"))?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            let followed = chain.follow(row.position.seq, &row.event, &row.position.hash);
            followed.map_err(|error| {
                Mistake::new(path, format!("the log does not verify: {error}"), "find out who wrote to the file; restore it from a backup")
            })?;
        }
    }
}
