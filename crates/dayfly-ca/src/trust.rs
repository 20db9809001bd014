//! What to trust: the authorities' public keys by purpose, and the lines that tell OpenSSH which names each is good for.

mod known_hosts;
mod revocation_list;

pub use known_hosts::known_hosts;
pub use revocation_list::{LatestList, RevocationList, revocation_list};

use crate::{authority::Authority, failure::Failure};
use dayfly_api::trust::Trust;
use dayfly_core::{
    rotation::{Endorsement, Purpose, Stage, keys_digest},
    target::{Inventory, Target},
};
use ssh_key::{PublicKey, public::KeyData};
use std::collections::BTreeMap;

/// The keys of an authority that are trusted, one OpenSSH line each that names the purpose. The one that signs stands first.
pub async fn ca_keys(authority: &Authority, purpose: Purpose) -> Result<Vec<String>, Failure> {
    let comment = format!("dayfly-{purpose}-ca");
    keys(authority, purpose).await?.iter().map(|key| line(key, &comment)).collect()
}

/// Which keys these are ([`keys_digest`]): a tool that holds others asks what to trust.
pub async fn digest(authority: &Authority) -> Result<String, Failure> {
    let mut served = [const { Vec::new() }; Purpose::ALL.len()];
    for (purpose, served) in Purpose::ALL.into_iter().zip(&mut served) {
        *served = keys(authority, purpose).await?;
    }
    Ok(keys_digest(served.each_ref().map(Vec::as_slice)))
}

/// A key that was revoked is told to nobody beside another; alone, it is: whoever asks hears of the revocation, too.
async fn keys(authority: &Authority, purpose: Purpose) -> Result<Vec<KeyData>, Failure> {
    let revocations = authority.revocations.current().await?;
    let trusted = authority.keyring.of(purpose).trusted.clone();
    let alive: Vec<KeyData> = trusted.iter().filter(|key| !revocations.cover_key(key)).cloned().collect();
    Ok(if alive.is_empty() { trusted } else { alive })
}

/// All of it.
pub async fn trust(authority: &Authority) -> Result<Trust, Failure> {
    Ok(Trust {
        user_ca: ca_keys(authority, Purpose::User).await?,
        session_ca: ca_keys(authority, Purpose::Session).await?,
        host_ca: ca_keys(authority, Purpose::Host).await?,
        inner_host_ca: ca_keys(authority, Purpose::InnerHost).await?,
        log_key: line(authority.keyring.log.public_key(), "dayfly-log")?,
        known_hosts: known_hosts_lines(authority).await?,
        endorsements: endorsements(authority).await?,
    })
}

/// The lines for `known_hosts`.
pub async fn known_hosts_lines(authority: &Authority) -> Result<Vec<String>, Failure> {
    let bastions = authority.store.bastions().await?;
    let (host_ca, inner_host_ca) = (ca_keys(authority, Purpose::Host).await?, ca_keys(authority, Purpose::InnerHost).await?);
    let book = authority.rules.load_full();
    let targets = targets(authority, &book.inventory, |_| true).await?;
    Ok(known_hosts(&bastions, &targets, &host_ca, &inner_host_ca))
}

/// The targets as they are recognised now: whose host CA is this one, whatever key of it the configuration names, is recognised by all that it has now.
pub async fn targets(authority: &Authority, inventory: &Inventory, is_wanted: impl Fn(&Target) -> bool) -> Result<Vec<Target>, Failure> {
    let (own, lines) = (authority.keyring.of(Purpose::Host).ever(), ca_keys(authority, Purpose::Host).await?);
    // Many targets share few authorities: each line is read once.
    let mut known: BTreeMap<&str, bool> = BTreeMap::new();
    for line in inventory.iter().flat_map(|target| &target.host_ca) {
        known.entry(line).or_insert_with(|| is_one_of(line, &own));
    }
    let is_own = |line: &str| known.get(line).copied().unwrap_or(false);
    let current = |target: &Target| {
        // What it narrows is told with each session.
        let mut target = Target { session: None, ..target.clone() };
        if target.host_ca.iter().any(|line| is_own(line)) {
            target.host_ca.retain(|line| !is_own(line));
            target.host_ca.extend(lines.iter().cloned());
        }
        target
    };
    Ok(inventory.iter().filter(|target| is_wanted(target)).map(current).collect())
}

/// Whether a target is recognised by certificates of one of these keys.
pub fn is_recognised_by(target: &Target, keys: &[KeyData]) -> bool {
    target.host_ca.iter().any(|line| is_one_of(line, keys))
}

fn is_one_of(line: &str, keys: &[KeyData]) -> bool {
    PublicKey::from_openssh(line).is_ok_and(|key| keys.contains(key.key_data()))
}

/// The word of every key for its successor, but that of keys which were revoked.
async fn endorsements(authority: &Authority) -> Result<Vec<Endorsement>, Failure> {
    let revocations = authority.revocations.current().await?;
    let rotations = authority.store.rotations().await?;
    let standing = rotations.into_iter().filter(|record| record.rotation.stage != Stage::Abandoned);
    let given = standing.filter_map(|record| Some((record.rotation.purpose, record.old_key, record.new_key, record.endorsement?)));
    let alive = given.filter(|(_, old, new, _)| !revocations.cover_key(old) && !revocations.cover_key(new));
    alive.map(|(purpose, _, new, signature)| Ok(Endorsement { purpose, key: line(&new, "")?, signature })).collect()
}

fn line(key: &KeyData, comment: &str) -> Result<String, Failure> {
    PublicKey::new(key.clone(), comment).to_openssh().map_err(|error| Failure::Internal(error.to_string()))
}
