//! What to trust: the authorities' public keys by purpose, and the lines that tell OpenSSH which names each is good for.

mod known_hosts;
mod revocation_list;

pub use known_hosts::known_hosts;
pub use revocation_list::{LatestList, RevocationList, revocation_list};

use crate::{authority::Authority, failure::Failure};
use dayfly_api::trust::Trust;
use dayfly_core::{
    rotation::{Endorsement, Purpose},
    target::{Inventory, Target},
};
use ssh_key::{PublicKey, public::KeyData};

/// The keys of an authority that are trusted, one OpenSSH line each that names the purpose. The one that signs stands first.
pub fn ca_keys(authority: &Authority, purpose: Purpose) -> Result<Vec<String>, Failure> {
    let comment = format!("dayfly-{purpose}-ca");
    authority.keyring.of(purpose).trusted.iter().map(|key| line(key, &comment)).collect()
}

/// All of it.
pub async fn trust(authority: &Authority) -> Result<Trust, Failure> {
    Ok(Trust {
        user_ca: ca_keys(authority, Purpose::User)?,
        session_ca: ca_keys(authority, Purpose::Session)?,
        host_ca: ca_keys(authority, Purpose::Host)?,
        inner_host_ca: ca_keys(authority, Purpose::InnerHost)?,
        log_key: line(authority.keyring.log.public_key(), "dayfly-log")?,
        known_hosts: known_hosts_lines(authority).await?,
        endorsements: endorsements(authority).await?,
    })
}

/// The lines for `known_hosts`.
pub async fn known_hosts_lines(authority: &Authority) -> Result<Vec<String>, Failure> {
    let bastions = authority.store.bastions().await?;
    let (host_ca, inner_host_ca) = (ca_keys(authority, Purpose::Host)?, ca_keys(authority, Purpose::InnerHost)?);
    let book = authority.rules.load();
    let targets = targets(authority, &book.inventory)?;
    Ok(known_hosts(&bastions, &targets, &host_ca, &inner_host_ca))
}

/// The targets as they are recognised now: whose host CA is this one, whatever key of it the configuration names, is recognised by all that it has now.
pub fn targets(authority: &Authority, inventory: &Inventory) -> Result<Vec<Target>, Failure> {
    let (own, lines) = (authority.keyring.of(Purpose::Host).ever(), ca_keys(authority, Purpose::Host)?);
    let current = |target: &Target| {
        let mut target = target.clone();
        if is_recognised_by(&target, &own) {
            target.host_ca.retain(|line| !is_one_of(line, &own));
            target.host_ca.extend(lines.iter().cloned());
        }
        target
    };
    Ok(inventory.iter().map(current).collect())
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
    let given =
        rotations.into_iter().filter_map(|record| Some((record.rotation.purpose, record.old_key, record.new_key, record.endorsement?)));
    let alive = given.filter(|(_, old, new, _)| !revocations.cover_key(old) && !revocations.cover_key(new));
    alive.map(|(purpose, _, new, signature)| Ok(Endorsement { purpose, key: line(&new, "")?, signature })).collect()
}

fn line(key: &KeyData, comment: &str) -> Result<String, Failure> {
    PublicKey::new(key.clone(), comment).to_openssh().map_err(|error| Failure::Internal(error.to_string()))
}
