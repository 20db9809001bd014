//! What every store must do. Each case takes an empty store; [`store_suite!`] runs them all over one kind of store.

mod device;
mod evidence;
mod factor;
mod host;
mod inventory;
mod rotation;
mod sign_in;

use super::{
    Bastion, Certificate, Change, ListRecord, Minted, Person, PersonKey, Revocation, RevokedSerials, Session, Store, StoreError, Unique,
};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome, Reporter},
    certificate::Revoked,
    identity::Subject,
    log_link::Chain,
    name::{BastionName, TargetName},
};
use evidence::evidence;
pub(crate) use evidence::row_20_a_revoked_key_takes_what_it_asked_for_with_it;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// A test for each case, over the stores that `$empty_store` makes: a guard that keeps the store's place, and the store.
macro_rules! store_suite {
    ($empty_store:path: $($case:ident)*) => {$(
        #[tokio::test]
        async fn $case() {
            let (_place, store) = $empty_store();
            $crate::store::suite::$case(&store).await;
        }
    )*};
    ($empty_store:path) => {
        $crate::store::suite::store_suite! { $empty_store:
            what_was_added_is_found_again
            nothing_is_there_that_was_not_added
            one_of_each_kind_and_one_key_for_each
            certificates_and_sessions_stand_on_what_was_stored
            row_31_a_session_id_is_used_up_by_one_session
            row_32_an_inner_host_key_carries_one_name
            a_disabled_person_stays_known_as_disabled
            row_20_every_kind_of_revocation_finds_its_certificates_and_their_sessions
            row_20_what_was_issued_under_a_role_afterwards_is_not_revoked_with_it
            the_revocation_lists_number_only_rises
            the_log_is_linked_from_its_first_row
            a_conflict_fails_alone_among_its_neighbours
            a_bastions_events_come_in_order_and_once
            row_37_nothing_is_signed_while_time_runs_backwards
            row_37_a_bastions_clock_stops_nobody
            an_event_that_no_row_can_hold_changes_nothing
            a_host_enrols_once_by_its_token
            a_hosts_key_is_nobody_elses_until_it_is_given_up
            a_report_that_tells_nothing_new_is_noted_without_an_event
            a_sign_in_makes_its_holder_known_and_ends_once
            row_15_a_name_belongs_to_one_account
            row_15_a_token_is_used_once_until_it_ends
            a_sources_last_answer_stays_while_it_fails_and_only_news_are_events
            an_authority_has_one_rotation_at_a_time_and_a_step_is_taken_once
            row_22_a_code_counts_once_and_not_beside_others_that_are_tried
            a_device_is_approved_once_and_its_id_and_key_stay_taken
            row_21_a_passkey_is_one_persons_and_counts_onwards
            row_20_a_revoked_key_takes_what_it_asked_for_with_it
        }
    };
}
pub(crate) use device::a_device_is_approved_once_and_its_id_and_key_stay_taken;
pub(crate) use factor::{
    row_21_a_passkey_is_one_persons_and_counts_onwards, row_22_a_code_counts_once_and_not_beside_others_that_are_tried,
};
pub(crate) use host::{
    a_host_enrols_once_by_its_token, a_hosts_key_is_nobody_elses_until_it_is_given_up,
    a_report_that_tells_nothing_new_is_noted_without_an_event,
};
pub(crate) use inventory::a_sources_last_answer_stays_while_it_fails_and_only_news_are_events;
pub(crate) use rotation::an_authority_has_one_rotation_at_a_time_and_a_step_is_taken_once;
pub(crate) use sign_in::{
    a_sign_in_makes_its_holder_known_and_ends_once, row_15_a_name_belongs_to_one_account, row_15_a_token_is_used_once_until_it_ends,
};
pub(crate) use store_suite;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

/// When the certificates of these tests end.
const ENDS_AT: u64 = 1_800_000_000;

