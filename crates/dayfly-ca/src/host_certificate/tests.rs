//! Host certificates: which names a bastion gets, and which it never does.

#![allow(clippy::unwrap_used)]

use super::{for_bastion, for_target};
use crate::{
    failure::Failure,
    installation::{CHALLENGE, FRESH, GATE, HOST_CA, INNER_HOST_CA, Installation, line, possession},
};
use dayfly_api::bastion::{HostCertificateRequest, InnerHostCertificateRequest};
use dayfly_core::{
    audit::Event,
    certificate::{Revocations, Verifier, parse},
    clock::Clock,
    name::TargetName,
    reason::Reason,
    signed_request::Certifies,
    signer::{SeedSigner, Signer},
};

fn host_request(seed: u8) -> HostCertificateRequest {
    HostCertificateRequest { public_key: line(seed), possession: possession(seed, Certifies::Host, "gate", CHALLENGE) }
}

fn inner_request(bastion: &str, target: &str, seed: u8) -> InnerHostCertificateRequest {
    InnerHostCertificateRequest {
        target: TargetName::new(target).unwrap(),
        public_key: line(seed),
        possession: possession(seed, Certifies::InnerHost, bastion, CHALLENGE),
    }
}

async fn inner_refusal(ca: &Installation, bastion: &str, asked: &InnerHostCertificateRequest) -> Reason {
    let Failure::Refused(refusal) = for_target(ca.authority(), &ca.bastion_call(bastion).await, asked).await.unwrap_err() else {
        unreachable!("refused")
    };
    let event = ca.store.events().pop().unwrap();
    assert_eq!((event.event, event.reason), (Event::HostCertificateRefused, Some(refusal.reason)));
    refusal.reason
}

#[tokio::test]
async fn a_bastion_is_certified_for_the_names_it_was_enrolled_with() {
    let ca = Installation::new();
    let answer = for_bastion(ca.authority(), &ca.bastion_call("gate").await, &host_request(FRESH)).await.unwrap();
    let certificate = parse(&answer.certificate).unwrap();
    let key = SeedSigner::new(HOST_CA);
    let verifier = Verifier { authorities: std::slice::from_ref(key.public_key()), revocations: &Revocations::default() };
    let now = ca.clock.unix_seconds();
    for name in ["gate", "127.0.0.1"] {
        verifier.host(&certificate, now, name).unwrap();
    }
    assert_eq!(certificate.valid_principals().len(), 2);
    assert_eq!(answer.ends_at, now + 7 * 86_400);
    assert_eq!(ca.last_event(), ("host_certificate.issued".to_owned(), None));
}

#[tokio::test]
async fn an_inner_certificate_carries_the_targets_name_alone_for_a_day() {
    let ca = Installation::new();
    let answer = for_target(ca.authority(), &ca.bastion_call("gate").await, &inner_request("gate", "db1", FRESH)).await.unwrap();
    let certificate = parse(&answer.certificate).unwrap();
    let key = SeedSigner::new(INNER_HOST_CA);
    let verifier = Verifier { authorities: std::slice::from_ref(key.public_key()), revocations: &Revocations::default() };
    let now = ca.clock.unix_seconds();
    verifier.host(&certificate, now, "db1").unwrap();
    assert_eq!(certificate.valid_principals(), ["db1"]);
    assert_eq!(answer.ends_at, now + 86_400);
    assert_eq!(ca.last_event(), ("inner_host_certificate.issued".to_owned(), None));
    for_target(ca.authority(), &ca.bastion_call("gate").await, &inner_request("gate", "db1", FRESH)).await.unwrap();
}

#[tokio::test]
async fn row_32_a_passthrough_an_unknown_and_another_bastions_name() {
    let ca = Installation::new();
    for (bastion, target, reason) in [
        ("gate", "web1", Reason::WrongMode),
        ("gate", "db9", Reason::UnknownTarget),
        ("gate", "gate", Reason::UnknownTarget),
        ("gate", "side", Reason::UnknownTarget),
        ("side", "db1", Reason::TargetNotServed),
    ] {
        assert_eq!(inner_refusal(&ca, bastion, &inner_request(bastion, target, FRESH)).await, reason, "{bastion} {target}");
    }
}

#[tokio::test]
async fn row_32_a_key_carries_one_name() {
    let ca = Installation::new();
    for_target(ca.authority(), &ca.bastion_call("gate").await, &inner_request("gate", "db1", FRESH)).await.unwrap();
    assert_eq!(inner_refusal(&ca, "gate", &inner_request("gate", "db2", FRESH)).await, Reason::KeyInUse);
    assert_eq!(inner_refusal(&ca, "gate", &inner_request("gate", "db2", GATE)).await, Reason::KeyInUse, "the key that signs the calls");
}

#[test]
fn row_32_two_names_or_none_cannot_be_asked_for() {
    let asked = serde_json::to_value(inner_request("gate", "db1", FRESH)).unwrap();
    for target in [
        serde_json::json!(["db1", "db2"]),
        serde_json::json!("db1,db2"),
        serde_json::json!(""),
        serde_json::json!("*"),
        serde_json::Value::Null,
    ] {
        let mut changed = asked.clone();
        changed["target"] = target.clone();
        assert!(serde_json::from_value::<InnerHostCertificateRequest>(changed).is_err(), "{target}");
    }
}

#[tokio::test]
async fn row_32_a_key_is_certified_for_the_bastion_that_holds_it() {
    let ca = Installation::new();
    let mut asked = inner_request("gate", "db1", FRESH);
    asked.possession = possession(FRESH, Certifies::Host, "gate", CHALLENGE);
    assert_eq!(inner_refusal(&ca, "gate", &asked).await, Reason::NoPossession);
    asked.possession = possession(FRESH, Certifies::InnerHost, "side", CHALLENGE);
    assert_eq!(inner_refusal(&ca, "gate", &asked).await, Reason::NoPossession);
}

#[tokio::test]
async fn what_cannot_be_logged_is_not_issued() {
    let ca = Installation::new();
    ca.store.fail(|_| true);
    let call = ca.bastion_call("gate").await;
    assert!(matches!(for_bastion(ca.authority(), &call, &host_request(FRESH)).await, Err(Failure::Store(_))));
    assert!(matches!(for_target(ca.authority(), &call, &inner_request("gate", "db1", FRESH)).await, Err(Failure::Store(_))));
}
