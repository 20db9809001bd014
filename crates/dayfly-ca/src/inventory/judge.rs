//! What a source may say: whoever controls it controls its own targets, and nothing that others stand on.

use super::Trouble;
use crate::{
    config::{Permits, SourceSettings},
    store::{Store, StoreError},
};
use dayfly_core::{
    address::is_elsewhere,
    name::TargetGroupName,
    target::{Mode, Target, canonical_host},
};
use ssh_key::PublicKey;
use std::{collections::BTreeSet, net::IpAddr};

/// What bastions and enrolled hosts have. A source that could take one of the names, under which people know them, could have its own key trusted under that
/// name; one that could name a bastion's address would have it log in at itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    names: BTreeSet<String>,
    addresses: BTreeSet<(String, u16)>,
}

impl Taken {
    /// What the store holds now. A host's name that is its own target's is that target's.
    pub async fn of(store: &dyn Store) -> Result<Self, StoreError> {
        let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for bastion in store.bastions().await? {
            let address = bastion.address.as_deref().and_then(|address| address.rsplit_once(':'));
            let host = address.map(|(host, _)| host.trim_matches(['[', ']']).to_owned());
            if let Some(port) = address.and_then(|(_, port)| port.parse().ok()).filter(|_| !bastion.disabled) {
                addresses.extend(bastion.host_names.iter().chain(&host).map(|host| (canonical_host(host), port)));
            }
            names.extend(bastion.host_names.into_iter().chain(host).chain([bastion.name.to_string()]));
        }
        for host in store.hosts().await?.into_iter().filter(|host| !host.disabled) {
            let is_own = |name: &str| host.target.as_ref().is_some_and(|target| target.as_str() == name);
            names.extend(host.names.iter().map(|name| name.as_str().to_owned()).filter(|name| !is_own(name)));
        }
        // Programs compare host names without regard to case.
        Ok(Self { names: names.into_iter().map(|name| name.to_ascii_lowercase()).collect(), addresses })
    }
}

/// The targets as they are used, if the source may list them. Returns all mistakes, not the first.
pub(super) fn judge(
    source: &SourceSettings,
    targets: &[Target],
    groups: &BTreeSet<TargetGroupName>,
    taken: &Taken,
) -> Result<Vec<Target>, Trouble> {
    let mut mistakes = Vec::new();
    let usable = targets.iter().map(|target| {
        mistakes.extend(overreach(&source.permits, target));
        if taken.names.contains(target.name.as_str()) {
            mistakes.push(format!("{} is the name of a bastion or an enrolled host: rename the target", target.name));
        }
        if taken.addresses.contains(&(canonical_host(&target.address), target.port)) {
            mistakes.push(format!("{} is at a bastion's own address: leave it out", target.name));
        }
        // Such a name would be in every certificate that is for the group.
        if groups.contains(target.name.as_str()) {
            mistakes.push(format!("{} is the name of a target group of [[inventory]]: rename the target", target.name));
        }
        bare(target).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            target.clone()
        })
    });
    let usable = usable.collect();
    if mistakes.is_empty() { Ok(usable) } else { Err(Trouble::bad(&mistakes)) }
}

fn overreach(permits: &Permits, target: &Target) -> Vec<String> {
    let name = &target.name;
    let mut mistakes = Vec::new();
    if !name.as_str().starts_with(&permits.name_prefix) {
        mistakes.push(format!("the name of {name} does not begin with name_prefix, {:?}", permits.name_prefix));
    }
    if target.mode == Mode::Passthrough && !permits.passthrough {
        mistakes.push(format!("{name} is passthrough, and this source may list recorded targets only (may_passthrough)"));
    }
    if !target.literal_principals.is_empty() && !permits.literal_principals {
        mistakes.push(format!("{name} lists literal principals, and this source may not (may_literal_principals)"));
    }
    let is_local = |address: IpAddr| !is_elsewhere(address);
    if canonical_host(&target.address).parse().is_ok_and(is_local) && !permits.local_addresses {
        let what = "is at an address of the bastion itself or of its link, and this source may not (may_local_addresses)";
        mistakes.push(format!("{name} {what}"));
    }
    let others = target.groups.iter().filter(|group| !permits.groups.contains(*group));
    mistakes.extend(others.map(|group| format!("{name} is put into the group {group}, and this source may not fill that one (groups)")));
    mistakes
}

/// The keys without comments, which end up in files that programs read line by line.
fn bare(target: &Target) -> Result<Target, String> {
    let bare = |line: &String| {
        let mistake = || format!("a key of {} cannot be read: write it as in authorized_keys, without options", target.name);
        let key = PublicKey::from_openssh(line).map_err(|_| mistake())?;
        PublicKey::from(key.key_data().clone()).to_openssh().map_err(|_| mistake())
    };
    let keys = |lines: &[String]| lines.iter().map(bare).collect::<Result<Vec<_>, _>>();
    Ok(Target { host_keys: keys(&target.host_keys)?, host_ca: keys(&target.host_ca)?, ..target.clone() })
}
