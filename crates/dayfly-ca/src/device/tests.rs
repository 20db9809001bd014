#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    installation::{ALICE, Installation, certificate_request},
    store::{
        Revocation,
        factor::{Authenticator, CodeUsed},
    },
};
use dayfly_core::{
    certificate::Revoked,
    clock::Clock,
    device::ApprovalRule,
    identity::FactorMethod,
    signature::fingerprint,
    signer::{SeedSigner, Signer},
};

/// The keys of two devices.
const LAPTOP: u8 = 70;
const TOWER: u8 = 71;

fn alice() -> Subject {
    "alice".parse().unwrap()
}

fn key(seed: u8) -> NewKey {
    let key = SeedSigner::new(seed).public_key().clone();
    NewKey { fingerprint: fingerprint(&key), key }
}

/// A call of somebody's that this device signed too.
async fn on(ca: &Installation, name: &str, seed: u8) -> PersonCall {
    let mut call = ca.person_call(name).await;
    call.context.now = ca.clock.now();
    call.identity.evidence.device = ca.authority().devices.by_key(&key(seed).fingerprint, &call.identity.subject).await.unwrap();
    PersonCall { device_key: Some(key(seed)), ..call }
}

fn asked(id: &str) -> DeviceEnrollment {
    DeviceEnrollment { id: id.parse().unwrap(), posture: ReportedPosture { disk_encrypted: Some(true), ..Default::default() } }
}

async fn add(ca: &Installation, name: &str, seed: u8, id: &str) -> Result<KnownDevice, Reason> {
    refused(enroll(ca.authority(), &on(ca, name, seed).await, &asked(id)).await)
}

fn refused<T>(answer: Result<T, Failure>) -> Result<T, Reason> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(Failure::Refused(refusal)) => Err(refusal.reason),
        Err(failure) => panic!("{failure}"),
    }
}

fn approve_everybody_of(ca: &Installation, group: &str) {
    let rule = ApprovalRule { groups: [group.parse().unwrap()].into(), networks: Default::default(), second_factor_within: None };
    ca.change_rules(|book| book.device_rules = vec![rule]);
}

#[tokio::test]
async fn a_device_waits_until_an_administrator_or_a_rule_approves_it() {
    let ca = Installation::new();
    let laptop = add(&ca, "alice", LAPTOP, "alice-laptop").await.unwrap();
    assert_eq!((laptop.state, laptop.key), (DeviceState::Waiting, key(LAPTOP).fingerprint));
    let seen = on(&ca, "alice", LAPTOP).await.identity.evidence.device.unwrap();
    assert!(!seen.enrolled && seen.owner.unwrap().as_str() == "alice" && seen.posture.unwrap().disk_encrypted == Some(true));
    let approval = ca.authority().event(Event::DeviceApproved, Outcome::Done);
    ca.store.commit(Change::ApproveDevice { id: laptop.id, at: 1 }, approval).await.unwrap();
    assert!(on(&ca, "alice", LAPTOP).await.identity.evidence.device.unwrap().enrolled);

    approve_everybody_of(&ca, "dba");
    assert_eq!(add(&ca, "alice", TOWER, "alice-tower").await.unwrap().state, DeviceState::Enrolled);
    assert_eq!(add(&ca, "bob", 72, "bob-laptop").await.unwrap().state, DeviceState::Waiting, "bob is none of them");
    let ids = list(ca.authority(), &ca.person_call("alice").await).await.unwrap().devices;
    assert_eq!(ids.iter().map(|device| device.id.as_str()).collect::<Vec<_>>(), ["alice-laptop", "alice-tower"]);
}

#[tokio::test]
async fn a_rule_may_want_a_fresh_second_factor() {
    let ca = Installation::new();
    let rule = ApprovalRule { groups: ["dba".parse().unwrap()].into(), networks: Default::default(), second_factor_within: Some(60) };
    ca.change_rules(|book| book.device_rules = vec![rule]);
    let mut call = on(&ca, "alice", LAPTOP).await;
    assert_eq!(enroll(ca.authority(), &call, &asked("one")).await.unwrap().state, DeviceState::Waiting);
    call.device_key = Some(key(TOWER));
    call.identity.evidence.factors.insert(FactorMethod::Totp, ca.clock.unix_seconds());
    assert_eq!(enroll(ca.authority(), &call, &asked("two")).await.unwrap().state, DeviceState::Enrolled);
}

