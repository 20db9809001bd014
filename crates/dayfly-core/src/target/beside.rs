//! Targets from another place beside those that are there: a host is listed once, whatever it is called and however its address is spelt.

use super::{Inventory, InventoryError, Mode, Target, canonical_host, members};
use crate::{name::TargetName, signature::fingerprint};
use ssh_key::PublicKey;
use std::collections::BTreeMap;

impl Inventory {
    /// These targets and `others`, if the two can stand beside each other. No target of `others` may share its name, its address and port, or a host key
    /// with one that is there, in whatever mode: what is there was said by somebody else. Among `others`, one host key in two modes is refused as well.
    /// Returns all mistakes, not the first.
    pub fn beside(&self, others: impl IntoIterator<Item = Target>) -> Result<Self, Vec<InventoryError>> {
        let others = Self::new(others)?;
        let (known, mut errors) = (Marks::of(self), key_clashes(&others));
        for target in others.iter() {
            errors.extend(self.name_taken(target));
            errors.extend(known.host_of(target));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut targets = self.targets.clone();
        targets.extend(others.targets);
        Ok(Self { groups: members(&targets), targets })
    }

    /// Names of targets and groups are apart, wherever they come from.
    fn name_taken(&self, target: &Target) -> Option<InventoryError> {
        if self.targets.contains_key(&target.name) {
            return Some(InventoryError::DuplicateName(target.name.clone()));
        }
        if self.groups.contains_key(target.name.as_str()) {
            return Some(InventoryError::NameIsAlsoGroup(target.name.clone()));
        }
        let taken = target.groups.iter().find_map(|group| self.targets.get(group.as_str()));
        taken.map(|other| InventoryError::NameIsAlsoGroup(other.name.clone()))
    }
}

/// What hosts are told apart by, and whose it is.
struct Marks<'a> {
    addresses: BTreeMap<(String, u16), &'a TargetName>,
    keys: BTreeMap<String, &'a TargetName>,
}

impl<'a> Marks<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let address = |target: &'a Target| ((canonical_host(&target.address), target.port), &target.name);
        let keys = |target: &'a Target| fingerprints(target).map(|key| (key, &target.name));
        Self { addresses: inventory.iter().map(address).collect(), keys: inventory.iter().flat_map(keys).collect() }
    }

    /// The host that `target` is already, if it is one.
    fn host_of(&self, target: &Target) -> Option<InventoryError> {
        let address = canonical_host(&target.address);
        let twice =
            |first: &&TargetName, mark: String| InventoryError::OneHostTwice { first: (*first).clone(), second: target.name.clone(), mark };
        if let Some(first) = self.addresses.get(&(address.clone(), target.port)) {
            return Some(twice(first, format!("{address}:{}", target.port)));
        }
        fingerprints(target).find_map(|key| Some(twice(self.keys.get(&key)?, key)))
    }
}

/// One host key in two modes is one host that can be reached around its recorder.
fn key_clashes(inventory: &Inventory) -> Vec<InventoryError> {
    let mut seen: BTreeMap<String, (&TargetName, Mode)> = BTreeMap::new();
    let mut errors = Vec::new();
    for target in inventory.iter() {
        for key in fingerprints(target) {
            let (first, mode) = *seen.entry(key.clone()).or_insert((&target.name, target.mode));
            if mode != target.mode {
                errors.push(InventoryError::SameKeyTwoModes { first: first.clone(), second: target.name.clone(), key });
            }
        }
    }
    errors
}

/// The host keys that it is recognised by. An authority's key recognises many hosts, and tells none apart.
fn fingerprints(target: &Target) -> impl Iterator<Item = String> {
    target.host_keys.iter().filter_map(|line| Some(fingerprint(PublicKey::from_openssh(line).ok()?.key_data())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        name::{ScopeName, TargetGroupName},
        signer::{SeedSigner, Signer as _},
    };

    fn target(name: &str, address: &str, seed: u8, mode: Mode) -> Target {
        let key = PublicKey::from(SeedSigner::new(seed).public_key().clone()).to_openssh().unwrap();
        let text = format!("name = {name:?}\naddress = {address:?}\nhost_keys = [{key:?}]\nmode = {:?}", mode.as_str());
        toml::from_str(&text).unwrap()
    }

    fn grouped(target: Target, group: &str) -> Target {
        Target { groups: [TargetGroupName::new(group).unwrap()].into(), ..target }
    }

    #[test]
    fn row_38_a_host_that_is_listed_is_not_listed_from_another_place_whatever_it_is_called() {
        let own = Inventory::new([grouped(target("db1", "192.0.2.11", 1, Mode::Record), "db")]).unwrap();
        for mode in [Mode::Record, Mode::Passthrough] {
            for (name, address, seed) in [
                ("db1", "192.0.2.12", 2),
                ("db2", "192.0.2.11", 2),
                ("db2", "::ffff:192.0.2.11", 2),
                ("db2", "db2.example.org", 1),
                ("db", "192.0.2.12", 2),
            ] {
                let errors = own.beside([target(name, address, seed, mode)]).unwrap_err();
                assert_eq!(errors.len(), 1, "{name} {address} {seed} {errors:?}");
            }
        }
        let captured = own.beside([grouped(target("db2", "192.0.2.12", 2, Mode::Record), "db1")]).unwrap_err();
        assert!(matches!(captured.as_slice(), [InventoryError::NameIsAlsoGroup(name)] if name.as_str() == "db1"), "{captured:?}");
        let other_port = Target { port: 2222, ..target("db2", "192.0.2.11", 2, Mode::Record) };
        assert!(own.beside([other_port]).is_ok(), "another port is another server");
    }

    #[test]
    fn row_38_one_host_key_in_two_modes_is_one_host_around_its_recorder() {
        let others = |mode| Inventory::default().beside([target("a", "192.0.2.1", 1, Mode::Record), target("b", "192.0.2.2", 1, mode)]);
        assert!(matches!(others(Mode::Passthrough).unwrap_err().as_slice(), [InventoryError::SameKeyTwoModes { .. }]));
        assert!(others(Mode::Record).is_ok());
    }

    #[test]
    fn groups_grow_together() {
        let own = Inventory::new([grouped(target("db1", "192.0.2.11", 1, Mode::Record), "db")]).unwrap();
        let both = own.beside([grouped(target("db2", "192.0.2.12", 2, Mode::Record), "db")]).unwrap();
        let within = |scope: &str| both.within(&scope.parse::<ScopeName>().unwrap()).map(|one| one.name.as_str()).collect::<Vec<_>>();
        assert_eq!(
            (within("db"), within("all"), within("db2"), within("web")),
            (vec!["db1", "db2"], vec!["db1", "db2"], vec!["db2"], vec![])
        );
        assert!(both.is_group(&"db".parse().unwrap()) && !both.is_group(&"db1".parse().unwrap()));
    }
}
