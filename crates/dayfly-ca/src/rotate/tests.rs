#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    installation::{ALICE, DB1, GATE, HOST_CA, Installation, SESSION_CA, USER_CA, host, session_request},
    session,
    store::{
        Store,
        host::{Host, HostReportHeld},
    },
    trust::{revocation_list, trust},
};
use dayfly_core::{
    audit::Reporter,
    certificate::{krl::Krl, parse},
    clock::Clock,
    rotation::{Rotation, Waiting, are_vouched_for},
    signer::SeedSigner,
};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

/// The key that every rotation here leads to.
const NEXT: u8 = 60;

/// Keys by seed, in a custody that may be away.
#[derive(Default)]
struct Seeds {
    away: AtomicBool,
}

impl NextKeys for Seeds {
    fn open(&self, _: Purpose, _: &[RotationRecord], wanted: &KeyData) -> Result<Arc<dyn Signer>, Mistake> {
        let known = [USER_CA, SESSION_CA, HOST_CA, NEXT, NEXT + 1].map(SeedSigner::new);
        let found = known.into_iter().find(|signer| signer.public_key() == wanted && !self.away.load(Ordering::SeqCst));
        found.map(|signer| Arc::new(signer) as _).ok_or_else(|| Mistake::new("agent".as_ref(), "the key is not there", "plug it in"))
    }
}

fn seeds() -> Arc<dyn NextKeys> {
    Arc::new(Seeds::default())
}

fn as_next(keys: &Arc<Seeds>) -> Arc<dyn NextKeys> {
    Arc::clone(keys) as _
}

fn key(seed: u8) -> KeyData {
    SeedSigner::new(seed).public_key().clone()
}

fn about(ca: &Installation, event: Event) -> AuditEvent {
    AuditEvent::new(ca.clock.now(), event, Outcome::Done, Reporter::Administrator)
}

async fn begin(ca: &Installation, purpose: Purpose, old: u8, new: u8) -> Result<RotationRecord, Failure> {
    let prepared = Prepared { purpose, old_key: key(old), new_key: key(new), file: None, despite: BTreeSet::new(), stage: Stage::Prepared };
    prepare(ca.store.as_ref(), prepared, &[key(USER_CA), key(SESSION_CA)], about(ca, Event::RotationPrepared)).await
}

async fn stage(ca: &Installation) -> Stage {
    ca.store.rotations().await.unwrap().last().unwrap().rotation.stage
}

/// What the newest rotation waits for.
async fn waiting(ca: &Installation) -> Waiting {
    let rotations = ca.store.rotations().await.unwrap();
    let record = rotations.last().unwrap();
    let authority = ca.authority();
    let told_after = authority.rotation.people_told_after.as_secs();
    let holders = holders(ca.store.as_ref(), &authority.rules.load().inventory, &rotations, record, told_after).await.unwrap();
    record.rotation.next(authority.clock.unix_seconds(), &holders, false).unwrap_err()
}

fn awaited(names: &[&str]) -> Waiting {
    Waiting::Holders { names: names.iter().map(ToString::to_string).collect(), told_at: None }
}

/// The bastion of this name reports that it trusts the keys of these seeds.
async fn bastion_reports(ca: &Installation, name: &str, seeds: &[u8]) {
    let trusted = seeds.iter().map(|seed| fingerprint(&key(*seed))).collect();
    let report = dayfly_api::bastion::BastionReport { trusted };
    crate::bastion_report::note(ca.authority(), &ca.bastion_call(name).await.bastion, report).await.unwrap();
}

/// The host of this name, enrolled, that was seen to trust the keys of these seeds.
fn enrolled(ca: &Installation, name: &str, seed: u8, trusted: &[u8]) {
    let trusted = trusted.iter().map(|seed| fingerprint(&key(*seed))).collect();
    let report = HostReportHeld { seen_at: 1, krl: None, current_at: None, trusted };
    ca.store.put_host(Host { report: Some(report), ..host(name, &[name], Some(seed), name, 0) });
}

async fn turn_user(ca: &Installation) {
    turn(ca.authority(), &seeds(), Purpose::User).await.unwrap();
}

