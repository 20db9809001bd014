//! Targets: the hosts that a bastion can reach, and the inventory that lists them once each.

use crate::name::{AccountName, ScopeName, TargetGroupName, TargetName};
use crate::principal::Principal;
use crate::role::SessionLimits;
use serde::{Deserialize, Deserializer, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

mod beside;

/// The target group that every target is in. It is implied and cannot be written.
pub const ALL: &str = "all";

/// How a target is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The bastion answers for the target and keeps a recording.
    Record,
    /// Bytes are forwarded; the target's own `sshd` judges.
    Passthrough,
}

impl Mode {
    /// As written in configuration and log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Passthrough => "passthrough",
        }
    }
}

/// A host that the bastion can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its one name.
    pub name: TargetName,
    /// Where it is dialled: an address, or a name that is resolved once for each connection.
    pub address: String,
    /// Its SSH port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// The target groups that it is in.
    #[serde(default)]
    pub groups: BTreeSet<TargetGroupName>,
    /// Its host keys, as `authorized_keys` lines without options.
    #[serde(default)]
    pub host_keys: Vec<String>,
    /// The keys that may sign its host certificate, as such lines; one may stand without brackets. More than one while a host CA's key is rotated.
    #[serde(default, deserialize_with = "one_or_many")]
    pub host_ca: Vec<String>,
    /// How it is reached.
    pub mode: Mode,
    /// Literal principals that it lists, and the accounts that each admits to.
    #[serde(default)]
    pub literal_principals: BTreeMap<Principal, BTreeSet<AccountName>>,
    /// What it narrows of what roles allow in sessions. Known to the CA alone, which tells a bastion the rules of each session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionLimits>,
}

fn ssh_port() -> u16 {
    22
}

/// A line, or an array of them. A bastion's cache of before holds `null` where there is none.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a public key, or an array of public keys")]
    enum Written {
        One(String),
        Many(Vec<String>),
        None(()),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::One(line) => vec![line],
        Written::Many(lines) => lines,
        Written::None(()) => Vec::new(),
    })
}

impl Target {
    /// The scopes whose principals admit here: its own name, its groups, and the group of all targets.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.groups.iter().map(TargetGroupName::as_str)).chain(std::iter::once(ALL))
    }

    /// Whether it is `scope` or in it.
    pub fn is_within(&self, scope: &ScopeName) -> bool {
        self.scopes().any(|own| own == scope.as_str())
    }
}

/// Two entries of an inventory that cannot stand beside each other, or one that cannot stand at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// The same name twice.
    #[error("target {0} is listed twice: remove one of the two")]
    DuplicateName(TargetName),
    /// A name that is both a target's and a group's.
    #[error("{0} is the name of a target and of a target group: rename one of the two")]
    NameIsAlsoGroup(TargetName),
    /// The reserved name.
    #[error("the name \"{ALL}\" is reserved for the group of all targets: rename {0}")]
    ReservedName(String),
    /// One host in two modes.
    #[error("{first} and {second} are the same address {address} in different modes: nothing recorded may be reachable unrecorded")]
    SameAddressTwoModes {
        /// The first target.
        first: TargetName,
        /// The second.
        second: TargetName,
        /// `address:port`, canonical.
        address: String,
    },
    /// One host from two places.
    #[error("{first} and {second} are one host, by {mark}, from two places: list it in one of them")]
    OneHostTwice {
        /// The target that is there already.
        first: TargetName,
        /// The one that was to come beside it.
        second: TargetName,
        /// The address or host key that they share.
        mark: String,
    },
    /// One host key in two modes.
    #[error("{first} and {second} have the same host key {key} in different modes: nothing recorded may be reachable unrecorded")]
    SameKeyTwoModes {
        /// The first target.
        first: TargetName,
        /// The second.
        second: TargetName,
        /// `SHA256:…`.
        key: String,
    },
    /// Nothing to recognise it by.
    #[error("target {0} has neither host_keys nor host_ca: add one, since a host is never trusted on first use")]
    NoHostKey(TargetName),
    /// A key that cannot be read.
    #[error("target {target}: {key:?} is not a public key: write it as in authorized_keys, without options")]
    BadKey {
        /// The target.
        target: TargetName,
        /// What was written.
        key: String,
    },
    /// Limits that nobody would keep.
    #[error(
        "target {0} is passthrough, and its own sshd alone could keep this session: leave max_duration, max_idle and continuous, and write the rest into its \
         sshd_config"
    )]
    LimitsNobody(TargetName),
    /// An address that cannot be dialled.
    #[error("target {0}: the address must be a host name or an IP address, without a port")]
    BadAddress(TargetName),
}

