//! What a source may say: whoever controls it controls its own targets, and nothing that others stand on.

use super::Trouble;
use crate::{
    config::{Permits, SourceSettings},
    store::{Store, StoreError},
};
use dayfly_core::{
    name::TargetGroupName,
    target::{Mode, Target},
};
use ssh_key::PublicKey;
use std::collections::BTreeSet;

/// The names under which people know bastions and enrolled hosts. A source that could take one could have its own key trusted under that name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenNames(BTreeSet<String>);

impl TakenNames {
    /// Those that the store holds now. A host's name that is its own target's is that target's.
    pub async fn of(store: &dyn Store) -> Result<Self, StoreError> {
        let mut names = BTreeSet::new();
        for bastion in store.bastions().await? {
            let address = bastion.address.as_deref().and_then(|address| address.rsplit_once(':')).map(|(host, _)| host.to_owned());
            names.extend(bastion.host_names.into_iter().chain(address).chain([bastion.name.to_string()]));
        }
        for host in store.hosts().await?.into_iter().filter(|host| !host.disabled) {
            let is_own = |name: &str| host.target.as_ref().is_some_and(|target| target.as_str() == name);
            names.extend(host.names.iter().map(|name| name.as_str().to_owned()).filter(|name| !is_own(name)));
        }
        // Programs compare host names without regard to case.
        Ok(Self(names.into_iter().map(|name| name.to_ascii_lowercase()).collect()))
    }
}

/// The targets as they are used, if the source may list them. Returns all mistakes, not the first.
pub(super) fn judge(
    source: &SourceSettings,
    targets: &[Target],
    groups: &BTreeSet<TargetGroupName>,
    taken: &TakenNames,
) -> Result<Vec<Target>, Trouble> {
    let mut mistakes = Vec::new();
    let usable = targets.iter().map(|target| {
        mistakes.extend(overreach(&source.permits, target));
        if taken.0.contains(target.name.as_str()) {
            mistakes.push(format!("{} is the name of a bastion or an enrolled host: rename the target", target.name));
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