#[tokio::test]
async fn a_rotation_goes_from_key_to_key_and_locks_nobody_out() {
    let ca = Installation::new();
    let before = ca.alices_certificate("db-admin", "db1").await;
    begin(&ca, Purpose::User, USER_CA, NEXT).await.unwrap();
    turn_user(&ca).await;
    // Published: both are trusted, and the old one signs until bastions and passthrough targets were seen with the new one.
    assert!(matches!(stage(&ca).await, Stage::Published { .. }));
    assert_eq!(waiting(&ca).await, awaited(&["bastion:gate", "bastion:side", "target:web1"]));
    let told = trust(ca.authority()).await.unwrap();
    let keys = |lines: &[String]| lines.iter().map(|line| ssh_key::PublicKey::from_openssh(line).unwrap().into()).collect::<Vec<KeyData>>();
    assert_eq!(keys(&told.user_ca), [key(USER_CA), key(NEXT)]);
    assert!(are_vouched_for(Purpose::User, &[key(USER_CA)], &keys(&told.user_ca), &told.endorsements));
    assert_eq!(parse(&ca.alices_certificate("db-admin", "db1").await).unwrap().signature_key(), &key(USER_CA));

    for bastion in ["gate", "side"] {
        bastion_reports(&ca, bastion, &[USER_CA, NEXT]).await;
    }
    turn_user(&ca).await;
    assert_eq!(waiting(&ca).await, awaited(&["target:web1"]), "nobody enrolled it as a host");
    enrolled(&ca, "web1", ALICE, &[USER_CA, NEXT]);
    turn_user(&ca).await;

    // Switched: the new one signs, and what the old one signed is good to its end.
    let Stage::Switched { last_end } = stage(&ca).await else { panic!("{:?}", stage(&ca).await) };
    assert!(last_end > parse(&before).unwrap().valid_before());
    let after = ca.alices_certificate("db-admin", "db1").await;
    assert_eq!(parse(&after).unwrap().signature_key(), &key(NEXT));
    for certificate in [&before, &after] {
        let asked = session_request("gate", certificate, "db1");
        session::open(ca.authority(), &ca.bastion_call("gate").await, &asked).await.unwrap();
    }

    let until = |ca: &Installation, at: u64| i64::try_from(at - ca.clock.unix_seconds()).unwrap();
    ca.clock.advance(until(&ca, last_end) - 1);
    turn_user(&ca).await;
    assert!(matches!(stage(&ca).await, Stage::Switched { .. }));
    ca.clock.advance(until(&ca, last_end));
    turn_user(&ca).await;
    assert_eq!(stage(&ca).await, Stage::Retired);
    let told = trust(ca.authority()).await.unwrap();
    assert_eq!(keys(&told.user_ca), [key(NEXT)]);
    // Whoever slept through all of it still finds the old key's word.
    assert!(are_vouched_for(Purpose::User, &[key(USER_CA)], &keys(&told.user_ca), &told.endorsements));

    let steps: Vec<Event> =
        ca.store.events().into_iter().map(|event| event.event).filter(|event| event.as_str().starts_with("rotation.")).collect();
    assert_eq!(steps, [Event::RotationPrepared, Event::RotationPublished, Event::RotationSwitched, Event::RotationRetired]);
}

#[tokio::test]
async fn a_key_that_is_away_holds_the_rotation_up_and_nothing_else() {
    let ca = Installation::new();
    let keys = Arc::new(Seeds::default());
    begin(&ca, Purpose::Session, SESSION_CA, NEXT).await.unwrap();
    keys.away.store(true, Ordering::SeqCst);
    assert!(matches!(turn(ca.authority(), &as_next(&keys), Purpose::Session).await, Err(Stuck::Key(_))));
    assert_eq!(stage(&ca).await, Stage::Prepared);
    keys.away.store(false, Ordering::SeqCst);
    enrolled(&ca, "db1", DB1, &[NEXT]);
    enrolled(&ca, "db2", GATE, &[SESSION_CA]);
    turn(ca.authority(), &as_next(&keys), Purpose::Session).await.unwrap();
    assert_eq!(waiting(&ca).await, awaited(&["target:db2"]));
    // Away at the very moment of the switch: the old key goes on.
    keys.away.store(true, Ordering::SeqCst);
    enrolled(&ca, "db2", GATE, &[SESSION_CA, NEXT]);
    assert!(turn(ca.authority(), &as_next(&keys), Purpose::Session).await.is_err());
    assert!(matches!(stage(&ca).await, Stage::Published { .. }));
    assert_eq!(ca.authority().keyring.signer(Purpose::Session).public_key(), &key(SESSION_CA));
}

