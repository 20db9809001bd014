#![allow(clippy::unwrap_used)]
use super::*;
use crate::authority::double::{self, AuthorityDouble};
use dayfly_core::{
    certificate::{Revoked, UnsignedCertificate},
    name::{BastionName, TargetName},
    signer::{SeedSigner, Signer},
    target::Mode,
};

fn target(host_keys: Vec<String>, host_ca: Vec<String>) -> Target {
    Target {
        name: TargetName::new("db1").unwrap(),
        address: "192.0.2.1".into(),
        port: 22,
        groups: Default::default(),
        host_keys,
        host_ca,
        mode: Mode::Record,
        literal_principals: Default::default(),
        session: None,
    }
}

fn certified(authority: &SeedSigner, name: &str) -> PublicKeyOrCertificate {
    let key = double::fresh_key().public_key().clone();
    let bastion = BastionName::new("gate").unwrap();
    let unsigned = UnsignedCertificate::host(&bastion, &[name.to_owned()], key, 3600, double::unix_now(), 5, [7; 32]).unwrap();
    unsigned.sign(authority).unwrap().certificate().clone().into()
}

fn bare(signer: &SeedSigner) -> PublicKeyOrCertificate {
    PublicKey::from(signer.public_key().clone()).into()
}

#[test]
fn a_pinned_target_shows_its_own_key_or_is_refused() {
    let own = SeedSigner::new(1);
    let check = HostKeyCheck::new(&target(vec![double::line(&own)], Vec::new()), Arc::default()).unwrap();
    assert!(check.accept(&bare(&own), 0) && check.refused().is_none());
    assert!(!check.accept(&bare(&SeedSigner::new(2)), 0));
    let (refusal, seen) = check.refused().unwrap();
    assert_eq!(refusal.reason, Reason::HostKeyMismatch);
    let print = |seed| signature::fingerprint(SeedSigner::new(seed).public_key());
    assert_eq!(seen, HostKeySeen { expected: vec![print(1)], seen: print(2) });
    let ca = AuthorityDouble::new(Vec::new());
    assert!(!check.accept(&certified(&ca.host_ca, "db1"), double::unix_now()), "a certificate where a key is pinned");
}

#[test]
fn a_certified_target_shows_a_certificate_for_its_name_by_its_authority_and_in_its_time() {
    let authority = SeedSigner::new(1);
    let check = HostKeyCheck::new(&target(Vec::new(), vec![double::line(&authority)]), Arc::default()).unwrap();
    let now = double::unix_now();
    let good = certified(&authority, "db1");
    assert!(check.accept(&good, now));
    assert!(!check.accept(&good, now + 3600));
    assert!(!check.accept(&certified(&authority, "db2"), now));
    assert!(!check.accept(&certified(&SeedSigner::new(2), "db1"), now));
    assert!(!check.accept(&bare(&authority), now), "a bare key, even the authority's own");
}

#[test]
fn row_20_a_target_whose_key_or_certificate_was_revoked_is_not_recognised() {
    let (ca, own, authority) = (AuthorityDouble::new(Vec::new()), SeedSigner::new(1), SeedSigner::new(2));
    let now = double::unix_now();
    let snapshot = |revoked: &[(&str, &str)]| {
        let mut answer = ca.answer();
        revoked.iter().for_each(|(kind, value)| answer.revocations.add(&Revoked::parse(kind, value).unwrap(), now));
        Arc::new(Snapshot::new(&ca.bastion, answer).unwrap())
    };
    let (key, by) = (signature::fingerprint(own.public_key()), signature::fingerprint(authority.public_key()));
    let pinned = HostKeyCheck::new(&target(vec![double::line(&own)], Vec::new()), snapshot(&[("key", &key)])).unwrap();
    assert!(!pinned.accept(&bare(&own), now) && pinned.refused().unwrap().0.message.contains("revoked"));
    for revoked in [("serial", "5"), ("key-id", "bastion:gate"), ("ca", by.as_str())] {
        let certified_by = target(Vec::new(), vec![double::line(&authority)]);
        let check = HostKeyCheck::new(&certified_by, snapshot(&[revoked])).unwrap();
        assert!(!check.accept(&certified(&authority, "db1"), now), "{revoked:?}");
    }
}
