//! Lines for `known_hosts` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): which names each authority is good for, and none of them for any other.

use crate::store::Bastion;
use dayfly_core::target::{Inventory, Mode, Target};
use std::collections::BTreeSet;

/// The port that is not written down.
const SSH_PORT: &str = "22";

/// Bastions by the host CA, recorded targets by the inner-host CA, passthrough targets by their own host CA or keys. The keys are OpenSSH lines.
pub fn known_hosts(bastions: &[Bastion], inventory: &Inventory, host_ca: &str, inner_host_ca: &str) -> Vec<String> {
    let bastions = bastions.iter().filter(|bastion| !bastion.disabled).map(|bastion| authority(&bastion_names(bastion), host_ca));
    let targets = inventory.iter().flat_map(|target| match target.mode {
        Mode::Record => vec![authority(target.name.as_str(), inner_host_ca)],
        Mode::Passthrough => own_keys(target),
    });
    bastions.chain(targets).collect()
}

fn authority(names: &str, key: &str) -> String {
    format!("@cert-authority {names} {key}")
}

fn own_keys(target: &Target) -> Vec<String> {
    let keys = target.host_keys.iter().map(|key| format!("{} {key}", target.name));
    target.host_ca.iter().map(|key| authority(target.name.as_str(), key)).chain(keys).collect()
}

/// Every name that its host certificate holds, as `ssh` looks it up: with the port where that is not 22 (`HostKeyAlias` leaves it out).
fn bastion_names(bastion: &Bastion) -> String {
    let names: BTreeSet<&str> = bastion.host_names.iter().map(String::as_str).chain([bastion.name.as_str()]).collect();
    let port =
        bastion.address.as_deref().and_then(|address| address.rsplit_once(':')).map(|(_, port)| port).filter(|port| *port != SSH_PORT);
    let with_port = port.into_iter().flat_map(|port| names.iter().map(move |name| format!("[{name}]:{port}")));
    names.iter().map(|name| (*name).to_owned()).chain(with_port).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::{name::BastionName, policy::sample};

    fn gate(address: Option<&str>, disabled: bool) -> Bastion {
        Bastion {
            name: BastionName::new("gate").unwrap(),
            key_fingerprint: "SHA256:gate".to_owned(),
            public_key: String::new(),
            targets: BTreeSet::new(),
            dials_from: BTreeSet::new(),
            host_names: BTreeSet::from(["127.0.0.1".to_owned()]),
            address: address.map(str::to_owned),
            disabled,
        }
    }

    #[test]
    fn each_name_is_trusted_to_one_authority() {
        let inventory = sample::inventory();
        let lines = known_hosts(&[gate(Some("127.0.0.1:2222"), false)], &inventory, "HOST", "INNER");
        let key = &inventory.get("web1").unwrap().host_keys[0];
        assert_eq!(
            lines,
            [
                "@cert-authority 127.0.0.1,gate,[127.0.0.1]:2222,[gate]:2222 HOST",
                "@cert-authority db1 INNER",
                "@cert-authority db2 INNER",
                &format!("web1 {key}"),
            ]
        );
    }

    #[test]
    fn port_22_is_not_written_and_a_disabled_bastion_is_not_trusted() {
        let inventory = Inventory::default();
        assert_eq!(known_hosts(&[gate(Some("127.0.0.1:22"), false)], &inventory, "HOST", "INNER"), ["@cert-authority 127.0.0.1,gate HOST"]);
        assert_eq!(known_hosts(&[gate(None, false)], &inventory, "HOST", "INNER"), ["@cert-authority 127.0.0.1,gate HOST"]);
        assert!(known_hosts(&[gate(None, true)], &inventory, "HOST", "INNER").is_empty());
    }
}