#[tokio::test]
async fn a_step_that_cannot_be_logged_is_not_taken() {
    let ca = Installation::new();
    begin(&ca, Purpose::User, USER_CA, NEXT).await.unwrap();
    ca.store.fail(|event| event == Event::RotationPublished);
    assert!(turn(ca.authority(), &seeds(), Purpose::User).await.is_err());
    assert_eq!(stage(&ca).await, Stage::Prepared);
    assert_eq!(trust(ca.authority()).await.unwrap().user_ca.len(), 1);
    // The next attempt goes on from there, as a CA does that was ended in the middle.
    ca.store.fail(|_| false);
    turn_user(&ca).await;
    assert!(matches!(stage(&ca).await, Stage::Published { .. }));
}

#[tokio::test]
async fn what_another_process_did_is_followed() {
    let ca = Installation::new();
    let record = begin(&ca, Purpose::User, USER_CA, NEXT).await.unwrap();
    let steps = [(Stage::Prepared, Stage::Published { at: 1 }), (Stage::Published { at: 1 }, Stage::Switched { last_end: u64::MAX })];
    for (from, to) in steps {
        let step = RotationStep { purpose: record.rotation.purpose, from, to, endorsement: None };
        ca.store.commit(Change::StepRotation(step), about(&ca, Event::RotationSwitched)).await.unwrap();
    }
    turn_user(&ca).await;
    assert_eq!(ca.authority().keyring.signer(Purpose::User).public_key(), &key(NEXT));
    assert_eq!(ca.authority().keyring.of(Purpose::User).trusted, [key(NEXT), key(USER_CA)]);
}

#[tokio::test]
async fn somebody_is_left_behind_by_name_and_the_log_says_so() {
    let ca = Installation::new();
    let record = begin(&ca, Purpose::User, USER_CA, NEXT).await.unwrap();
    for bastion in ["gate", "side"] {
        bastion_reports(&ca, bastion, &[NEXT]).await;
    }
    turn_user(&ca).await;
    let names = BTreeSet::from(["target:web1".to_owned()]);
    despite(ca.store.as_ref(), &record, names, about(&ca, Event::RotationDespite)).await.unwrap();
    turn_user(&ca).await;
    assert!(matches!(stage(&ca).await, Stage::Switched { .. }));
    let event = ca.store.events().pop().unwrap();
    assert_eq!((event.event, event.facts["despite"].as_str()), (Event::RotationSwitched, "target:web1"));
}

#[tokio::test]
async fn a_rotation_is_given_up_before_it_switched_and_never_after() {
    let ca = Installation::new();
    let record = begin(&ca, Purpose::User, USER_CA, NEXT).await.unwrap();
    turn_user(&ca).await;
    let published = RotationRecord { rotation: Rotation { stage: stage(&ca).await, ..record.rotation.clone() }, ..record.clone() };
    abandon(ca.store.as_ref(), &published, about(&ca, Event::RotationAbandoned)).await.unwrap();
    turn_user(&ca).await;
    assert_eq!(ca.authority().keyring.of(Purpose::User).trusted, [key(USER_CA)]);
    let switched = Rotation { stage: Stage::Switched { last_end: 5 }, ..record.rotation.clone() };
    let refused = abandon(ca.store.as_ref(), &RotationRecord { rotation: switched, ..record }, about(&ca, Event::RotationAbandoned)).await;
    assert!(matches!(refused, Err(Failure::Refused(_))));
    begin(&ca, Purpose::User, USER_CA, NEXT).await.unwrap();
}