/// What another process's writer appends, too.
pub(crate) fn event(event: Event) -> AuditEvent {
    AuditEvent::new(NOW, event, Outcome::Done, Reporter::Ca)
}

fn subject(name: &str) -> Subject {
    name.parse().unwrap()
}

fn person(name: &str, key: &str) -> Person {
    Person {
        subject: subject(name),
        key: Some(PersonKey { fingerprint: format!("SHA256:{key}"), line: format!("ssh-ed25519 {key}") }),
        account: None,
        groups: ["dba", "reviewers"].map(|group| group.parse().unwrap()).into(),
        disabled: false,
    }
}

fn bastion(name: &str, key: &str) -> Bastion {
    Bastion {
        name: name.parse().unwrap(),
        key_fingerprint: format!("SHA256:{key}"),
        public_key: format!("ssh-ed25519 {key}"),
        targets: ["db", "web1"].map(|target| target.parse().unwrap()).into(),
        dials_from: ["192.0.2.1", "2001:db8::/32"].map(|network| network.parse().unwrap()).into(),
        host_names: BTreeSet::from(["bastion.example.org".to_owned()]),
        address: Some("bastion.example.org:22".to_owned()),
        disabled: false,
        report: None,
    }
}

fn certificate(serial: u64, name: &str) -> Certificate {
    Certificate {
        serial,
        digest: [7; 32],
        subject: subject(name),
        ends_at: ENDS_AT,
        role: Some("db-admin".parse().unwrap()),
        grant: Some(Uuid::from_u128(u128::from(serial))),
        key_fingerprint: Some(format!("SHA256:{serial:A<43}")),
        issued_at: ENDS_AT - 300,
        evidence: Some(evidence()),
    }
}

fn session(id: u128, parent_serial: u64, serial: Option<u64>) -> Session {
    let certificate = serial.map(|serial| Minted { serial, ends_at: ENDS_AT - 100 });
    Session { id: Uuid::from_u128(id), parent_serial, certificate, bastion: "b1".parse().unwrap(), target: "db1".parse().unwrap() }
}

async fn commit(store: &dyn Store, change: Change, kind: Event) -> Result<u64, StoreError> {
    store.commit(change, event(kind)).await.map(|position| position.seq)
}

async fn add(store: &dyn Store, change: Change) {
    commit(store, change, Event::UserAdded).await.unwrap();
}

async fn conflict(store: &dyn Store, change: Change) -> Unique {
    match commit(store, change, Event::UserAdded).await {
        Err(StoreError::Conflict(unique)) => unique,
        other => panic!("{other:?} is no conflict"),
    }
}

/// Alice with certificate 1, and bastion `b1`.
async fn furnish(store: &dyn Store) {
    add(store, Change::AddPerson(person("alice", "a"))).await;
    add(store, Change::AddBastion(bastion("b1", "b"))).await;
    add(store, Change::AddCertificate(certificate(1, "alice"))).await;
}

/// Reads the whole log, follows its links, and gives the number of its rows.
pub(crate) async fn verified_rows(store: &dyn Store) -> u64 {
    let mut chain = Chain::default();
    loop {
        let rows = store.rows(chain.seq(), 100).await.unwrap();
        if rows.is_empty() {
            let head = store.head().await.unwrap();
            assert_eq!(head.map_or(0, |head| head.seq), chain.seq());
            return chain.seq();
        }
        for row in rows {
            chain.follow(row.position.seq, &row.event, &row.position.hash).unwrap();
        }
    }
}

pub(crate) async fn what_was_added_is_found_again(store: &dyn Store) {
    let (alice, ci, b1) = (person("alice", "a"), person("machine:ci", "c"), bastion("b1", "b"));
    add(store, Change::AddPerson(ci.clone())).await;
    add(store, Change::AddPerson(alice.clone())).await;
    add(store, Change::AddBastion(b1.clone())).await;
    add(store, Change::AddCertificate(certificate(1 << 52, "alice"))).await;

    assert_eq!(store.person_by_key("SHA256:a").await.unwrap(), Some(alice.clone()));
    assert_eq!(store.person(&subject("machine:ci")).await.unwrap(), Some(ci.clone()));
    assert_eq!(store.people().await.unwrap(), [alice, ci]);
    assert_eq!(store.bastion_by_key("SHA256:b").await.unwrap(), Some(b1.clone()));
    assert_eq!(store.bastions().await.unwrap(), [b1]);
    assert_eq!(store.certificate(1 << 52).await.unwrap(), Some(certificate(1 << 52, "alice")));
}

