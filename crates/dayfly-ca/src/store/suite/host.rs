//! What every store must do for hosts.

use super::{add, commit, conflict, furnish, person, verified_rows};
use crate::store::{
    Change, Person, Store, StoreError, Unique,
    host::{Host, HostCertificateHeld, HostCertificateNote, HostKey, HostReportNote, HostToken},
};
use dayfly_core::{audit::Event, name::HostName};

fn host(name: &str, token: u8) -> Host {
    Host {
        name: name.parse().unwrap(),
        names: ["192.0.2.11", "db1.example.org"].map(|name| name.parse().unwrap()).into(),
        target: Some("db1".parse().unwrap()),
        token: HostToken { digest: [token; 32], expires_at: 1_800_000_000, is_used: false },
        key: None,
        certificate: None,
        report: None,
        disabled: false,
    }
}

fn enroll(name: &str, token: u8, key: &str) -> Change {
    Change::EnrollHost {
        host: name.parse().unwrap(),
        token: [token; 32],
        key_fingerprint: format!("SHA256:{key}"),
        public_key: format!("ssh-ed25519 {key}"),
    }
}

pub(crate) async fn a_host_enrols_once_by_its_token(store: &dyn Store) {
    let db1 = host("db1", 1);
    add(store, Change::AddHost(db1.clone())).await;
    assert_eq!(store.hosts().await.unwrap(), std::slice::from_ref(&db1));
    assert_eq!(store.host_by_token(&[1; 32]).await.unwrap(), Some(db1.clone()));
    assert_eq!(store.host_by_token(&[2; 32]).await.unwrap(), None);
    assert_eq!(conflict(store, Change::AddHost(host("db1", 3))).await, Unique::Host);
    assert_eq!(conflict(store, enroll("db1", 2, "h")).await, Unique::HostToken);

    add(store, enroll("db1", 1, "h")).await;
    let key = Some(HostKey { fingerprint: "SHA256:h".to_owned(), line: "ssh-ed25519 h".to_owned() });
    let enrolled = Host { key, token: HostToken { is_used: true, ..db1.token }, ..db1 };
    assert_eq!(store.host_by_key("SHA256:h").await.unwrap(), Some(enrolled.clone()));
    assert_eq!(store.host_by_token(&[1; 32]).await.unwrap(), Some(enrolled), "known as used");
    assert_eq!(conflict(store, enroll("db1", 1, "x")).await, Unique::HostToken);

    let certificate = HostCertificateHeld { serial: 1 << 52, ends_at: 1_800_000_000 };
    add(store, Change::NoteHostCertificate(HostCertificateNote { host: "db1".parse().unwrap(), certificate })).await;
    assert_eq!(store.hosts().await.unwrap()[0].certificate, Some(certificate));
}

pub(crate) async fn a_hosts_key_is_nobody_elses_until_it_is_given_up(store: &dyn Store) {
    furnish(store).await;
    add(store, Change::AddHost(host("db1", 1))).await;
    add(store, Change::AddHost(host("db2", 2))).await;
    assert_eq!(conflict(store, enroll("db1", 1, "a")).await, Unique::Key);
    assert_eq!(conflict(store, enroll("db1", 1, "b")).await, Unique::Key);
    // What conflicted has not used the token up.
    add(store, enroll("db1", 1, "h")).await;
    assert_eq!(conflict(store, enroll("db2", 2, "h")).await, Unique::Key);

    let db1 = HostName::new("db1").unwrap();
    let token = |digest| HostToken { digest: [digest; 32], expires_at: 1_800_000_000, is_used: false };
    add(store, Change::IssueHostToken { host: db1.clone(), token: token(5) }).await;
    assert!(store.host_by_key("SHA256:h").await.unwrap().is_some(), "the key stays good until another is enrolled");
    add(store, enroll("db1", 5, "new")).await;
    assert_eq!(store.host_by_key("SHA256:h").await.unwrap(), None);
    // Also where somebody is known without a key.
    add(store, Change::AddPerson(Person { key: None, ..person("mallory", "m") })).await;
    add(store, Change::IssueHostToken { host: db1.clone(), token: token(7) }).await;
    add(store, enroll("db1", 7, "newest")).await;
    add(store, enroll("db2", 2, "h")).await;
    add(store, Change::IssueHostToken { host: db1.clone(), token: token(8) }).await;
    add(store, enroll("db1", 8, "new")).await;

    add(store, Change::DisableHost(db1.clone())).await;
    assert!(store.host_by_key("SHA256:new").await.unwrap().unwrap().disabled);
    assert_eq!(conflict(store, enroll("db1", 8, "newer")).await, Unique::HostToken);
    add(store, Change::IssueHostToken { host: db1, token: token(6) }).await;
    assert_eq!(store.host_by_key("SHA256:new").await.unwrap(), None, "a disabled host's key does not come back");
    let nobody = commit(store, Change::DisableHost("db9".parse().unwrap()), Event::HostDisabled).await;
    assert!(matches!(nobody, Err(StoreError::Unknown(what)) if what == "host db9"));
}

pub(crate) async fn a_report_that_tells_nothing_new_is_noted_without_an_event(store: &dyn Store) {
    add(store, Change::AddHost(host("db1", 1))).await;
    let report = |at, number: u64, is_current, trusted: &str| {
        let krl = Some((number, format!("{number:064x}")));
        Change::NoteHostReport(HostReportNote { host: "db1".parse().unwrap(), at, krl, is_current, trusted: [trusted.to_owned()].into() })
    };
    let told = async || store.hosts().await.unwrap()[0].report.clone().unwrap();
    add(store, report(10, 1, true, "SHA256:ca")).await;
    assert_eq!(verified_rows(store).await, 2);
    add(store, report(20, 1, true, "SHA256:ca")).await;
    assert_eq!((verified_rows(store).await, told().await.seen_at, told().await.current_at), (2, 20, Some(20)));
    add(store, report(30, 1, false, "SHA256:ca")).await;
    assert_eq!((verified_rows(store).await, told().await.seen_at, told().await.current_at), (2, 30, Some(20)));
    add(store, report(40, 2, true, "SHA256:ca")).await;
    add(store, report(50, 2, true, "SHA256:new")).await;
    assert_eq!((verified_rows(store).await, told().await.current_at), (4, Some(50)));
    assert_eq!((told().await.krl.unwrap().0, told().await.trusted.contains("SHA256:new")), (2, true));
}