/// All targets, each under its one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    targets: BTreeMap<TargetName, Target>,
    /// Who is in each group, so that a question about one group looks at no other target.
    #[serde(skip)]
    groups: BTreeMap<TargetGroupName, BTreeSet<TargetName>>,
}

impl Inventory {
    /// Checks every entry by itself and beside the others; returns all mistakes, not the first.
    pub fn new(entries: impl IntoIterator<Item = Target>) -> Result<Self, Vec<InventoryError>> {
        let mut targets: BTreeMap<TargetName, Target> = BTreeMap::new();
        let mut errors = Vec::new();
        for target in entries {
            errors.extend(entry_errors(&target));
            if let Some(previous) = targets.insert(target.name.clone(), target) {
                errors.push(InventoryError::DuplicateName(previous.name));
            }
        }
        errors.extend(name_clashes(&targets));
        errors.extend(mode_clashes(&targets));
        if errors.is_empty() { Ok(Self { groups: members(&targets), targets }) } else { Err(errors) }
    }

    /// The target of exactly this name.
    pub fn get(&self, name: &str) -> Option<&Target> {
        self.targets.get(name)
    }

    /// All targets by name.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.targets.values()
    }

    /// The targets that `scope` names: one, or a group's members.
    pub fn within<'a>(&'a self, scope: &ScopeName) -> impl Iterator<Item = &'a Target> + use<'a> {
        let all = (scope.as_str() == ALL).then(|| self.iter()).into_iter().flatten();
        let members = self.groups.get(scope.as_str()).into_iter().flatten().filter_map(|name| self.targets.get(name));
        all.chain(self.get(scope.as_str())).chain(members)
    }

    /// Whether `scope` is a target group with members.
    pub fn is_group(&self, scope: &ScopeName) -> bool {
        self.get(scope.as_str()).is_none() && self.within(scope).next().is_some()
    }
}

fn members(targets: &BTreeMap<TargetName, Target>) -> BTreeMap<TargetGroupName, BTreeSet<TargetName>> {
    let mut groups: BTreeMap<TargetGroupName, BTreeSet<TargetName>> = BTreeMap::new();
    for target in targets.values() {
        for group in &target.groups {
            groups.entry(group.clone()).or_default().insert(target.name.clone());
        }
    }
    groups
}

fn entry_errors(target: &Target) -> Vec<InventoryError> {
    let mut errors = Vec::new();
    if target.name.as_str() == ALL || target.groups.contains(ALL) {
        errors.push(InventoryError::ReservedName(format!("target {}", target.name)));
    }
    if target.host_keys.is_empty() && target.host_ca.is_empty() {
        errors.push(InventoryError::NoHostKey(target.name.clone()));
    }
    for key in target.host_keys.iter().chain(&target.host_ca) {
        if ssh_key::PublicKey::from_openssh(key).is_err() {
            errors.push(InventoryError::BadKey { target: target.name.clone(), key: key.chars().take(60).collect() });
        }
    }
    if !is_host(&target.address) {
        errors.push(InventoryError::BadAddress(target.name.clone()));
    }
    if target.mode == Mode::Passthrough && target.session.as_ref().is_some_and(SessionLimits::need_recording) {
        errors.push(InventoryError::LimitsNobody(target.name.clone()));
    }
    errors
}

/// An address in its usual form, or a DNS name. What resolvers take for an address in another form (`127.1`, `2130706433`, `0x7f000001`) is neither:
/// such a name would be a second spelling of a host that is listed already.
fn is_host(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let ends_in_number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    let is_dns_name = !ends_in_number
        && !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        });
    text.parse::<IpAddr>().is_ok() || is_dns_name
}

fn name_clashes(targets: &BTreeMap<TargetName, Target>) -> Vec<InventoryError> {
    let groups: BTreeSet<&str> = targets.values().flat_map(|target| target.groups.iter().map(TargetGroupName::as_str)).collect();
    targets.keys().filter(|name| groups.contains(name.as_str())).cloned().map(InventoryError::NameIsAlsoGroup).collect()
}

