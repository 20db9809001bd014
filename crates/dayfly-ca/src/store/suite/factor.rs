//! What every store must do for second factors.

use super::event;
use crate::store::{
    Change, Store, StoreError, Unique,
    factor::{Authenticator, CodeUsed},
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