#[tokio::test]
async fn row_19_a_device_needs_a_key_of_its_own_and_a_name_of_its_own() {
    let ca = Installation::new();
    approve_everybody_of(&ca, "dba");
    let unsigned = ca.person_call("alice").await;
    assert_eq!(refused(enroll(ca.authority(), &unsigned, &asked("x")).await), Err(Reason::BadRequest));
    assert_eq!(add(&ca, "alice", ALICE, "x").await, Err(Reason::KeyInUse), "the person's own key proves no device");
    add(&ca, "alice", LAPTOP, "alice-laptop").await.unwrap();
    assert_eq!(add(&ca, "bob", TOWER, "alice-laptop").await, Err(Reason::DeviceTaken));
    assert_eq!(add(&ca, "bob", LAPTOP, "bob-laptop").await, Err(Reason::KeyInUse));
    assert_eq!(ca.last_event(), ("device.added".to_owned(), Some("key_in_use".to_owned())));
    // What signs bob's request from alice's device is no device of his.
    let seen = on(&ca, "bob", LAPTOP).await.identity.evidence.device.unwrap();
    assert!(seen.owner.unwrap().as_str() == "alice" && !seen.enrolled);
    assert!(on(&ca, "alice", LAPTOP).await.identity.evidence.device.unwrap().enrolled);
}

#[tokio::test]
async fn row_19_nobody_ends_or_speaks_for_anothers_device() {
    let ca = Installation::new();
    add(&ca, "alice", LAPTOP, "alice-laptop").await.unwrap();
    let named = NamedDevice { id: "alice-laptop".parse().unwrap() };
    assert_eq!(refused(remove(ca.authority(), &ca.person_call("bob").await, &named).await), Err(Reason::UnknownDevice));
    let told = ReportedPosture { firewall: Some(true), ..Default::default() };
    assert_eq!(refused(report(ca.authority(), &on(&ca, "bob", LAPTOP).await, &told).await), Err(Reason::UnknownDevice));
    assert_eq!(refused(report(ca.authority(), &on(&ca, "alice", TOWER).await, &told).await), Err(Reason::UnknownDevice));
    assert!(list(ca.authority(), &ca.person_call("bob").await).await.unwrap().devices.is_empty());
}

#[tokio::test]
async fn row_22_somebody_has_so_many_devices_and_no_more() {
    let ca = Installation::new();
    for seed in 0..u8::try_from(MOST).unwrap() {
        add(&ca, "alice", 100 + seed, &format!("d{seed}")).await.unwrap();
    }
    assert_eq!(add(&ca, "alice", 99, "more").await, Err(Reason::LimitReached));
    remove(ca.authority(), &ca.person_call("alice").await, &NamedDevice { id: "d0".parse().unwrap() }).await.unwrap();
    add(&ca, "alice", 99, "more").await.unwrap();
    assert!(add(&ca, "bob", 98, "other").await.is_ok(), "each person has places of their own");
}

#[tokio::test]
async fn what_a_device_tells_is_kept_and_logged_when_it_is_news() {
    let ca = Installation::new();
    add(&ca, "alice", LAPTOP, "alice-laptop").await.unwrap();
    let told = |firewall| ReportedPosture { disk_encrypted: Some(true), firewall, ..Default::default() };
    for (firewall, is_news) in [(None, false), (Some(true), true), (Some(true), false)] {
        ca.clock.advance(60);
        let before = ca.store.events().len();
        let known = report(ca.authority(), &on(&ca, "alice", LAPTOP).await, &told(firewall)).await.unwrap();
        assert_eq!(known.seen_at, ca.clock.unix_seconds());
        assert_eq!(ca.store.events().len() - before, usize::from(is_news));
    }
    let event = ca.store.events().pop().unwrap();
    assert_eq!((event.facts["disk_encrypted"].as_str(), event.facts["firewall"].as_str()), ("true", "true"));
    let seen = on(&ca, "alice", LAPTOP).await.identity.evidence.device.unwrap();
    assert_eq!((seen.last_seen, seen.posture.unwrap().firewall), (Some(ca.clock.unix_seconds()), Some(true)));
}

