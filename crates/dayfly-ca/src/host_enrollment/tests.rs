//! Hosts as they call: by token once, by their key afterwards, for their own names only.

#![allow(clippy::unwrap_used)]

use crate::{
    installation::{ALICE, DB1, FRESH, HOST_CA, Installation, MALLORY, ORIGIN, WEB1_TOKEN, host, line, request_signature},
    store::{Change, Store},
    trust::ca_keys,
};
use axum::{body::Body, http::Request};
use dayfly_api::{
    bastion::HostCertificate,
    host::{HostEnrollment, HostSetup},
    path,
    problem::Problem,
};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome, Reporter},
    certificate::{Revocations, Verifier, parse},
    clock::Clock,
    policy::sample,
    reason::Reason,
    rotation::Purpose as Authority,
    signed_request::{CHALLENGE_HEADER, Purpose, SIGNATURE_HEADER, SignedRequest},
    signer::{SeedSigner, Signer},
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tower::ServiceExt;

/// The answer to a call that is signed by the key of `seed`, or the code of the refusal.
async fn call<T: DeserializeOwned>(ca: &Installation, seed: u8, method: &str, path: &str, body: &str) -> Result<T, String> {
    let peer = crate::http::Peer(sample::context().source);
    let send = async |mut request: Request<Body>| {
        request.extensions_mut().insert(peer);
        crate::http::router(&ca.service).oneshot(request).await.unwrap()
    };
    let challenge = send(Request::get(path::CHALLENGE).body(Body::empty()).unwrap()).await;
    let challenge = challenge.headers()[CHALLENGE_HEADER].to_str().unwrap().to_owned();
    let signed = SignedRequest { server: ORIGIN, purpose: Purpose::Host, challenge: &challenge, method, path, body: body.as_bytes() };
    let request = Request::builder().method(method).uri(path).header(SIGNATURE_HEADER, request_signature(seed, signed));
    let answer = send(request.header(CHALLENGE_HEADER, &challenge).body(Body::from(body.to_owned())).unwrap()).await;
    let is_success = answer.status().is_success();
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    if is_success { Ok(serde_json::from_slice(&bytes).unwrap()) } else { Err(serde_json::from_slice::<Problem>(&bytes).unwrap().code) }
}

async fn enroll(ca: &Installation, seed: u8, token: &str, names: Option<&[&str]>) -> Result<HostCertificate, String> {
    let body = match names {
        Some(names) => json!({"token": token, "names": names}),
        None => json!({"token": token}),
    };
    call(ca, seed, "POST", path::HOST_ENROLLMENT, &body.to_string()).await
}

async fn renew(ca: &Installation, seed: u8, body: &str) -> Result<HostCertificate, String> {
    call(ca, seed, "POST", path::HOST_CERTIFICATE, body).await
}

/// The kinds and reasons of the log's last rows.
fn last_events(ca: &Installation, count: usize) -> Vec<(Event, Option<Reason>)> {
    let events: Vec<_> = ca.store.events().into_iter().map(|event| (event.event, event.reason)).collect();
    events[events.len() - count..].to_vec()
}

fn verified(ca: &Installation, certificate: &str, name: &str) -> u64 {
    let key = SeedSigner::new(HOST_CA);
    let verifier = Verifier { authorities: std::slice::from_ref(key.public_key()), revocations: &Revocations::default() };
    verifier.host(&parse(certificate).unwrap(), ca.clock.unix_seconds(), name).unwrap().validity().before()
}

#[tokio::test]
async fn a_token_enrols_the_key_that_signs_and_certifies_its_names() {
    let ca = Installation::new();
    let answer = enroll(&ca, FRESH, WEB1_TOKEN, None).await.unwrap();
    for name in ["web1", "www.example.org"] {
        assert_eq!(verified(&ca, &answer.certificate, name), ca.clock.unix_seconds() + 30 * 86_400);
    }
    let certificate = parse(&answer.certificate).unwrap();
    assert_eq!((certificate.valid_principals().len(), certificate.key_id()), (2, "host:web1"));
    assert_eq!(certificate.public_key(), SeedSigner::new(FRESH).public_key());
    assert_eq!(last_events(&ca, 2), [(Event::HostEnrolled, None), (Event::HostCertificateIssued, None)]);
    let web1 = ca.host_call("web1").await.host;
    assert_eq!((web1.key.unwrap().line, web1.certificate.unwrap().ends_at), (line(FRESH), answer.ends_at));
    // From now on the key speaks for the host, without a token.
    renew(&ca, FRESH, "{}").await.unwrap();
}