pub(crate) async fn nothing_is_there_that_was_not_added(store: &dyn Store) {
    furnish(store).await;
    // A key opens one kind of door, whatever is asked with it.
    assert_eq!(store.person_by_key("SHA256:b").await.unwrap(), None);
    assert_eq!(store.bastion_by_key("SHA256:a").await.unwrap(), None);
    assert_eq!(store.person(&subject("machine:alice")).await.unwrap(), None);
    assert_eq!(store.person(&subject("bob")).await.unwrap(), None);
    for serial in [0, 2, u64::MAX] {
        assert_eq!(store.certificate(serial).await.unwrap(), None);
    }
    assert_eq!(store.last_bastion_event(&"b2".parse().unwrap()).await.unwrap(), 0);
    assert!(store.rows(u64::MAX, 10).await.unwrap().is_empty());
}

pub(crate) async fn one_of_each_kind_and_one_key_for_each(store: &dyn Store) {
    furnish(store).await;
    assert_eq!(conflict(store, Change::AddPerson(person("alice", "x"))).await, Unique::Person);
    assert_eq!(conflict(store, Change::AddPerson(person("bob", "a"))).await, Unique::Key);
    assert_eq!(conflict(store, Change::AddPerson(person("bob", "b"))).await, Unique::Key);
    assert_eq!(conflict(store, Change::AddBastion(bastion("b1", "y"))).await, Unique::Bastion);
    assert_eq!(conflict(store, Change::AddBastion(bastion("b2", "a"))).await, Unique::Key);
    assert_eq!(conflict(store, Change::AddCertificate(certificate(1, "alice"))).await, Unique::Serial);
    // What conflicted left nothing behind: its key is free.
    add(store, Change::AddPerson(person("bob", "x"))).await;
    add(store, Change::AddBastion(bastion("b2", "y"))).await;
    assert_eq!(verified_rows(store).await, 5);
}

pub(crate) async fn certificates_and_sessions_stand_on_what_was_stored(store: &dyn Store) {
    furnish(store).await;
    let unknown = async |change: Change| match commit(store, change, Event::SessionStarted).await {
        Err(StoreError::Unknown(what)) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown(Change::AddCertificate(certificate(2, "mallory"))).await, "person mallory");
    assert!(unknown(Change::AddSession(session(1, 2, None))).await.contains("certificate 2"));
    let elsewhere = Session { bastion: "b9".parse().unwrap(), ..session(1, 1, None) };
    assert!(unknown(Change::AddSession(elsewhere)).await.contains("b9"));
    assert_eq!(verified_rows(store).await, 3);
}

pub(crate) async fn row_31_a_session_id_is_used_up_by_one_session(store: &dyn Store) {
    furnish(store).await;
    add(store, Change::AddSession(session(1, 1, Some(10)))).await;
    let first = session(1, 1, Some(10));
    assert_eq!(store.session(first.id).await.unwrap(), Some(first));
    assert_eq!(store.session(session(2, 1, None).id).await.unwrap(), None);
    assert_eq!(conflict(store, Change::AddSession(session(1, 1, Some(11)))).await, Unique::Session);
    assert_eq!(conflict(store, Change::AddSession(session(1, 1, None))).await, Unique::Session);
    // Serials are unique among the certificates of both kinds.
    assert_eq!(conflict(store, Change::AddSession(session(2, 1, Some(10)))).await, Unique::Serial);
    assert_eq!(conflict(store, Change::AddSession(session(2, 1, Some(1)))).await, Unique::Serial);
    assert_eq!(conflict(store, Change::AddCertificate(certificate(10, "alice"))).await, Unique::Serial);
    add(store, Change::AddSession(session(2, 1, None))).await;
    add(store, Change::AddSession(session(3, 1, None))).await;
}

