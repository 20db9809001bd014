//! What the CA says of this host → the files that say so to its `sshd` (sshd_config(5)).

use super::{
    certificate::read_keys,
    place::{Place, USUAL},
    plan::File,
};
use crate::error::Failure;
use dayfly_api::host::{HostLogins, HostSetup};
use dayfly_core::{address::Network, name::AccountName, principal::Principal, signature::fingerprint, target::Mode};
use ssh_key::PublicKey;
use std::collections::BTreeSet;

// The drop-ins that are committed for reading are those that are written.
const RECORDED: &str = include_str!("../../../../contrib/sshd-dayfly-recorded.conf");
const PASSTHROUGH: &str = include_str!("../../../../contrib/sshd-dayfly-passthrough.conf");
const NO_TARGET: &str = include_str!("../../../../contrib/sshd-dayfly-host.conf");

/// The drop-in.
pub fn drop_in(setup: &HostSetup, place: &Place) -> String {
    let text = match setup.logins.as_ref().map(|logins| logins.mode) {
        Some(Mode::Record) => RECORDED,
        Some(Mode::Passthrough) => PASSTHROUGH,
        None => NO_TARGET,
    };
    text.replace(USUAL, &place.directory().display().to_string())
}

/// The files that the drop-in names, but for the certificate and the revocation list.
pub fn files(setup: &HostSetup, place: &Place) -> Result<Vec<File>, Failure> {
    let Some(logins) = &setup.logins else { return Ok(Vec::new()) };
    let mut keys = String::new();
    for key in read_keys(&logins.trusted_ca)? {
        // Written anew from the key alone: nothing else of the CA's text gets into the file.
        let mut key = PublicKey::from(key);
        key.set_comment(if logins.mode == Mode::Record { "dayfly-session-ca" } else { "dayfly-user-ca" });
        let line =
            key.to_openssh().map_err(|error| Failure::new(crate::error::Kind::Failed, "a CA key cannot be written").because(error))?;
        keys = keys + &line + "\n";
    }
    let mut files = vec![File::public(place.trusted_ca(), keys)];
    for (account, principals) in &logins.accounts {
        files.push(File::public(place.principals().join(account.as_str()), principals_of(account, principals, logins)));
    }
    Ok(files)
}

fn principals_of(account: &AccountName, principals: &BTreeSet<Principal>, logins: &HostLogins) -> String {
    let from = logins.from.as_ref().map(|networks| {
        let networks: Vec<String> = networks.iter().map(Network::to_string).collect();
        format!("from=\"{}\" ", networks.join(","))
    });
    let from = from.unwrap_or_default();
    let lines: String = principals.iter().map(|principal| format!("{from}{principal}\n")).collect();
    format!("# Who may log in as {account}. Written by dayfly host, which replaces what is changed here.\n{lines}")
}

/// `SHA256:…` of the CA keys that logins are taken from.
pub fn trusted(setup: &HostSetup) -> Result<BTreeSet<String>, Failure> {
    let lines = setup.logins.as_ref().map(|logins| logins.trusted_ca.as_slice()).unwrap_or_default();
    Ok(read_keys(lines)?.iter().map(fingerprint).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use dayfly_core::signer::{SeedSigner, Signer as _};
    use serde_json::json;
    use std::path::Path;

    fn setup(mode: &str, from: Option<&[&str]>) -> HostSetup {
        let mut key = PublicKey::from(SeedSigner::new(1).public_key().clone());
        key.set_comment("a comment that is not kept");
        serde_json::from_value(json!({
            "host": "db1", "names": ["db1"], "host_ca": [], "stale_after_seconds": 60,
            "logins": {
                "target": "db1", "mode": mode, "trusted_ca": [key.to_openssh().unwrap()],
                "accounts": {"deploy": ["deploy@db1"], "root": ["dba", "root@db1"]}, "from": from,
            }
        }))
        .unwrap()
    }

    #[test]
    fn row_29_a_recorded_target_takes_logins_from_the_bastions_alone() {
        let place = Place::new(Path::new("/srv/ssh")).unwrap();
        let setup = setup("record", Some(&["192.0.2.1/32", "2001:db8::/64"]));
        let files = files(&setup, &place).unwrap();
        let text = |index: usize| String::from_utf8(files[index].contents.clone()).unwrap();
        assert!(text(0).ends_with(" dayfly-session-ca\n") && text(0).lines().count() == 1);
        assert_eq!(files[1].path, Path::new("/srv/ssh/dayfly/principals/deploy"));
        assert_eq!(text(1).lines().nth(1), Some("from=\"192.0.2.1/32,2001:db8::/64\" deploy@db1"));
        assert_eq!(text(2).lines().skip(1).collect::<Vec<_>>().len(), 2);
        let drop_in = drop_in(&setup, &place);
        assert!(drop_in.contains("TrustedUserCAKeys /srv/ssh/dayfly/trusted_ca.pub\n") && !drop_in.contains("/etc/ssh"));
    }

    #[test]
    fn a_passthrough_target_takes_peoples_own_certificates() {
        let place = Place::new(Path::new("/etc/ssh")).unwrap();
        let setup = setup("passthrough", None);
        let files = files(&setup, &place).unwrap();
        assert!(String::from_utf8(files[0].contents.clone()).unwrap().ends_with(" dayfly-user-ca\n"));
        assert!(String::from_utf8(files[2].contents.clone()).unwrap().ends_with("\ndba\nroot@db1\n"));
        assert_eq!(drop_in(&setup, &place), PASSTHROUGH);
    }

    #[test]
    fn a_host_that_is_no_target_shows_its_certificate_and_no_more() {
        let place = Place::new(Path::new("/etc/ssh")).unwrap();
        let setup = HostSetup { logins: None, ..setup("record", None) };
        assert!(files(&setup, &place).unwrap().is_empty() && trusted(&setup).unwrap().is_empty());
        assert!(!drop_in(&setup, &place).contains("TrustedUserCAKeys"));
    }

    #[test]
    fn row_23_what_a_hostile_ca_says_gets_no_further_than_its_type() {
        for (field, value) in [("accounts", json!({"../x": ["a"]})), ("accounts", json!({"deploy": ["a\nb"]})), ("from", json!(["*\" x"]))]
        {
            let mut hostile = serde_json::to_value(setup("record", Some(&[]))).unwrap();
            hostile["logins"][field] = value;
            assert!(serde_json::from_value::<HostSetup>(hostile).is_err(), "{field}");
        }
    }
}
