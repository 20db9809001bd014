#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    installation::{ALICE, FRESH, HOST_CA, Installation, SESSION_CA, USER_CA, session_request},
    session,
    store::{Revocation, Store},
};
use dayfly_core::{
    certificate::{Revoked, parse},
    clock::Clock,
    signature::fingerprint,
    signer::{SeedSigner, Signer},
};

async fn list(ca: &Installation) -> (Arc<RevocationList>, Krl) {
    let list = revocation_list(ca.authority()).await.unwrap();
    let krl = Krl::parse(&list.bytes).unwrap();
    assert_eq!((krl.number, krl.generated_at, krl.comment.as_str()), (list.number, list.generated_at, "dayfly"));
    assert_eq!(list.digest, hex(&Sha256::digest(&list.bytes)));
    (list, krl)
}

async fn revoke(ca: &Installation, kind: &str, value: &str, ends_at: Option<u64>) {
    let revoked = Revoked::parse(kind, value).unwrap();
    let revocation = Revocation { revoked, at: ca.clock.unix_seconds(), by: "uid 0".to_owned(), reason: None, ends_at };
    ca.store.commit(Change::Revoke(revocation), ca.authority().event(Event::Revoked, Outcome::Done)).await.unwrap();
}

#[tokio::test]
async fn row_20_the_list_holds_the_certificate_and_those_of_its_sessions() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    let permit = session::open(ca.authority(), &ca.bastion_call("gate").await, &session_request("gate", &parent, "db1")).await.unwrap();
    let (parent, session) = (parse(&parent).unwrap(), parse(permit.session_certificate.as_deref().unwrap()).unwrap());
    let (_, empty) = list(&ca).await;
    assert_eq!((empty.revokes(&parent), empty.revokes(&session)), (None, None));
    let grant = permit.grant.to_string();
    for (kind, value) in
        [("serial", parent.serial().to_string()), ("person", "alice".to_owned()), ("role", "db-admin".to_owned()), ("grant", grant)]
    {
        let end = ca.clock.unix_seconds() + 1;
        revoke(&ca, kind, &value, Some(end)).await;
        let (_, krl) = list(&ca).await;
        assert!(krl.revokes(&parent).is_some() && krl.revokes(&session).is_some(), "{kind}");
        ca.clock.advance(1);
        let (_, krl) = list(&ca).await;
        assert_eq!((krl.revokes(&parent), krl.revokes(&session)), (None, None), "{kind} has ended");
    }
    // By key id and by key: as the certificate has it.
    for (kind, value) in [("key-id", parent.key_id().to_owned()), ("key", fingerprint(SeedSigner::new(FRESH).public_key()))] {
        revoke(&ca, kind, &value, Some(ca.clock.unix_seconds() + 1)).await;
        assert!(list(&ca).await.1.revokes(&parent).is_some(), "{kind}");
        ca.clock.advance(1);
    }
    revoke(&ca, "ca", &fingerprint(SeedSigner::new(USER_CA).public_key()), None).await;
    assert!(list(&ca).await.1.revokes(&parent).is_some());
}

#[tokio::test]
async fn a_serial_that_the_ca_does_not_know_is_revoked_for_each_of_its_keys() {
    let ca = Installation::new();
    revoke(&ca, "serial", &u64::MAX.to_string(), None).await;
    let (_, krl) = list(&ca).await;
    assert_eq!(krl.certificates().count(), 4);
    assert!(krl.certificates().all(|(_, revoked)| revoked.serials.runs() == [(u64::MAX, u64::MAX)]));
    for seed in [USER_CA, SESSION_CA, HOST_CA] {
        assert!(!krl.revokes_key(SeedSigner::new(seed).public_key()));
    }
}

#[tokio::test]
async fn row_20_the_number_rises_with_every_change_and_only_then_and_each_is_logged() {
    let ca = Installation::new();
    let (first, _) = list(&ca).await;
    ca.clock.advance(100);
    assert_eq!(list(&ca).await.0, first, "the same to the byte, hours later too");
    let end = ca.clock.unix_seconds() + 10;
    revoke(&ca, "key", &fingerprint(SeedSigner::new(ALICE).public_key()), Some(end)).await;
    let (second, _) = list(&ca).await;
    ca.clock.advance(10);
    let (third, krl) = list(&ca).await;
    assert_eq!([first.number, second.number, third.number], [1, 2, 3]);
    assert!(!krl.revokes_key(SeedSigner::new(ALICE).public_key()));
    let published = ca.store.events().into_iter().filter(|event| event.event == Event::RevocationListPublished);
    assert_eq!(published.map(|event| event.facts["number"].clone()).collect::<Vec<_>>(), ["1", "2", "3"]);
    // A list that cannot be logged is not served.
    ca.store.fail(|event| event == Event::RevocationListPublished);
    revoke(&ca, "person", "alice", None).await;
    assert!(list_fails(&ca).await);
}

async fn list_fails(ca: &Installation) -> bool {
    // Nobody of the installation holds a certificate, so a revoked key is what changes the list.
    revoke(ca, "key", &fingerprint(SeedSigner::new(FRESH).public_key()), None).await;
    matches!(revocation_list(ca.authority()).await, Err(Failure::Store(_)))
}