pub(crate) async fn row_32_an_inner_host_key_carries_one_name(store: &dyn Store) {
    furnish(store).await;
    add(store, Change::AddBastion(bastion("b2", "d"))).await;
    let key = |bastion: &str, target: &str| Change::AddInnerHostKey {
        key_fingerprint: "SHA256:inner".to_owned(),
        bastion: BastionName::new(bastion).unwrap(),
        target: TargetName::new(target).unwrap(),
    };
    add(store, key("b1", "db1")).await;
    add(store, key("b1", "db1")).await;
    assert_eq!(conflict(store, key("b1", "db2")).await, Unique::InnerHostKey);
    assert_eq!(conflict(store, key("b2", "db1")).await, Unique::InnerHostKey);
}

pub(crate) async fn a_disabled_person_stays_known_as_disabled(store: &dyn Store) {
    furnish(store).await;
    add(store, Change::DisablePerson(subject("alice"))).await;
    assert!(store.person_by_key("SHA256:a").await.unwrap().unwrap().disabled);
    assert_eq!(conflict(store, Change::AddPerson(person("alice", "x"))).await, Unique::Person);
    let nobody = commit(store, Change::DisablePerson(subject("bob")), Event::UserDisabled).await;
    assert!(matches!(nobody, Err(StoreError::Unknown(what)) if what == "person bob"));
}

fn revocation(kind: &str, value: &str, at: u64, ends_at: Option<u64>) -> Revocation {
    Revocation { revoked: Revoked::parse(kind, value).unwrap(), at, by: "uid 0".to_owned(), reason: Some("lost".to_owned()), ends_at }
}

async fn revoke(store: &dyn Store, revocation: Revocation) {
    commit(store, Change::Revoke(revocation), Event::Revoked).await.unwrap();
}

/// alice's certificates 1 and 2, a session of each, and bob's certificate 3.
async fn furnish_for_revocation(store: &dyn Store) {
    furnish(store).await;
    add(store, Change::AddPerson(person("bob", "bob"))).await;
    add(store, Change::AddCertificate(certificate(2, "alice"))).await;
    add(store, Change::AddCertificate(certificate(3, "bob"))).await;
    add(store, Change::AddSession(session(1, 1, Some(10)))).await;
    add(store, Change::AddSession(session(2, 2, Some(20)))).await;
    add(store, Change::AddSession(session(3, 3, None))).await;
}

