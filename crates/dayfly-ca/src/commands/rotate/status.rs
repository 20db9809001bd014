//! `dayfly-ca rotate status`: how far each rotation is, and what it waits for.

use super::{super::list, open_store, settings, wait};
use crate::{
    config::{Config, Keys},
    revoke::until as in_words,
    rotate::holders,
    signer::keyring::{former, place_in_words},
    store::{Store, rotation::RotationRecord},
};
use clap::Args;
use dayfly_core::{
    certificate::Revoked,
    rotation::{Holder, Purpose, Stage, Step, Waiting},
    signature::fingerprint,
};
use serde::Serialize;
use std::{collections::BTreeSet, io::Write, path::Path};
use time::OffsetDateTime;

/// How to show.
#[derive(Debug, Args)]
pub struct Status {
    /// Show those that are over, too
    #[arg(long)]
    all: bool,
    /// Print JSON, an array
    #[arg(long)]
    json: bool,
}

/// A rotation as `--json` prints it.
#[derive(Serialize)]
struct Shown {
    purpose: Purpose,
    #[serde(flatten)]
    stage: Stage,
    started_at: u64,
    old_key: String,
    new_key: String,
    /// Where the new key is kept.
    new_key_place: String,
    despite: BTreeSet<String>,
    /// Who has to be seen with the new key, and whether they were.
    holders: Vec<Holder>,
    /// What comes next, if nothing is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Step>,
    /// What is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
}

impl Status {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let store = open_store(config)?;
        let rotations = wait(store.rotations())??;
        let mut shown = Vec::new();
        for record in rotations.iter().filter(|record| self.all || !record.rotation.is_over()) {
            shown.push(look(config, &store, &rotations, record)?);
        }
        if self.json {
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?);
        }
        if shown.is_empty() {
            writeln!(out, "no rotation is under way")?;
        }
        shown.iter().try_for_each(|one| writeln!(out, "{}", one.told()))?;
        // What is over and not written down in ca.toml works, and surprises whoever reads it.
        let keys = settings(config)?.keys;
        let unnamed = Purpose::ALL.into_iter().filter_map(|purpose| unnamed(&keys, &rotations, purpose));
        unnamed.into_iter().try_for_each(|line| writeln!(out, "{line}"))?;
        Ok(remainders(&store, &rotations)?.into_iter().try_for_each(|line| writeln!(out, "{line}"))?)
    }
}

/// Shows the newest rotation of one authority.
pub(super) fn show(config: &Path, store: &dyn Store, purpose: Option<Purpose>, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let rotations = wait(store.rotations())??;
    let Some(record) = rotations.iter().rfind(|record| purpose.is_none_or(|purpose| record.rotation.purpose == purpose)) else {
        return Ok(());
    };
    let shown = look(config, store, &rotations, record)?;
    let told = if json { serde_json::to_string_pretty(&shown)? } else { shown.told() };
    Ok(writeln!(out, "{told}")?)
}

fn look(config: &Path, store: &dyn Store, rotations: &[RotationRecord], record: &RotationRecord) -> anyhow::Result<Shown> {
    let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
    let book = crate::commands::rules(config)?;
    let rules = Config::rotation_rules(config)?;
    let holders = wait(holders(store, &book.inventory, rotations, record, rules.people_told_after.as_secs()))??;
    let old = Revoked::Ca(fingerprint(&record.old_key));
    let old_is_revoked = wait(store.revocations())??.iter().any(|one| one.revoked == old && one.is_in_force(now));
    let (next, waiting) = match record.rotation.next(now, &holders, old_is_revoked) {
        Ok(step) => (Some(step), None),
        Err(waiting) => (None, Some(waiting)),
    };
    let is_awaited = matches!(record.rotation.stage, Stage::Prepared | Stage::Published { .. });
    Ok(Shown {
        purpose: record.rotation.purpose,
        stage: record.rotation.stage,
        started_at: record.started_at,
        old_key: fingerprint(&record.old_key),
        new_key: fingerprint(&record.new_key),
        new_key_place: place_in_words(&settings(config)?.keys, record.rotation.purpose, record),
        despite: record.rotation.despite.clone(),
        holders: if is_awaited { holders } else { Vec::new() },
        next,
        waiting,
    })
}

impl Shown {
    fn told(&self) -> String {
        let waiting = match (&self.next, &self.waiting) {
            (Some(_), _) => "for the CA that serves, which takes the next step within seconds".to_owned(),
            (_, Some(Waiting::Holders { names, told_at })) => {
                let told = told_at.map(|at| format!(" (people count as told at {})", in_words(Some(at)))).unwrap_or_default();
                format!("until these are seen with the new key: {}{told}", list(names))
            }
            (_, Some(Waiting::LastCertificate { ends_at })) => {
                format!("for the old key's last certificate, until {}", in_words(Some(*ends_at)))
            }
            (_, Some(Waiting::Nothing) | None) => "for nothing".to_owned(),
        };
        let despite = if self.despite.is_empty() { String::new() } else { format!("\n  despite   {}", list(&self.despite)) };
        format!(
            "{}: {}, since {}\n  old key   {}\n  new key   {}, {}{despite}\n  waits     {waiting}",
            self.purpose,
            self.stage.as_str(),
            in_words(Some(self.started_at)),
            self.old_key,
            self.new_key,
            self.new_key_place,
        )
    }
}

/// The line to write into `ca.toml` once a rotation is over, if it is not there yet.
fn unnamed(keys: &Keys, rotations: &[RotationRecord], purpose: Purpose) -> Option<String> {
    let record = crate::signer::keyring::latest(rotations, purpose).filter(|record| record.rotation.stage == Stage::Retired)?;
    let key = keys.of(purpose);
    let line = match (&record.file, keys.next.get(&purpose)) {
        (Some(file), _) if key.place() == file.as_path() => return None,
        (Some(file), _) => format!("{:?}", file.display().to_string()),
        (None, Some(_)) => format!("what [keys.next] says of {}", key.purpose),
        (None, None) => return None,
    };
    Some(format!("{purpose}: its rotation is over. Write {} = {line} into {}, and destroy the old key", key.purpose, key.file.display()))
}

/// Who was last seen to trust a key that was retired: they have not been heard since, or somebody tells them by hand.
fn remainders(store: &dyn Store, rotations: &[RotationRecord]) -> anyhow::Result<Vec<String>> {
    let retired: BTreeSet<String> =
        Purpose::ALL.into_iter().flat_map(|purpose| former(rotations, purpose)).map(|key| fingerprint(&key)).collect();
    let bastions = wait(store.bastions())??.into_iter().filter(|bastion| !bastion.disabled);
    let bastions = bastions.filter_map(|bastion| Some((format!("bastion:{}", bastion.name), bastion.report?.trusted)));
    let hosts = wait(store.hosts())??.into_iter().filter(|host| !host.disabled);
    let hosts = hosts.filter_map(|host| Some((format!("host:{}", host.name), host.report?.trusted)));
    let holding = bastions.chain(hosts).filter_map(|(name, trusted)| Some((name, trusted.intersection(&retired).next()?.clone())));
    Ok(holding.map(|(name, key)| format!("{name} was last seen to trust {key}, which was retired")).collect())
}
