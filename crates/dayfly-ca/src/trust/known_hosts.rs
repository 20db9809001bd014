//! Lines for `known_hosts` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): which names each authority is good for, and none of them for any other.

use crate::store::Bastion;
use dayfly_core::target::{Mode, Target};
use std::collections::BTreeSet;

/// The port that is not written down.
const SSH_PORT: &str = "22";

/// Bastions by the host CA, recorded targets by the inner-host CA, passthrough targets by their own host CA or keys. The keys are OpenSSH lines.
pub fn known_hosts(bastions: &[Bastion], targets: &[Target], host_ca: &[String], inner_host_ca: &[String]) -> Vec<String> {
    let bastions = bastions.iter().filter(|bastion| !bastion.disabled).flat_map(|bastion| authorities(&bastion_names(bastion), host_ca));
    let targets = targets.iter().flat_map(|target| match target.mode {
        Mode::Record => authorities(target.name.as_str(), inner_host_ca),
        Mode::Passthrough => own_keys(target),
    });
    bastions.chain(targets).collect()
}

fn authorities(names: &str, keys: &[String]) -> Vec<String> {
    keys.iter().map(|key| format!("@cert-authority {names} {key}")).collect()
}

fn own_keys(target: &Target) -> Vec<String> {
    let keys = target.host_keys.iter().map(|key| format!("{} {key}", target.name));
    authorities(target.name.as_str(), &target.host_ca).into_iter().chain(keys).collect()
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
            report: None,
        }
    }

    #[test]
    fn each_name_is_trusted_to_one_authority() {
        let inventory = sample::inventory();
        let targets: Vec<Target> = inventory.iter().cloned().collect();
        let (host, inner) = (["HOST".to_owned()], ["INNER".to_owned(), "NEXT".to_owned()]);
        let lines = known_hosts(&[gate(Some("127.0.0.1:2222"), false)], &targets, &host, &inner);
        let key = &inventory.get("web1").unwrap().host_keys[0];
        assert_eq!(
            lines,
            [
                "@cert-authority 127.0.0.1,gate,[127.0.0.1]:2222,[gate]:2222 HOST",
                "@cert-authority db1 INNER",
                "@cert-authority db1 NEXT",
                "@cert-authority db2 INNER",
                "@cert-authority db2 NEXT",
                &format!("web1 {key}"),
            ]
        );
    }

    #[test]
    fn port_22_is_not_written_and_a_disabled_bastion_is_not_trusted() {
        let of = |gate| known_hosts(&[gate], &[], &["HOST".to_owned()], &[]);
        assert_eq!(of(gate(Some("127.0.0.1:22"), false)), ["@cert-authority 127.0.0.1,gate HOST"]);
        assert_eq!(of(gate(None, false)), ["@cert-authority 127.0.0.1,gate HOST"]);
        assert!(of(gate(None, true)).is_empty());
    }
}