#[tokio::test]
async fn row_29_a_key_that_serves_another_purpose_or_was_given_up_takes_nobodys_place() {
    let ca = Installation::new();
    assert!(matches!(begin(&ca, Purpose::User, USER_CA, SESSION_CA).await, Err(Failure::Refused(_))), "the session CA's");
    assert!(matches!(begin(&ca, Purpose::User, USER_CA, USER_CA).await, Err(Failure::Refused(_))), "its own");
    let record = begin(&ca, Purpose::Host, HOST_CA, NEXT).await.unwrap();
    assert!(matches!(begin(&ca, Purpose::User, USER_CA, NEXT).await, Err(Failure::Refused(_))), "the host CA's next one");
    assert!(matches!(begin(&ca, Purpose::User, USER_CA, HOST_CA).await, Err(Failure::Refused(_))), "the host CA's");
    turn(ca.authority(), &seeds(), Purpose::Host).await.unwrap();
    assert_eq!(trust(ca.authority()).await.unwrap().endorsements.len(), 1);
    let published = RotationRecord { rotation: Rotation { stage: stage(&ca).await, ..record.rotation.clone() }, ..record };
    abandon(ca.store.as_ref(), &published, about(&ca, Event::RotationAbandoned)).await.unwrap();
    assert!(matches!(begin(&ca, Purpose::User, USER_CA, NEXT).await, Err(Failure::Refused(_))), "somebody may still trust it for hosts");
    assert!(trust(ca.authority()).await.unwrap().endorsements.is_empty(), "nobody vouches for it any more");
    begin(&ca, Purpose::Host, HOST_CA, NEXT).await.unwrap();
}

#[tokio::test]
async fn row_20_what_is_revoked_stands_in_the_list_under_both_keys() {
    let ca = Installation::new();
    let before = parse(&ca.alices_certificate("db-admin", "db1").await).unwrap();
    begin(&ca, Purpose::User, USER_CA, NEXT).await.unwrap();
    for bastion in ["gate", "side"] {
        bastion_reports(&ca, bastion, &[NEXT]).await;
    }
    enrolled(&ca, "web1", ALICE, &[NEXT]);
    turn_user(&ca).await;
    let after = parse(&ca.alices_certificate("db-admin", "db1").await).unwrap();
    ca.store.commit(Change::DisablePerson("alice".parse().unwrap()), about(&ca, Event::UserDisabled)).await.unwrap();
    let list = revocation_list(ca.authority()).await.unwrap();
    let krl = Krl::parse(&list.bytes).unwrap();
    assert_ne!(before.signature_key(), after.signature_key());
    assert!(krl.revokes(&before).is_some() && krl.revokes(&after).is_some());
}

#[tokio::test]
async fn a_target_that_the_host_ca_certifies_is_recognised_by_its_new_key_too() {
    let ca = Installation::new();
    let line = |seed| ssh_key::PublicKey::from(key(seed)).to_openssh().unwrap();
    let mut book = ca.authority().rules.load().as_ref().clone();
    let targets = book.inventory.iter().cloned().map(|mut target| {
        if target.name.as_str() == "web1" {
            (target.host_keys, target.host_ca) = (Vec::new(), vec![line(HOST_CA)]);
        }
        target
    });
    book.inventory = dayfly_core::target::Inventory::new(targets.collect::<Vec<_>>()).unwrap();
    ca.authority().rules.store(Arc::new(book));
    begin(&ca, Purpose::Host, HOST_CA, NEXT).await.unwrap();
    turn(ca.authority(), &seeds(), Purpose::Host).await.unwrap();
    let gate = ca.bastion_call("gate").await.bastion;
    let told = crate::bastion_inventory::inventory(ca.authority(), &gate).await.unwrap();
    let web1 = told.targets.iter().find(|target| target.name.as_str() == "web1").unwrap();
    let keys: Vec<KeyData> = web1.host_ca.iter().map(|line| ssh_key::PublicKey::from_openssh(line).unwrap().into()).collect();
    assert_eq!(keys, [key(HOST_CA), key(NEXT)]);
    // Both bastions serve it, and people know the bastions by that authority.
    let Waiting::Holders { names, told_at } = waiting(&ca).await else { panic!() };
    assert_eq!((names.join(","), told_at), ("bastion:gate,bastion:side,people".to_owned(), Some(ca.clock.unix_seconds() + 600)));

    let report = |name: &'static str| bastion_reports(&ca, name, &[HOST_CA, NEXT]);
    report("gate").await;
    report("side").await;
    ca.clock.advance(600);
    turn(ca.authority(), &seeds(), Purpose::Host).await.unwrap();
    let Stage::Switched { last_end } = stage(&ca).await else { panic!() };
    ca.clock.advance(i64::try_from(last_end - ca.clock.unix_seconds()).unwrap());
    turn(ca.authority(), &seeds(), Purpose::Host).await.unwrap();
    // ca.toml still names the old one, and it is good for nobody any more.
    let told = crate::bastion_inventory::inventory(ca.authority(), &gate).await.unwrap();
    let web1 = told.targets.iter().find(|target| target.name.as_str() == "web1").unwrap();
    assert_eq!(web1.host_ca.len(), 1);
    assert!(web1.host_ca[0].starts_with(&line(NEXT)));
}

