//! What each resource answers, and that pipelines' outcomes come out as they are.

use super::{get, post, unsigned};
use crate::installation::{ALICE, FRESH, GATE, INNER_HOST_CA, Installation, SIDE, certificate_request, line, possession};
use crate::store::{Change, Revocation, Store};
use axum::http::{StatusCode, header};
use dayfly_api::{
    bastion::Inventory,
    certificate::{CertificateRequest, IssuedCertificate},
    path,
    person::{Destinations, Roles},
    trust::Trust,
};
use dayfly_core::{
    audit::{Event, Outcome},
    certificate::Revoked,
    clock::Clock,
    signed_request::{Certifies, Purpose},
    signer::{SeedSigner, Signer},
};

#[tokio::test]
async fn a_certificate_by_http() {
    let ca = Installation::new();
    let challenge = ca.challenge().await;
    let asked = CertificateRequest {
        possession: possession(FRESH, Certifies::User, "alice", &challenge),
        ..certificate_request("alice", "db-admin", "db1")
    };
    let body = serde_json::to_vec(&asked).unwrap();
    let call = post(path::CERTIFICATES, &body, Purpose::Person, ALICE);
    let issued: IssuedCertificate = ca.send(call.with(&challenge, &call.sign(&challenge))).await.json();
    assert_eq!(issued.principals, ["deploy@db1"]);
    assert!(issued.certificate.starts_with("ssh-ed25519-cert-v01@openssh.com "));
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_503_and_nothing_leaves() {
    let ca = Installation::new();
    ca.store.fail(|event| event == Event::CertificateIssued);
    let challenge = ca.challenge().await;
    let asked = CertificateRequest {
        possession: possession(FRESH, Certifies::User, "alice", &challenge),
        ..certificate_request("alice", "db-admin", "db1")
    };
    let body = serde_json::to_vec(&asked).unwrap();
    let call = post(path::CERTIFICATES, &body, Purpose::Person, ALICE);
    let answer = ca.send(call.with(&challenge, &call.sign(&challenge))).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable".to_owned()));
    assert!(!String::from_utf8(answer.body).unwrap().contains("cert-v01"));
}

#[tokio::test]
async fn a_person_sees_roles_and_destinations_of_their_own() {
    let ca = Installation::new();
    let roles: Roles = ca.call(get(path::ROLES, Purpose::Person, ALICE)).await.json();
    let names: Vec<&str> = roles.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["db-admin", "db-tunnel", "web"]);
    assert_eq!(roles.roles[0].principals, ["deploy@{target}"]);

    let destinations: Destinations = ca.call(get(path::DESTINATIONS, Purpose::Person, ALICE)).await.json();
    let served: Vec<(&str, Vec<&str>)> = destinations
        .targets
        .iter()
        .map(|target| (target.name.as_str(), target.bastions.iter().map(|bastion| bastion.as_str()).collect()))
        .collect();
    assert_eq!(served, [("db1", vec!["gate"]), ("db2", vec!["gate"]), ("web1", vec!["gate", "side"])]);
    assert!(destinations.targets.iter().all(|target| target.accounts.iter().map(|account| account.as_str()).eq(["deploy"])));
    assert_eq!(destinations.bastions.len(), 2);
}

#[tokio::test]
async fn a_bastion_fetches_what_it_may_serve_and_only_when_it_changed() {
    let ca = Installation::new();
    let inventory: Inventory = ca.call(get(path::BASTION_INVENTORY, Purpose::Bastion, SIDE)).await.json();
    assert_eq!(inventory.targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>(), ["web1"]);
    assert!(inventory.revocations.subjects.is_empty());

    let call = get(path::BASTION_INVENTORY, Purpose::Bastion, GATE);
    let first = ca.call(call).await;
    let tag = first.headers[header::ETAG].clone();
    let fetch = async || {
        let challenge = ca.challenge().await;
        let mut request = call.with(&challenge, &call.sign(&challenge));
        request.headers_mut().insert(header::IF_NONE_MATCH, tag.clone());
        ca.send(request).await
    };
    assert_eq!(fetch().await.status, StatusCode::NOT_MODIFIED);
    let mut alice = ca.authority().store.person(&"alice".parse().unwrap()).await.unwrap().unwrap();
    alice.disabled = true;
    ca.store.put_person(alice);
    let changed = fetch().await;
    assert_eq!(changed.status, StatusCode::OK);
    assert!(changed.json::<Inventory>().revocations.subjects.contains(&"alice".parse().unwrap()));
}