#[tokio::test]
async fn row_41_a_token_is_good_once_for_a_while_and_for_its_host() {
    let ca = Installation::new();
    assert_eq!(enroll(&ca, FRESH, "dayfly-host-guess", None).await.unwrap_err(), "unknown_token");
    assert_eq!(last_events(&ca, 1), [(Event::RequestRefused, Some(Reason::UnknownToken))]);
    enroll(&ca, FRESH, WEB1_TOKEN, None).await.unwrap();
    for seed in [FRESH, MALLORY] {
        assert_eq!(enroll(&ca, seed, WEB1_TOKEN, None).await.unwrap_err(), "unknown_token");
        assert_eq!(last_events(&ca, 1), [(Event::RequestRefused, Some(Reason::UnknownToken))]);
    }
    let late = Installation::new();
    late.clock.advance(3599);
    call::<HostSetup>(&late, FRESH, "POST", path::HOST_ENROLLMENT_PREVIEW, &json!({"token": WEB1_TOKEN}).to_string()).await.unwrap();
    late.clock.advance(1);
    assert_eq!(enroll(&late, FRESH, WEB1_TOKEN, None).await.unwrap_err(), "expired");
    assert_eq!(last_events(&late, 1), [(Event::RequestRefused, Some(Reason::Expired))]);
}

#[tokio::test]
async fn row_41_two_at_once_use_a_token_once() {
    let ca = Installation::new();
    let (one, other) = tokio::join!(enroll(&ca, FRESH, WEB1_TOKEN, None), enroll(&ca, MALLORY, WEB1_TOKEN, None));
    assert!(one.is_ok() != other.is_ok());
}