#[tokio::test]
async fn row_20_a_device_that_was_disabled_counts_no_more_in_certificates_that_are_out_neither() {
    let ca = Installation::new();
    approve_everybody_of(&ca, "dba");
    add(&ca, "alice", LAPTOP, "alice-laptop").await.unwrap();
    ca.clock.advance(100);
    let call = on(&ca, "alice", LAPTOP).await;
    let before = call.identity.evidence.device.clone().unwrap();
    crate::issue::issue(ca.authority(), &call, certificate_request("alice", "db-admin", "db1")).await.unwrap();
    let id = before.id.clone();
    assert_eq!(ca.store.device(&id).await.unwrap().unwrap().seen_at, call.context.unix_seconds(), "it was seen");
    let still = ca.authority().devices.of_now(before.clone(), &alice()).await.unwrap();
    assert!(still.enrolled && still.last_seen == before.last_seen);
    remove(ca.authority(), &ca.person_call("alice").await, &NamedDevice { id: id.clone() }).await.unwrap();
    assert!(!ca.authority().devices.of_now(before, &alice()).await.unwrap().enrolled);
    assert!(!on(&ca, "alice", LAPTOP).await.identity.evidence.device.unwrap().enrolled);
    assert_eq!(add(&ca, "alice", TOWER, "alice-laptop").await, Err(Reason::DeviceTaken), "its name stays taken");
}

#[tokio::test]
async fn row_20_a_revoked_device_key_counts_no_more_wherever_its_certificates_are() {
    let ca = Installation::new();
    approve_everybody_of(&ca, "dba");
    add(&ca, "alice", LAPTOP, "alice-laptop").await.unwrap();
    let before = on(&ca, "alice", LAPTOP).await.identity.evidence.device.unwrap();
    let revoked = Revoked::Key(key(LAPTOP).fingerprint);
    let revocation = Revocation { revoked, at: ca.clock.unix_seconds(), by: "uid 0".to_owned(), reason: None, ends_at: None };
    ca.store.commit(Change::Revoke(revocation), ca.authority().event(Event::Revoked, Outcome::Done)).await.unwrap();
    assert!(before.enrolled && !ca.authority().devices.of_now(before, &alice()).await.unwrap().enrolled);
}

#[tokio::test]
async fn row_35_a_key_alone_adds_and_ends_no_device_of_somebody_with_a_second_factor() {
    let ca = Installation::new();
    add(&ca, "alice", LAPTOP, "alice-laptop").await.unwrap();
    let secret = zeroize::Zeroizing::new(vec![7; 20]);
    let held = Authenticator { subject: alice(), secret, confirmed_at: None, last_step: 0, failures: 0, retry_at: 0 };
    let event = || ca.authority().event(Event::FactorAdded, Outcome::Done);
    ca.store.commit(Change::AddAuthenticator(held), event()).await.unwrap();
    let prove = async |key_fingerprint: String, step| {
        let used = CodeUsed { subject: alice(), key_fingerprint, step, at: ca.clock.unix_seconds(), failures: 0 };
        ca.store.commit(Change::UseCode(used), event()).await.unwrap();
    };
    prove("SHA256:another".to_owned(), 1).await;
    let named = NamedDevice { id: "alice-laptop".parse().unwrap() };
    assert_eq!(add(&ca, "alice", TOWER, "alice-tower").await, Err(Reason::SecondFactorRequired));
    let call = ca.person_call("alice").await;
    assert_eq!(refused(remove(ca.authority(), &call, &named).await), Err(Reason::SecondFactorRequired));
    prove(call.identity.evidence.proof.fingerprint().to_owned(), 2).await;
    add(&ca, "alice", TOWER, "alice-tower").await.unwrap();
    remove(ca.authority(), &call, &named).await.unwrap();
}

#[tokio::test]
async fn a_machine_has_no_device() {
    let ca = Installation::new();
    let mut call = on(&ca, "alice", LAPTOP).await;
    call.identity.subject = "machine:ci".parse().unwrap();
    assert_eq!(refused(enroll(ca.authority(), &call, &asked("ci")).await), Err(Reason::NotAllowed));
}

#[tokio::test]
async fn another_source_may_know_what_a_device_is_like() {
    struct Manager;
    impl PostureSource for Manager {
        fn posture<'a>(&'a self, _: &'a DeviceRecord) -> Answer<'a, Option<Posture>> {
            Box::pin(std::future::ready(Ok(Some(Posture { screen_lock: Some(true), ..Posture::default() }))))
        }
    }
    let ca = Installation::new();
    add(&ca, "alice", LAPTOP, "alice-laptop").await.unwrap();
    let devices = Devices::new(ca.authority().store.clone(), ca.authority().revocations.clone(), Box::new(Manager));
    let seen = devices.by_key(&key(LAPTOP).fingerprint, &alice()).await.unwrap().unwrap();
    assert_eq!(seen.posture.unwrap(), Posture { screen_lock: Some(true), ..Posture::default() });
}