#[tokio::test]
async fn anybody_learns_whom_to_trust_for_what() {
    let ca = Installation::new();
    let trust: Trust = ca.send(unsigned("GET", path::TRUST)).await.json();
    assert_eq!(trust.inner_host_ca, [format!("{} dayfly-inner-host-ca", line(INNER_HOST_CA))]);
    let keys: std::collections::BTreeSet<&String> =
        [&trust.user_ca, &trust.session_ca, &trust.host_ca, &trust.inner_host_ca].into_iter().flatten().collect();
    assert_eq!(keys.len(), 4);

    let text = String::from_utf8(ca.send(unsigned("GET", path::KNOWN_HOSTS)).await.body).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), trust.known_hosts);
    let key = String::from_utf8(ca.send(unsigned("GET", "/v1/trust/keys/inner-host")).await.body).unwrap();
    assert_eq!(key.trim_end(), trust.inner_host_ca[0]);
    assert!(ca.send(unsigned("GET", path::KRL)).await.body.starts_with(b"SSHKRL\n\0"));
    assert_eq!(ca.send(unsigned("GET", path::HEALTH)).await.status, StatusCode::NO_CONTENT);
    assert!(ca.send(unsigned("GET", path::OPENAPI)).await.json::<serde_json::Value>()["paths"].is_object());
}

#[tokio::test]
async fn refusals_come_out_with_status_code_sentence_and_remedy() {
    let ca = Installation::new();
    let expected = [
        ("bob", crate::installation::BOB, "db-admin", "db1", StatusCode::FORBIDDEN, "policy_denied"),
        ("alice", ALICE, "db-admin", "web1", StatusCode::FORBIDDEN, "target_outside_role"),
        ("alice", ALICE, "root", "db1", StatusCode::FORBIDDEN, "unknown_role"),
    ];
    for (name, seed, role, target, status, code) in expected {
        let challenge = ca.challenge().await;
        let asked = CertificateRequest {
            possession: possession(FRESH, Certifies::User, name, &challenge),
            ..certificate_request(name, role, target)
        };
        let body = serde_json::to_vec(&asked).unwrap();
        let call = post(path::CERTIFICATES, &body, Purpose::Person, seed);
        let answer = ca.send(call.with(&challenge, &call.sign(&challenge))).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
}

#[tokio::test]
async fn the_revocation_list_is_sent_again_only_when_it_changed() {
    let ca = Installation::new();
    let first = ca.send(unsigned("GET", path::KRL)).await;
    let tag = first.headers[header::ETAG].to_str().unwrap().to_owned();
    let fetch = async |known: &str| {
        let mut request = unsigned("GET", path::KRL);
        request.headers_mut().insert(header::IF_NONE_MATCH, known.parse().unwrap());
        ca.send(request).await
    };
    for known in [tag.as_str(), &format!("\"other\", {tag}"), &format!("W/{tag}"), "*"] {
        let answer = fetch(known).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        assert_eq!(answer.headers[header::ETAG], tag.as_str());
    }
    assert_eq!(fetch("\"other\"").await.body, first.body);
    let revoked = Revoked::parse("serial", "5").unwrap();
    let revocation = Revocation { revoked, at: ca.clock.unix_seconds(), by: "uid 0".to_owned(), reason: None, ends_at: None };
    ca.store.commit(Change::Revoke(revocation), ca.authority().event(Event::Revoked, Outcome::Done)).await.unwrap();
    let changed = fetch(&tag).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(changed.headers[header::ETAG], tag.as_str());
}

#[tokio::test]
async fn row_20_a_revoked_person_or_key_asks_for_nothing_more() {
    let ca = Installation::new();
    let fingerprint = |seed| dayfly_core::signature::fingerprint(SeedSigner::new(seed).public_key());
    for (kind, value, purpose, seed) in [
        ("person", "alice".to_owned(), Purpose::Person, ALICE),
        ("key", fingerprint(ALICE), Purpose::Person, ALICE),
        ("key", fingerprint(GATE), Purpose::Bastion, GATE),
    ] {
        let path = if seed == GATE { path::BASTION_INVENTORY } else { path::WHOAMI };
        assert_eq!(ca.call(get(path, purpose, seed)).await.status, StatusCode::OK);
        let revoked = Revoked::parse(kind, &value).unwrap();
        let now = ca.clock.unix_seconds();
        let revocation = Revocation { revoked, at: now, by: "uid 0".to_owned(), reason: None, ends_at: Some(now + 1) };
        ca.store.commit(Change::Revoke(revocation), ca.authority().event(Event::Revoked, Outcome::Done)).await.unwrap();
        assert_eq!(ca.call(get(path, purpose, seed)).await.code(), "revoked", "{kind}");
        ca.clock.advance(1);
    }
}
