//! What every store must do for second factors.

use super::event;
use crate::store::{
    Change, Store, StoreError, Unique,
    factor::{Authenticator, CodeUsed, Credential, CredentialUsed, FactorUsed},
};
use dayfly_core::{
    audit::Event,
    identity::{FactorMethod, Subject},
};
use zeroize::Zeroizing;

pub(crate) async fn row_22_a_code_counts_once_and_not_beside_others_that_are_tried(store: &impl Store) {
    let alice: Subject = "alice".parse().unwrap();
    let add = async |secret: u8| {
        let secret = Zeroizing::new(vec![secret; 20]);
        let added = Authenticator { subject: alice.clone(), secret, confirmed_at: None, last_step: 0, failures: 0, retry_at: 0 };
        store.commit(Change::AddAuthenticator(added), event(Event::FactorAdded)).await
    };
    let used = async |step, failures| {
        let used = CodeUsed { subject: alice.clone(), key_fingerprint: "SHA256:a".to_owned(), step, at: step * 30, failures };
        store.commit(Change::UseCode(used), event(Event::FactorProven)).await
    };
    let wrong = async |retry_at| {
        let wrong = Change::RefuseCode { subject: alice.clone(), retry_at };
        store.commit(wrong, event(Event::FactorProven)).await.unwrap();
    };
    let known = async || store.authenticator(&alice).await.unwrap().unwrap();
    let is_refused = |answer| matches!(answer, Err(StoreError::Conflict(Unique::Code)));
    assert_eq!(store.authenticator(&alice).await.unwrap(), None);
    add(1).await.unwrap();
    add(2).await.unwrap();
    assert_eq!((known().await.secret[0], known().await.confirmed_at), (2, None), "one that is not confirmed is replaced");

    // Two are looked at together; the wrong one was first.
    wrong(0).await;
    assert!(is_refused(used(7, 0).await));
    used(7, 1).await.unwrap();
    assert_eq!((known().await.confirmed_at, known().await.last_step, known().await.failures), (Some(210), 7, 0));
    assert!(is_refused(used(7, 0).await) && is_refused(used(6, 0).await));
    assert!(matches!(add(3).await, Err(StoreError::Conflict(Unique::Authenticator))));
    wrong(500).await;
    wrong(400).await;
    assert_eq!((known().await.failures, known().await.retry_at), (2, 500), "a wait is never shortened");

    assert_eq!(store.factors(&alice, "SHA256:a").await.unwrap(), [(FactorMethod::Totp, 210)].into());
    assert!(store.factors(&alice, "SHA256:b").await.unwrap().is_empty());
    store.commit(Change::RemoveFactors(alice.clone()), event(Event::FactorsReset)).await.unwrap();
    assert!(store.factors(&alice, "SHA256:a").await.unwrap().is_empty() && store.authenticator(&alice).await.unwrap().is_none());
    let nobodys = store.commit(Change::RemoveFactors(alice.clone()), event(Event::FactorsReset)).await;
    assert!(matches!(nobodys, Err(StoreError::Unknown(_))));
}

pub(crate) async fn row_21_a_passkey_is_one_persons_and_counts_onwards(store: &impl Store) {
    let (alice, bob): (Subject, Subject) = ("alice".parse().unwrap(), "bob".parse().unwrap());
    let add = async |subject: &Subject, name: &str, id: &str| {
        let added = Credential {
            subject: subject.clone(),
            name: name.parse().unwrap(),
            method: FactorMethod::Webauthn,
            id: id.to_owned(),
            material: "{}".to_owned(),
            counter: 0,
            added_at: 7,
        };
        store.commit(Change::AddCredential(Box::new(added)), event(Event::FactorAdded)).await
    };
    let used = async |name: &str, counter| {
        let material = format!("after {counter}");
        let used = CredentialUsed { subject: alice.clone(), name: name.parse().unwrap(), material, counter };
        store.commit(Change::UseCredential(Box::new(used)), event(Event::FactorAnswered)).await
    };
    let prove = async |subject: &Subject, name: &str| {
        let used = FactorUsed { subject: subject.clone(), name: name.parse().unwrap(), key_fingerprint: "SHA256:a".to_owned(), at: 30 };
        store.commit(Change::ProveFactor(used), event(Event::FactorProven)).await
    };
    let is_conflict = |answer, unique| matches!(answer, Err(StoreError::Conflict(found)) if found == unique);
    add(&alice, "laptop", "one").await.unwrap();
    add(&alice, "desk", "two").await.unwrap();
    assert!(is_conflict(add(&bob, "mine", "one").await, Unique::Credential), "it is alice's");
    assert!(is_conflict(add(&alice, "again", "one").await, Unique::Credential));
    assert!(is_conflict(add(&alice, "desk", "three").await, Unique::FactorName));
    add(&bob, "desk", "three").await.unwrap();
    let names: Vec<String> = store.credentials(&alice).await.unwrap().iter().map(|known| known.name.to_string()).collect();
    assert_eq!(names, ["desk", "laptop"]);

    // One that never counts, and one that does.
    used("laptop", 0).await.unwrap();
    used("laptop", 0).await.unwrap();
    used("laptop", 5).await.unwrap();
    for counter in [0, 4, 5] {
        assert!(is_conflict(used("laptop", counter).await, Unique::Counter), "{counter}");
    }
    used("laptop", 6).await.unwrap();
    let laptop = store.credentials(&alice).await.unwrap().pop().unwrap();
    assert_eq!((laptop.counter, laptop.material.as_str(), laptop.added_at), (6, "after 6", 7));

    prove(&alice, "laptop").await.unwrap();
    assert!(matches!(prove(&bob, "laptop").await, Err(StoreError::Unknown(_))), "that one is alice's");
    assert_eq!(store.factors(&alice, "SHA256:a").await.unwrap(), [(FactorMethod::Webauthn, 30)].into());
    assert!(store.factors(&bob, "SHA256:a").await.unwrap().is_empty());
    let remove = async |name: &str| {
        let change = Change::RemoveCredential { subject: alice.clone(), name: name.parse().unwrap() };
        store.commit(change, event(Event::FactorRemoved)).await
    };
    remove("desk").await.unwrap();
    assert!(matches!(remove("desk").await, Err(StoreError::Unknown(_))));
    assert!(store.factors(&alice, "SHA256:a").await.unwrap().is_empty(), "which of them had proven it is not known");
    store.commit(Change::RemoveFactors(alice.clone()), event(Event::FactorsReset)).await.unwrap();
    assert!(store.credentials(&alice).await.unwrap().is_empty());
    assert_eq!(store.credentials(&bob).await.unwrap().len(), 1);
}