#[tokio::test]
async fn row_41_a_host_gets_its_own_names_and_no_others() {
    let ca = Installation::new();
    for names in [&["db1"][..], &["web1", "db1"], &["gate"], &["elsewhere.example.org"]] {
        assert_eq!(enroll(&ca, FRESH, WEB1_TOKEN, Some(names)).await.unwrap_err(), "name_not_enrolled", "{names:?}");
        assert_eq!(last_events(&ca, 1), [(Event::HostCertificateRefused, Some(Reason::NameNotEnrolled))]);
    }
    assert_eq!(enroll(&ca, FRESH, WEB1_TOKEN, Some(&[])).await.unwrap_err(), "no_principals");
    // What was refused has not used the token up.
    let answer = enroll(&ca, FRESH, WEB1_TOKEN, Some(&["web1"])).await.unwrap();
    assert_eq!(parse(&answer.certificate).unwrap().valid_principals(), ["web1"]);
    assert_eq!(renew(&ca, FRESH, r#"{"names": ["db1"]}"#).await.unwrap_err(), "name_not_enrolled");
    for bad in [r#"{"names": ["*"]}"#, r#"{"names": ["web1,db1"]}"#, r#"{"name": "web1"}"#, r#"{"names": [""]}"#] {
        assert_eq!(renew(&ca, FRESH, bad).await.unwrap_err(), "bad_request", "{bad}");
    }
}

#[tokio::test]
async fn row_41_a_name_that_has_become_anothers_is_certified_for_nobody() {
    let ca = Installation::new();
    // An administrator names a host after a bastion, a target and another host, past the command that would refuse it.
    for name in ["gate", "127.0.0.1", "db2", "www.example.org"] {
        let mut db1 = host("db1", &["db1"], Some(DB1), "used", 0);
        db1.names.insert(name.parse().unwrap());
        ca.store.put_host(db1);
        assert_eq!(renew(&ca, DB1, "{}").await.unwrap_err(), "name_not_enrolled", "{name}");
        renew(&ca, DB1, r#"{"names": ["db1"]}"#).await.unwrap();
    }
}

#[tokio::test]
async fn row_41_a_key_of_another_holder_does_not_enrol() {
    let ca = Installation::new();
    let mut alice = ca.host_call("db1").await.host;
    // The same host key on two machines proves neither.
    alice.name = "db9".parse().unwrap();
    ca.store.put_host(alice);
    assert_eq!(enroll(&ca, DB1, WEB1_TOKEN, None).await.unwrap_err(), "key_in_use");
    assert_eq!(enroll(&ca, ALICE, WEB1_TOKEN, None).await.unwrap_err(), "key_in_use");
    assert_eq!(last_events(&ca, 1), [(Event::HostCertificateRefused, Some(Reason::KeyInUse))]);
    enroll(&ca, FRESH, WEB1_TOKEN, None).await.unwrap();
}

#[tokio::test]
async fn row_41_a_disabled_host_is_refused_and_so_is_its_token() {
    let ca = Installation::new();
    renew(&ca, DB1, "{}").await.unwrap();
    for name in ["db1", "web1"] {
        let event = AuditEvent::new(ca.clock.now(), Event::HostDisabled, Outcome::Done, Reporter::Administrator);
        ca.store.commit(Change::DisableHost(name.parse().unwrap()), event).await.unwrap();
    }
    assert_eq!(renew(&ca, DB1, "{}").await.unwrap_err(), "revoked");
    assert_eq!(call::<HostSetup>(&ca, DB1, "GET", path::HOST_SETUP, "").await.unwrap_err(), "revoked");
    assert_eq!(enroll(&ca, FRESH, WEB1_TOKEN, None).await.unwrap_err(), "revoked");
    assert_eq!(last_events(&ca, 1), [(Event::RequestRefused, Some(Reason::Revoked))]);
}

#[tokio::test]
async fn nothing_is_enrolled_or_certified_that_cannot_be_logged() {
    let ca = Installation::new();
    ca.store.fail(|_| true);
    assert_eq!(enroll(&ca, FRESH, WEB1_TOKEN, None).await.unwrap_err(), "store_unavailable");
    assert!(ca.host_call("web1").await.host.key.is_none());
    assert_eq!(renew(&ca, DB1, "{}").await.unwrap_err(), "store_unavailable");
}

#[tokio::test]
async fn row_29_a_recorded_target_is_told_of_the_session_ca_and_the_bastions_alone() {
    let ca = Installation::new();
    let setup: HostSetup = call(&ca, DB1, "GET", path::HOST_SETUP, "").await.unwrap();
    let logins = setup.logins.unwrap();
    assert_eq!(logins.trusted_ca, ca_keys(ca.authority(), Authority::Session).await.unwrap());
    let accounts = serde_json::to_value(&logins.accounts).unwrap();
    assert_eq!(accounts, json!({"deploy": ["deploy@db1"]}));
    // `gate` serves everything, `side` only the web.
    assert_eq!(serde_json::to_value(&logins.from).unwrap(), json!(["192.0.2.1/32"]));

    let mut gate = ca.bastion_call("gate").await.bastion;
    gate.disabled = true;
    ca.store.put_bastion(gate);
    let setup: HostSetup = call(&ca, DB1, "GET", path::HOST_SETUP, "").await.unwrap();
    let logins = setup.logins.unwrap();
    assert!(logins.accounts.is_empty() && logins.from.unwrap().is_empty(), "without a bastion nobody gets in, rather than everybody");
}

#[tokio::test]
async fn a_host_whose_target_is_gone_is_refused_in_the_log() {
    let ca = Installation::new();
    let mut db1 = ca.host_call("db1").await.host;
    db1.target = Some("gone1".parse().unwrap());
    ca.store.put_host(db1);
    assert_eq!(call::<HostSetup>(&ca, DB1, "GET", path::HOST_SETUP, "").await.unwrap_err(), "unknown_target");
    let events = ca.store.events();
    let event = events.last().unwrap();
    assert_eq!((event.event, event.reason), (Event::RequestRefused, Some(Reason::UnknownTarget)));
    assert_eq!((event.facts["caller"].as_str(), event.facts["path"].as_str()), ("db1", path::HOST_SETUP));
}

#[tokio::test]
async fn a_passthrough_target_is_told_of_the_user_ca() {
    let ca = Installation::new();
    let body = json!({"token": WEB1_TOKEN}).to_string();
    let setup: HostSetup = call(&ca, FRESH, "POST", path::HOST_ENROLLMENT_PREVIEW, &body).await.unwrap();
    let logins = setup.logins.unwrap();
    assert_eq!(logins.trusted_ca, ca_keys(ca.authority(), Authority::User).await.unwrap());
    assert_eq!(logins.from, None);
    assert_eq!(setup.stale_after_seconds, 3600);
    // A look costs nothing.
    enroll(&ca, FRESH, WEB1_TOKEN, None).await.unwrap();
}

#[test]
fn row_28_a_token_is_not_printed() {
    let enrollment = HostEnrollment { token: WEB1_TOKEN.to_owned(), names: None };
    assert!(!format!("{enrollment:?}").contains(WEB1_TOKEN));
}