/// One host under two modes would be reachable around its recorder.
fn mode_clashes(targets: &BTreeMap<TargetName, Target>) -> Vec<InventoryError> {
    let mut seen: BTreeMap<(String, u16), &Target> = BTreeMap::new();
    let mut errors = Vec::new();
    for target in targets.values() {
        let address = canonical_host(&target.address);
        let first = *seen.entry((address.clone(), target.port)).or_insert(target);
        if first.mode != target.mode {
            errors.push(InventoryError::SameAddressTwoModes {
                first: first.name.clone(),
                second: target.name.clone(),
                address: format!("{address}:{}", target.port),
            });
        }
    }
    errors
}

/// One spelling for each host: `::ffff:192.0.2.1` is `192.0.2.1`, `DB1.` is `db1`.
pub fn canonical_host(text: &str) -> String {
    match text.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn target(name: &str, address: &str, mode: Mode) -> Target {
        Target {
            name: TargetName::new(name).unwrap(),
            address: address.to_owned(),
            port: 22,
            groups: BTreeSet::new(),
            host_keys: vec![KEY.to_owned()],
            host_ca: Vec::new(),
            mode,
            literal_principals: BTreeMap::new(),
            session: None,
        }
    }

    #[test]
    fn a_passthrough_target_has_no_limits_that_only_a_recorder_would_keep() {
        let with = |mode, limits: &str| {
            Inventory::new([Target { session: Some(toml::from_str(limits).unwrap()), ..target("a", "192.0.2.1", mode) }])
        };
        let times = "max_duration = \"8h\"\nmax_idle = \"1h\"\ncontinuous = true";
        assert!(with(Mode::Passthrough, times).is_ok() && with(Mode::Record, "forward_to = []").is_ok());
        for limits in
            ["forward_to = []", "allow = [\"sftp\"]", "forward_agent = false", "record_input = true", "end_with_certificate = true"]
        {
            assert_eq!(with(Mode::Passthrough, limits), Err(vec![InventoryError::LimitsNobody(TargetName::new("a").unwrap())]), "{limits}");
        }
    }

    #[test]
    fn row_38_one_host_in_two_modes_is_refused_however_it_is_spelt() {
        for (first, second) in [("192.0.2.1", "::ffff:192.0.2.1"), ("db1.example", "DB1.example"), ("2001:db8::1", "2001:0db8:0::1")] {
            let errors = Inventory::new([target("a", first, Mode::Record), target("b", second, Mode::Passthrough)]).unwrap_err();
            assert!(matches!(errors.as_slice(), [InventoryError::SameAddressTwoModes { .. }]), "{errors:?}");
            assert!(Inventory::new([target("a", first, Mode::Record), target("b", second, Mode::Record)]).is_ok());
        }
    }

    #[test]
    fn names_and_groups_are_disjoint_and_unique() {
        let mut grouped = target("a", "192.0.2.1", Mode::Record);
        grouped.groups.insert(TargetGroupName::new("b").unwrap());
        let errors = Inventory::new([grouped, target("b", "192.0.2.2", Mode::Record)]).unwrap_err();
        assert!(matches!(errors.as_slice(), [InventoryError::NameIsAlsoGroup(_)]));
        let errors = Inventory::new([target("a", "192.0.2.1", Mode::Record), target("a", "192.0.2.1", Mode::Record)]).unwrap_err();
        assert!(matches!(errors.as_slice(), [InventoryError::DuplicateName(_)]));
        assert!(Inventory::new([target("all", "192.0.2.1", Mode::Record)]).is_err());
    }

    #[test]
    fn a_target_needs_an_address_and_something_to_be_recognised_by() {
        let mut unknown = target("a", "192.0.2.1", Mode::Record);
        unknown.host_keys.clear();
        assert_eq!(Inventory::new([unknown]).unwrap_err(), [InventoryError::NoHostKey(TargetName::new("a").unwrap())]);
        for address in ["", "a:22", "-oProxyCommand=x", "a b", "a..b", "a.", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "a.0X7f"] {
            assert!(Inventory::new([target("a", address, Mode::Record)]).is_err(), "{address:?}");
        }
    }
}