/// A rotation of the user CA's key that has switched.
async fn switched(ca: &Installation) {
    begin(ca, Purpose::User, USER_CA, NEXT).await.unwrap();
    for bastion in ["gate", "side"] {
        bastion_reports(ca, bastion, &[NEXT]).await;
    }
    enrolled(ca, "web1", ALICE, &[NEXT]);
    turn_user(ca).await;
    assert!(matches!(stage(ca).await, Stage::Switched { .. }));
}

#[tokio::test]
async fn row_20_an_old_key_that_was_revoked_is_trusted_not_a_moment_longer() {
    let ca = Installation::new();
    switched(&ca).await;
    let revoked = dayfly_core::certificate::Revoked::Ca(fingerprint(&key(USER_CA)));
    let revocation = crate::store::Revocation { revoked, at: ca.clock.unix_seconds(), by: "uid 0".to_owned(), reason: None, ends_at: None };
    ca.store.commit(Change::Revoke(revocation), about(&ca, Event::Revoked)).await.unwrap();
    let told = trust(ca.authority()).await.unwrap();
    assert_eq!((told.user_ca.len(), told.endorsements.len()), (1, 0), "told to nobody, and its word counts for nothing");
    turn_user(&ca).await;
    assert_eq!(stage(&ca).await, Stage::Retired);
    assert_eq!(ca.authority().keyring.of(Purpose::User).trusted, [key(NEXT)]);
}

#[tokio::test]
async fn row_28_no_other_key_signs_in_the_place_of_one_that_is_away() {
    let ca = Installation::new();
    switched(&ca).await;
    // Another process, which has slept through it and cannot open the key.
    ca.authority().keyring.turn(Purpose::User, AuthorityKeys::alone(Arc::new(SeedSigner::new(USER_CA))));
    let keys = Arc::new(Seeds::default());
    keys.away.store(true, Ordering::SeqCst);
    assert!(turn(ca.authority(), &as_next(&keys), Purpose::User).await.is_err());
    let asked = crate::installation::certificate_request("alice", "db-admin", "db1");
    assert!(crate::issue::issue(ca.authority(), &ca.person_call("alice").await, asked).await.is_err());
    keys.away.store(false, Ordering::SeqCst);
    turn(ca.authority(), &as_next(&keys), Purpose::User).await.unwrap();
    assert_eq!(parse(&ca.alices_certificate("db-admin", "db1").await).unwrap().signature_key(), &key(NEXT));
}

#[tokio::test]
async fn a_certificate_that_lives_longer_than_roles_allow_by_now_keeps_its_key_trusted() {
    let ca = Installation::new();
    let ends_at = ca.clock.unix_seconds() + 20 * 60 * 60;
    let record = crate::store::Certificate {
        serial: 77,
        digest: [0; 32],
        subject: "alice".parse().unwrap(),
        ends_at,
        role: None,
        grant: None,
        key_fingerprint: None,
        issued_at: 1,
        evidence: None,
    };
    ca.store.commit(Change::AddCertificate(record), about(&ca, Event::CertificateIssued)).await.unwrap();
    switched(&ca).await;
    assert_eq!(stage(&ca).await, Stage::Switched { last_end: ends_at });
}