pub(crate) async fn row_20_every_kind_of_revocation_finds_its_certificates_and_their_sessions(store: &dyn Store) {
    furnish_for_revocation(store).await;
    let now = ENDS_AT - 200;
    assert_eq!(store.revoked_serials(now).await.unwrap(), RevokedSerials::default());
    let grant = Uuid::from_u128(1);
    let (key, key_id) = (format!("SHA256:{:A<43}", 1), format!("alice role=db-admin grant={grant}"));
    // Each counts for one second, and they follow each other.
    let kinds = [("serial", "1"), ("key-id", &key_id), ("key", &key), ("grant", &grant.to_string())];
    for (second, (kind, value)) in (0..).zip(kinds) {
        let revoked = Revoked::parse(kind, value).unwrap();
        assert_eq!(store.covered(&revoked, now).await.unwrap(), [certificate(1, "alice")], "{kind}");
        let before = store.revocation_state().await.unwrap();
        revoke(store, revocation(kind, value, now, Some(now + second + 1))).await;
        assert_ne!(store.revocation_state().await.unwrap(), before);
        let found = store.revoked_serials(now + second).await.unwrap();
        assert_eq!(found, RevokedSerials { certificates: vec![1], sessions: vec![10], others: vec![] }, "{kind}");
        assert_eq!(store.revoked_serials(now + second + 1).await.unwrap(), RevokedSerials::default(), "{kind} has ended");
    }
    assert_eq!(store.revocations().await.unwrap().len(), kinds.len(), "what has ended is still told");
    revoke(store, revocation("person", "alice", now, None)).await;
    revoke(store, revocation("serial", "20", now, None)).await;
    for nobodys in [77, u64::MAX] {
        revoke(store, revocation("serial", &nobodys.to_string(), now, None)).await;
    }
    let later = now + 50;
    let expected = RevokedSerials { certificates: vec![1, 2], sessions: vec![10, 20], others: vec![77, u64::MAX] };
    assert_eq!(store.revoked_serials(later).await.unwrap(), expected);
    add(store, Change::DisablePerson(subject("bob"))).await;
    assert_eq!(store.revoked_serials(later).await.unwrap().certificates, [1, 2, 3]);
    // What has ended by itself needs no revocation: sessions first.
    let found = store.revoked_serials(ENDS_AT - 100).await.unwrap();
    assert_eq!((found.certificates.len(), found.sessions.len()), (3, 0));
    assert_eq!(store.revoked_serials(ENDS_AT).await.unwrap(), RevokedSerials { others: vec![77, u64::MAX], ..RevokedSerials::default() });
}

pub(crate) async fn row_20_what_was_issued_under_a_role_afterwards_is_not_revoked_with_it(store: &dyn Store) {
    furnish_for_revocation(store).await;
    let issued = ENDS_AT - 300;
    revoke(store, revocation("role", "db-admin", issued - 1, None)).await;
    revoke(store, revocation("role", "web", issued, None)).await;
    assert_eq!(store.revoked_serials(issued).await.unwrap(), RevokedSerials::default());
    revoke(store, revocation("role", "db-admin", issued, None)).await;
    assert_eq!(store.revoked_serials(issued).await.unwrap().certificates, [1, 2, 3]);
}

pub(crate) async fn the_revocation_lists_number_only_rises(store: &dyn Store) {
    let list = |number| ListRecord { number, generated_at: ENDS_AT, digest: [u8::try_from(number).unwrap(); 32] };
    assert_eq!(store.published_list().await.unwrap(), None);
    for number in 1..=3 {
        commit(store, Change::PublishList(list(number)), Event::RevocationListPublished).await.unwrap();
        assert_eq!(store.published_list().await.unwrap(), Some(list(number)));
    }
    for number in [1, 3, 5] {
        assert_eq!(conflict(store, Change::PublishList(list(number))).await, Unique::RevocationList);
    }
    assert_eq!(verified_rows(store).await, 3);
}

pub(crate) async fn the_log_is_linked_from_its_first_row(store: &dyn Store) {
    assert_eq!(store.head().await.unwrap(), None);
    for seq in 1..=25 {
        let position = store.commit(Change::None, event(Event::LogRead).fact("n", seq)).await.unwrap();
        assert_eq!(position.seq, seq);
        assert_eq!(store.head().await.unwrap(), Some(position));
    }
    assert_eq!(verified_rows(store).await, 25);
    let middle = store.rows(10, 5).await.unwrap();
    assert_eq!(middle.iter().map(|row| row.position.seq).collect::<Vec<_>>(), [11, 12, 13, 14, 15]);
    assert_eq!(middle[0].event, event(Event::LogRead).fact("n", 11).canonical_bytes().unwrap());
}

