#![allow(clippy::unwrap_used)]

use super::*;
use crate::installation::Installation;
use dayfly_core::{
    audit::{Event, Outcome},
    certificate::{KeyId, parse},
    clock::Clock,
};

async fn prepared(ca: &Installation, kind: &str, value: &str, ends_at: Option<u64>) -> Result<Prepared, Failure> {
    let revoked = Revoked::parse(kind, value).unwrap();
    let revocation = Revocation { revoked, at: ca.clock.unix_seconds(), by: "uid 0".to_owned(), reason: Some("lost".to_owned()), ends_at };
    prepare(ca.store.as_ref(), revocation).await
}

#[tokio::test]
async fn row_20_an_entry_lives_as_long_as_what_it_covers_and_the_sessions_of_that() {
    let ca = Installation::new();
    let shown = parse(&ca.alices_certificate("db-admin", "db1").await).unwrap();
    let (now, end) = (ca.clock.unix_seconds(), shown.valid_before());
    let grant = shown.key_id().parse::<KeyId>().unwrap().grant.to_string();
    let serial = shown.serial().to_string();
    for (kind, value, ends_at) in [
        ("serial", serial.as_str(), Some(end + LONGEST_SESSION_SECONDS)),
        ("key-id", shown.key_id(), Some(end + LONGEST_SESSION_SECONDS)),
        ("grant", &grant, Some(end + LONGEST_SESSION_SECONDS)),
        ("role", "db-admin", Some(now + LONGEST_TTL_SECONDS + LONGEST_SESSION_SECONDS)),
        ("person", "alice", None),
        ("serial", "7", None),
    ] {
        let prepared = prepared(&ca, kind, value, None).await.unwrap();
        assert_eq!(prepared.revocation.ends_at, ends_at, "{kind}");
        assert_eq!(prepared.alive.len(), usize::from(value != "7"), "{kind}");
    }
    assert_eq!(prepared(&ca, "person", "alice", Some(now + 5)).await.unwrap().revocation.ends_at, Some(now + 5));
    ca.clock.advance(301);
    assert!(prepared(&ca, "role", "db-admin", None).await.unwrap().alive.is_empty());
}

#[tokio::test]
async fn what_would_do_nothing_is_refused_and_changes_nothing() {
    let ca = Installation::new();
    let now = ca.clock.unix_seconds();
    for (kind, value, ends_at) in [
        ("person", "mallory", None),
        ("role", "db-admn", None),
        ("grant", "01890a5d-ac96-774b-bcce-b302099a8057", None),
        ("person", "alice", Some(now)),
    ] {
        assert!(matches!(prepared(&ca, kind, value, ends_at).await, Err(Failure::Refused(_))), "{kind} {value}");
    }
    assert!(ca.store.events().is_empty() && ca.store.revocations().await.unwrap().is_empty());
}

#[tokio::test]
async fn row_20_a_revocation_is_in_the_log_or_not_made() {
    let ca = Installation::new();
    let event = || ca.authority().event(Event::Revoked, Outcome::Done);
    ca.store.fail(|event| event == Event::Revoked);
    let failed = revoke(ca.store.as_ref(), prepared(&ca, "person", "alice", None).await.unwrap(), event()).await;
    assert!(matches!(failed, Err(Failure::Store(_))) && ca.store.revocations().await.unwrap().is_empty());
    ca.store.fail(|_| false);
    revoke(ca.store.as_ref(), prepared(&ca, "person", "alice", None).await.unwrap(), event()).await.unwrap();
    let logged = ca.store.events().pop().unwrap();
    assert_eq!((logged.event, logged.subject.unwrap().to_string()), (Event::Revoked, "alice".to_owned()));
    for (name, value) in [("kind", "person"), ("value", "alice"), ("until", "for good"), ("certificates", "0"), ("stated_reason", "lost")] {
        assert_eq!(logged.facts[name], value, "{name}");
    }
}
