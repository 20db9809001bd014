//! Who has to know an authority's new key before it signs, and whether they were seen to.

use crate::{
    signer::keyring::former,
    store::{Store, StoreError, host::Host, rotation::RotationRecord},
    trust::is_recognised_by,
};
use dayfly_core::{
    rotation::{Holder, Purpose, Seen},
    signature::fingerprint,
    target::{Inventory, Mode, Target},
};
use ssh_key::public::KeyData;
use std::collections::{BTreeMap, BTreeSet};

/// The holder that stands for everybody with a `known_hosts` file.
const PEOPLE: &str = "people";

/// All who trust the authority of `record`: `bastion:NAME`, `target:NAME` and `people`, who count as told after a while.
///
/// | Authority | Bastions | Targets | People |
/// |---|---|---|---|
/// | user | all | passthrough | |
/// | session | | recorded | |
/// | host | those that serve a target which this authority certifies | | yes |
/// | inner host | | | yes |
pub async fn holders(
    store: &dyn Store,
    inventory: &Inventory,
    rotations: &[RotationRecord],
    record: &RotationRecord,
    people_told_after: u64,
) -> Result<Vec<Holder>, StoreError> {
    let purpose = record.rotation.purpose;
    let new = fingerprint(&record.new_key);
    let mut holders = Vec::new();
    let mut add = |name: String, trusted: Option<&BTreeSet<String>>| {
        let seen = if trusted.is_some_and(|trusted| trusted.contains(&new)) { Seen::WithNewKey } else { Seen::Without };
        holders.push(Holder { name, seen });
    };
    if matches!(purpose, Purpose::User | Purpose::Host) {
        let own = own_keys(rotations, record);
        let certified: Vec<&Target> = inventory.iter().filter(|target| is_recognised_by(target, &own)).collect();
        for bastion in store.bastions().await?.iter().filter(|bastion| !bastion.disabled) {
            let serves = |target: &&Target| bastion.targets.iter().any(|scope| target.is_within(scope));
            if purpose == Purpose::User || certified.iter().any(serves) {
                add(format!("bastion:{}", bastion.name), bastion.report.as_ref().map(|report| &report.trusted));
            }
        }
    }
    let mode = match purpose {
        Purpose::User => Some(Mode::Passthrough),
        Purpose::Session => Some(Mode::Record),
        Purpose::Host | Purpose::InnerHost => None,
    };
    if let Some(mode) = mode {
        let hosts = store.hosts().await?;
        let enrolled = hosts.iter().filter(|host| !host.disabled && host.key.is_some());
        let by_target: BTreeMap<_, &Host> = enrolled.filter_map(|host| Some((host.target.as_ref()?, host))).collect();
        for target in inventory.iter().filter(|target| target.mode == mode) {
            // A target that nobody enrolled as a host is set up by hand: nobody hears what it trusts.
            let report = by_target.get(&target.name).and_then(|host| host.report.as_ref());
            add(format!("target:{}", target.name), report.map(|report| &report.trusted));
        }
    }
    if matches!(purpose, Purpose::Host | Purpose::InnerHost) {
        holders.push(Holder { name: PEOPLE.to_owned(), seen: Seen::After(people_told_after) });
    }
    Ok(holders)
}

/// Every key that the authority has, had, or is to have.
fn own_keys(rotations: &[RotationRecord], record: &RotationRecord) -> Vec<KeyData> {
    let mut own = former(rotations, record.rotation.purpose);
    own.extend([record.old_key.clone(), record.new_key.clone()]);
    own
}
