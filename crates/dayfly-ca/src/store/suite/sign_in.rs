//! What every store must do with sign-ins.

use super::{ENDS_AT, add, certificate, commit, conflict, furnish, subject};
use crate::store::{
    Change, Store, StoreError, Unique,
    device::DeviceRecord,
    sign_in::{Holder, NewSignIn, ProviderAccount, SignIn, SignInBy},
};
use dayfly_core::audit::Event;

fn account(subject: &str) -> ProviderAccount {
    ProviderAccount { issuer: "https://idp.example".to_owned(), subject: subject.to_owned(), shown: Some("a@example.org".to_owned()) }
}

fn sign_in(name: &str, key: &str) -> SignIn {
    SignIn {
        key_fingerprint: format!("SHA256:{key}"),
        subject: subject(name),
        by: SignInBy::Provider("corp".to_owned()),
        issuer: "https://idp.example".to_owned(),
        issuer_subject: "248289761001".to_owned(),
        proven_at: ENDS_AT,
        ends_at: ENDS_AT + 60,
        is_ended: false,
        claims: [("repository_id".to_owned(), "74".to_owned())].into(),
    }
}

fn by_person(name: &str, key: &str, account: ProviderAccount, groups: &[&str]) -> Change {
    let groups = groups.iter().map(|group| group.parse().unwrap()).collect();
    Change::AddSignIn(Box::new(NewSignIn { sign_in: sign_in(name, key), holder: Holder::Person { account, groups } }))
}

fn by_machine(name: &str, key: &str, token: u8, token_ends_at: u64) -> Change {
    let sign_in = SignIn { by: SignInBy::Token, ..sign_in(name, key) };
    Change::AddSignIn(Box::new(NewSignIn { sign_in, holder: Holder::Machine { token: [token; 32], token_ends_at } }))
}

pub(crate) async fn a_sign_in_makes_its_holder_known_and_ends_once(store: &dyn Store) {
    furnish(store).await;
    add(store, by_person("corp.a", "k1", account("a"), &["dba"])).await;
    let person = store.person_by_account("https://idp.example", "a").await.unwrap().unwrap();
    assert_eq!((person.subject.to_string(), person.key.clone(), person.account.clone()), ("corp.a".to_owned(), None, Some(account("a"))));
    assert_eq!(store.person(&person.subject).await.unwrap(), Some(person));
    assert_eq!(store.sign_in_by_key("SHA256:k1").await.unwrap(), Some(sign_in("corp.a", "k1")));
    assert_eq!(store.sign_in_by_key("SHA256:a").await.unwrap(), None, "an enrolled key is no sign-in");
    assert_eq!(store.person_by_key("SHA256:k1").await.unwrap(), None, "and the other way round");
    let device = DeviceRecord {
        id: "laptop".parse().unwrap(),
        owner: "alice".parse().unwrap(),
        key_fingerprint: "SHA256:k1".to_owned(),
        public_key: "ssh-ed25519 k1".to_owned(),
        added_at: 1,
        approved_at: None,
        seen_at: 1,
        posture: Default::default(),
        disabled: false,
    };
    assert_eq!(conflict(store, Change::AddDevice(Box::new(device))).await, Unique::Key, "a key that is signed in is no device's");
    // What the provider says now counts, and what it said before does not.
    add(store, by_person("corp.a", "k2", account("a"), &["web"])).await;
    let groups = store.person(&subject("corp.a")).await.unwrap().unwrap().groups;
    assert_eq!(groups.iter().map(|group| group.as_str()).collect::<Vec<_>>(), ["web"]);
    // A certificate stands on such a person, too.
    add(store, Change::AddCertificate(certificate(9, "corp.a"))).await;
    add(store, Change::EndSignIn("SHA256:k1".to_owned())).await;
    assert!(!store.sign_in_by_key("SHA256:k1").await.unwrap().unwrap().is_good(ENDS_AT));
    assert!(store.sign_in_by_key("SHA256:k2").await.unwrap().unwrap().is_good(ENDS_AT));
    assert!(matches!(commit(store, Change::EndSignIn("SHA256:x".to_owned()), Event::SignInEnded).await, Err(StoreError::Unknown(_))));
    // One key, one sign-in, and never an enrolled one.
    for key in ["k1", "k2", "a", "b"] {
        assert_eq!(conflict(store, by_person("corp.a", key, account("a"), &[])).await, Unique::Key, "{key}");
    }
}

pub(crate) async fn row_15_a_name_belongs_to_one_account(store: &dyn Store) {
    furnish(store).await;
    add(store, by_person("corp.a", "k1", account("a"), &[])).await;
    assert_eq!(conflict(store, by_person("alice", "k2", account("alice"), &["dba"])).await, Unique::Person, "an enrolled name");
    assert_eq!(conflict(store, by_person("corp.a", "k2", account("b"), &["dba"])).await, Unique::Person, "another account");
    let elsewhere = ProviderAccount { issuer: "https://other.example".to_owned(), ..account("a") };
    assert_eq!(conflict(store, by_person("corp.a", "k2", elsewhere, &["dba"])).await, Unique::Person, "another issuer");
    assert_eq!(conflict(store, by_person("corp.b", "k2", account("a"), &["dba"])).await, Unique::Person, "a second name");
    assert!(store.person(&subject("corp.a")).await.unwrap().unwrap().groups.is_empty());
    assert_eq!(store.sign_in_by_key("SHA256:k2").await.unwrap(), None);
}

pub(crate) async fn row_15_a_token_is_used_once_until_it_ends(store: &dyn Store) {
    furnish(store).await;
    add(store, by_machine("machine:ci", "k1", 1, ENDS_AT + 300)).await;
    assert_eq!(conflict(store, by_machine("machine:ci", "k2", 1, ENDS_AT + 300)).await, Unique::Token);
    assert_eq!(store.sign_in_by_key("SHA256:k2").await.unwrap(), None);
    add(store, by_machine("machine:ci", "k2", 2, ENDS_AT + 300)).await;
    let ci = store.person(&subject("machine:ci")).await.unwrap().unwrap();
    assert!(ci.groups.is_empty() && ci.key.is_none() && ci.account.is_none());
}
