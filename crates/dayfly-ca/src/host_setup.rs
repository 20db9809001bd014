//! What an enrolled host's `sshd` is to do: whose logins to take, for which accounts, by which principals, from where.

use crate::{authority::Authority, failure::Failure, store::host::Host, trust::ca_keys};
use dayfly_api::host::{HostLogins, HostSetup};
use dayfly_core::{
    address::Network,
    name::TargetName,
    reason::{Reason, Refusal},
    role::logins,
    rotation::Purpose,
    target::{Mode, Target},
};
use std::collections::{BTreeMap, BTreeSet};

/// The setup of this host now. The same state gives the same value.
pub async fn setup(authority: &Authority, host: &Host) -> Result<HostSetup, Failure> {
    let logins = match &host.target {
        Some(target) => Some(target_logins(authority, host, target).await?),
        None => None,
    };
    Ok(HostSetup {
        host: host.name.clone(),
        names: host.names.clone(),
        host_ca: ca_keys(authority, Purpose::Host).await?,
        logins,
        stale_after_seconds: authority.hosts.stale_after.as_secs(),
    })
}

async fn target_logins(authority: &Authority, host: &Host, name: &TargetName) -> Result<HostLogins, Failure> {
    let bastions = authority.store.bastions().await?;
    let book = authority.rules.load_full();
    let target = book.inventory.get(name.as_str()).ok_or_else(|| gone(host, name))?;
    let accounts = logins(&book.roles, target);
    let (purpose, from) = match target.mode {
        // One target trusts one of the two, and never both: the user CA beside the session CA would be a way around the recorder.
        Mode::Record => {
            let serving =
                bastions.iter().filter(|bastion| !bastion.disabled && bastion.targets.iter().any(|scope| target.is_within(scope)));
            (Purpose::Session, Some(serving.flat_map(|bastion| bastion.dials_from.iter().copied()).collect::<BTreeSet<Network>>()))
        }
        Mode::Passthrough => (Purpose::User, None),
    };
    // A recorded target that no bastion serves lets nobody in, rather than everybody from anywhere.
    let accounts = if from.as_ref().is_some_and(BTreeSet::is_empty) { BTreeMap::new() } else { accounts };
    let Target { name, mode, .. } = target.clone();
    Ok(HostLogins { target: name, mode, trusted_ca: ca_keys(authority, purpose).await?, accounts, from })
}

fn gone(host: &Host, target: &TargetName) -> Refusal {
    let message = format!("host {} is enrolled as the target {target}, and there is no such target", host.name);
    Refusal::new(Reason::UnknownTarget, message, "add the target again in ca.toml, or disable the host")
}