pub(crate) async fn a_conflict_fails_alone_among_its_neighbours(store: &dyn Store) {
    furnish(store).await;
    let serials = (0..200_u64).map(|n| if n % 3 == 0 { 1 } else { n + 1000 });
    let answers = join_all(serials.map(|serial| {
        let about = event(Event::CertificateIssued).serial(serial);
        store.commit(Change::AddCertificate(certificate(serial, "alice")), about)
    }))
    .await;
    let (stored, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((stored.len(), refused.len()), (133, 67));
    assert!(refused.iter().all(|answer| matches!(answer, Err(StoreError::Conflict(Unique::Serial)))));
    let numbers: BTreeSet<u64> = stored.into_iter().map(|answer| answer.unwrap().seq).collect();
    assert_eq!(numbers, (4..=136).collect());
    assert_eq!(verified_rows(store).await, 136);
}

pub(crate) async fn a_bastions_events_come_in_order_and_once(store: &dyn Store) {
    furnish(store).await;
    let b1 = BastionName::new("b1").unwrap();
    let report = |bastion: &str, number| {
        let change = Change::BastionEvent { bastion: BastionName::new(bastion).unwrap(), number };
        store.commit(change, AuditEvent::new(NOW, Event::SessionEnded, Outcome::Done, Reporter::Bastion("b1".parse().unwrap())))
    };
    assert_eq!(report("b1", 1).await.unwrap().seq, 4);
    assert_eq!(report("b1", 2).await.unwrap().seq, 5);
    // Sent again, because the answer was lost.
    assert_eq!(report("b1", 1).await.unwrap().seq, 5);
    assert_eq!(report("b1", 2).await.unwrap().seq, 5);
    assert!(matches!(report("b1", 4).await, Err(StoreError::OutOfOrder { expected: 3, found: 4, .. })));
    assert!(matches!(report("b9", 1).await, Err(StoreError::Unknown(_))));
    assert_eq!(store.last_bastion_event(&b1).await.unwrap(), 2);
    // Whatever is sent at once, each number is there once.
    let answers = join_all((3..=40).chain(3..=40).map(|number| report("b1", number))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(store.last_bastion_event(&b1).await.unwrap(), 40);
    assert_eq!(verified_rows(store).await, 43);
}

pub(crate) async fn row_37_nothing_is_signed_while_time_runs_backwards(store: &dyn Store) {
    let at = |seconds: i64, kind: Event| AuditEvent::new(NOW + Duration::seconds(seconds), kind, Outcome::Pending, Reporter::Ca);
    store.commit(Change::None, at(0, Event::CertificateIntended)).await.unwrap();
    store.commit(Change::None, at(-60, Event::CertificateIntended)).await.unwrap();
    for kind in [Event::CertificateIntended, Event::SessionStarted, Event::HostCertificateIssued, Event::InnerHostCertificateIssued] {
        let refused = store.commit(Change::None, at(-61, kind)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(text)) if text.contains("correct the clock")), "{kind}");
    }
    // A refusal is still told.
    store.commit(Change::None, at(-3600, Event::CertificateRefused)).await.unwrap();
    store.commit(Change::None, at(3600, Event::CaStarted)).await.unwrap();
    assert!(store.commit(Change::None, at(0, Event::CertificateIntended)).await.is_err());
    assert_eq!(verified_rows(store).await, 4);
}

pub(crate) async fn row_37_a_bastions_clock_stops_nobody(store: &dyn Store) {
    furnish(store).await;
    let b1 = BastionName::new("b1").unwrap();
    let future = AuditEvent::new(NOW + Duration::days(3650), Event::SessionEnded, Outcome::Done, Reporter::Bastion(b1.clone()));
    store.commit(Change::BastionEvent { bastion: b1, number: 1 }, future).await.unwrap();
    commit(store, Change::None, Event::CertificateIntended).await.unwrap();
}

pub(crate) async fn an_event_that_no_row_can_hold_changes_nothing(store: &dyn Store) {
    let huge = (0..40).fold(event(Event::UserAdded), |event, n| event.fact(&n.to_string(), "x".repeat(4000)));
    let refused = store.commit(Change::AddPerson(person("alice", "a")), huge).await;
    assert!(matches!(refused, Err(StoreError::Event(_))));
    assert_eq!(store.people().await.unwrap(), []);
    assert_eq!(verified_rows(store).await, 0);
}
