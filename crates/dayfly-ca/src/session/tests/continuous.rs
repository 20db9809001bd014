//! Sessions that run are looked at again: by the policy of now, what the store knows, and the address that the bastion sees.

use super::*;
use crate::{
    device,
    identity::{NewKey, PersonCall},
    installation::{FRESH, certificate_request},
    issue::issue,
    session::review,
};
use dayfly_api::{
    device::{DeviceEnrollment, NamedDevice},
    session::{RunningSession, SessionsReview},
};
use dayfly_core::{device::ApprovalRule, identity::FactorMethod};

const CONNECT: &str = "@id(\"ask\") permit(principal, action == Action::\"request\", resource);
    @id(\"connect\") permit(principal, action == Action::\"connect\", resource) when { CONDITION };";

fn connect_when(ca: &Installation, condition: &str) {
    ca.change_rules(|book| book.policy = sample::policy(&CONNECT.replace("CONDITION", condition)));
}

/// A session of alice's that runs at `gate`, to `db1`.
async fn running(ca: &Installation, call: &PersonCall) -> RunningSession {
    let certificate = issue(ca.authority(), call, certificate_request("alice", "db-admin", "db1")).await.unwrap().certificate;
    let asked = session_request("gate", &certificate, "db1");
    open(ca.authority(), &ca.bastion_call("gate").await, &asked).await.unwrap();
    RunningSession { session: asked.session, account: asked.account, forward: None, listen: None, peer: asked.peer }
}

/// Why it may not go on, if it may not.
async fn withdrawn(ca: &Installation, bastion: &str, running: &RunningSession) -> Option<String> {
    let asked = SessionsReview { sessions: vec![running.clone()] };
    let verdict = review(ca.authority(), &ca.bastion_call(bastion).await, &asked).await.unwrap();
    verdict.withdrawn.into_iter().map(|ended| ended.code).next()
}

#[tokio::test]
async fn a_session_goes_on_while_policy_permits_it_and_no_longer() {
    let ca = Installation::new();
    connect_when(&ca, "true");
    let session = running(&ca, &ca.person_call("alice").await).await;
    // Its certificate has long ended; that opened it.
    ca.clock.advance(100_000);
    let before = ca.store.events().len();
    assert_eq!(withdrawn(&ca, "gate", &session).await, None);
    assert_eq!(ca.store.events().len(), before, "a yes is no event");
    connect_when(&ca, "context.source == ip(\"192.0.2.1\")");
    assert_eq!(withdrawn(&ca, "gate", &session).await.as_deref(), Some("policy_denied"));
    let event = ca.store.events().pop().unwrap();
    assert_eq!((event.event, event.session, event.facts["policies"].as_str()), (Event::SessionWithdrawn, Some(session.session), "connect"));
    assert_eq!((event.subject.unwrap().to_string(), event.target.unwrap().to_string()), ("alice".to_owned(), "db1".to_owned()));
    let elsewhere = RunningSession { peer: "192.0.2.1".parse().unwrap(), ..session };
    assert_eq!(withdrawn(&ca, "gate", &elsewhere).await, None);
}

#[tokio::test]
async fn ages_go_on_and_groups_are_those_of_now() {
    let ca = Installation::new();
    connect_when(&ca, "context has second_factor && context.second_factor.age_seconds < 60 && principal in Group::\"dba\"");
    let mut call = ca.person_call("alice").await;
    call.identity.evidence.factors = [(FactorMethod::Totp, ca.clock.unix_seconds())].into();
    let session = running(&ca, &call).await;
    assert_eq!(withdrawn(&ca, "gate", &session).await, None);
    ca.clock.advance(60);
    assert_eq!(withdrawn(&ca, "gate", &session).await.as_deref(), Some("second_factor_required"));
    connect_when(&ca, "principal in Group::\"dba\"");
    assert_eq!(withdrawn(&ca, "gate", &session).await, None);
    let alice = call.subject().clone();
    let mut person = ca.store.person(&alice).await.unwrap().unwrap();
    person.groups.clear();
    ca.store.put_person(person.clone());
    assert_eq!(withdrawn(&ca, "gate", &session).await.as_deref(), Some("policy_denied"));
    person.disabled = true;
    ca.store.put_person(person);
    assert_eq!(withdrawn(&ca, "gate", &session).await.as_deref(), Some("revoked"));
}

#[tokio::test]
async fn row_20_a_device_that_was_lost_ends_the_sessions_that_wanted_it() {
    let ca = Installation::new();
    let rule = ApprovalRule { groups: ["dba".parse().unwrap()].into(), networks: Default::default(), second_factor_within: None };
    ca.change_rules(|book| book.device_rules = vec![rule]);
    connect_when(&ca, "context has device && context.device.enrolled");
    let key = SeedSigner::new(FRESH + 40).public_key().clone();
    let mut call = ca.person_call("alice").await;
    call.device_key = Some(NewKey { fingerprint: fingerprint(&key), key });
    let id = "laptop".parse().unwrap();
    device::enroll(ca.authority(), &call, &DeviceEnrollment { id, posture: Default::default() }).await.unwrap();
    call.identity.evidence.device =
        ca.authority().devices.by_key(&call.device_key.as_ref().unwrap().fingerprint, call.subject()).await.unwrap();
    let session = running(&ca, &call).await;
    assert_eq!(withdrawn(&ca, "gate", &session).await, None);
    device::remove(ca.authority(), &call, &NamedDevice { id: "laptop".parse().unwrap() }).await.unwrap();
    assert_eq!(withdrawn(&ca, "gate", &session).await.as_deref(), Some("policy_denied"));
}

#[tokio::test]
async fn row_12_a_target_that_is_recorded_now_keeps_no_unrecorded_session() {
    let ca = Installation::new();
    connect_when(&ca, "true");
    let call = ca.person_call("alice").await;
    let certificate = issue(ca.authority(), &call, certificate_request("alice", "web", "web1")).await.unwrap().certificate;
    let asked = SessionRequest { account: None, login_key: None, ..session_request("gate", &certificate, "web1") };
    open(ca.authority(), &ca.bastion_call("gate").await, &asked).await.unwrap();
    let session = RunningSession { session: asked.session, account: None, forward: None, listen: None, peer: asked.peer };
    assert_eq!(withdrawn(&ca, "gate", &session).await, None);
    ca.change_rules(|book| {
        let targets = book.inventory.iter().cloned().map(|target| dayfly_core::target::Target { mode: Mode::Record, ..target });
        book.inventory = dayfly_core::target::Inventory::new(targets).unwrap();
    });
    assert_eq!(withdrawn(&ca, "gate", &session).await.as_deref(), Some("wrong_mode"));
}

#[tokio::test]
async fn row_20_what_is_revoked_ends_what_runs_also_after_the_certificate() {
    let ca = Installation::new();
    connect_when(&ca, "true");
    let session = running(&ca, &ca.person_call("alice").await).await;
    ca.clock.advance(10_000);
    let opened = ca.store.session(session.session).await.unwrap().unwrap();
    revoke(&ca, "serial", &opened.parent_serial.to_string()).await;
    assert_eq!(withdrawn(&ca, "gate", &session).await.as_deref(), Some("revoked"));
}

#[tokio::test]
async fn row_31_a_bastion_asks_about_its_own_sessions_only_and_so_many() {
    let ca = Installation::new();
    connect_when(&ca, "true");
    let session = running(&ca, &ca.person_call("alice").await).await;
    assert_eq!(withdrawn(&ca, "side", &session).await.as_deref(), Some("not_issued"));
    let nobodys = RunningSession { session: uuid::Uuid::nil(), ..session.clone() };
    assert_eq!(withdrawn(&ca, "gate", &nobodys).await.as_deref(), Some("not_issued"));
    let many = SessionsReview { sessions: vec![session; 65] };
    assert!(matches!(review(ca.authority(), &ca.bastion_call("gate").await, &many).await, Err(Failure::Refused(_))));
}

#[tokio::test]
async fn a_withdrawal_that_cannot_be_logged_is_none_yet() {
    let ca = Installation::new();
    connect_when(&ca, "true");
    let session = running(&ca, &ca.person_call("alice").await).await;
    connect_when(&ca, "context.source == ip(\"192.0.2.1\")");
    ca.store.fail(|event| event == Event::SessionWithdrawn);
    let asked = SessionsReview { sessions: vec![session] };
    let verdict = review(ca.authority(), &ca.bastion_call("gate").await, &asked).await.unwrap();
    assert!(verdict.withdrawn.is_empty(), "it is asked about again");
}
