//! The issue pipeline, from what is asked to what is in the log.

#![allow(clippy::unwrap_used)]

use super::issue;
use crate::{
    failure::Failure,
    installation::{ALICE, BOB, CHALLENGE, FRESH, Installation, ORIGIN, USER_CA, certificate_request, line, possession},
    store::{Store, StoreError},
};
use dayfly_core::{
    audit::{Event, Outcome},
    certificate::{Revocations, Verifier, parse},
    reason::Reason,
    request::RequestedTargets,
    signature::sign_sshsig,
    signed_request::{Certifies, POSSESSION_NAMESPACE, possession_message},
    signer::{
        SeedSigner, Signer, SignerError,
        fido::{FidoSigner, TOUCHED, VERIFIED},
    },
};
use ssh_key::{LineEnding, PublicKey};
use std::sync::Arc;

fn reason(failure: &Failure) -> Option<Reason> {
    match failure {
        Failure::Refused(refusal) => Some(refusal.reason),
        _ => None,
    }
}

#[tokio::test]
async fn what_was_granted_is_signed_logged_and_remembered() {
    let ca = Installation::new();
    let mut asked = certificate_request("alice", "db-admin", "db1");
    asked.reason = Some("a slow query".to_owned());
    let issued = issue(ca.authority(), &ca.person_call("alice").await, asked).await.unwrap();

    let key = SeedSigner::new(USER_CA);
    let verifier = Verifier { authorities: std::slice::from_ref(key.public_key()), revocations: &Revocations::default() };
    let certificate = parse(&issued.certificate).unwrap();
    let context = dayfly_core::policy::sample::context();
    let verified = verifier.user(&certificate, context.unix_seconds(), context.source).unwrap();
    assert_eq!(verified.principals().iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["deploy@db1"]);
    assert_eq!(verified.public_key(), SeedSigner::new(FRESH).public_key());

    let remembered = ca.store.certificate(issued.serial).await.unwrap().unwrap();
    assert_eq!((&remembered.digest, remembered.subject.to_string()), (verified.digest(), "alice".to_owned()));

    let events = ca.store.events();
    assert_eq!(events.iter().map(|event| event.event).collect::<Vec<_>>(), [Event::CertificateIntended, Event::CertificateIssued]);
    let facts = &events[1].facts;
    assert!(events.iter().all(|event| event.serial == Some(issued.serial) && event.facts["grant"] == issued.grant.to_string()));
    assert_eq!((facts["principals"].as_str(), facts["policies"].as_str()), ("deploy@db1", "dba-may-use-db-admin"));
    assert_eq!((facts["expires"].as_str(), facts["stated_reason"].as_str()), ("2025-01-01T12:05:00Z", "a slow query"));
    assert_eq!(facts["address"], "198.51.100.7");
}

#[tokio::test]
async fn a_refusal_is_logged_with_what_was_asked_for() {
    let ca = Installation::new();
    let refused = issue(ca.authority(), &ca.person_call("bob").await, certificate_request("bob", "db-admin", "db1")).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Reason::PolicyDenied));
    let event = ca.store.events().pop().unwrap();
    assert_eq!((event.event, event.reason), (Event::CertificateRefused, Some(Reason::PolicyDenied)));
    assert_eq!((event.subject.unwrap().to_string(), event.role.unwrap().to_string()), ("bob".to_owned(), "db-admin".to_owned()));
    assert_eq!(event.facts["targets"], "db1");
    assert_eq!(event.detail.unwrap(), refused.to_string());
    assert_eq!(ca.store.certificates(), 0);
}

#[tokio::test]
async fn what_a_security_key_said_of_its_proof_is_judged_and_logged() {
    let ca = Installation::new();
    let call = ca.person_call("alice").await;
    for (flags, touched) in [(TOUCHED | VERIFIED, true), (0, false)] {
        for key in [FidoSigner::ed25519(1, flags), FidoSigner::p256(flags)] {
            let message = possession_message(ORIGIN, Certifies::User, "alice", CHALLENGE);
            let possession = sign_sshsig(&key, POSSESSION_NAMESPACE, &message).unwrap().to_pem(LineEnding::LF).unwrap();
            let public_key = PublicKey::from(key.public_key().clone()).to_openssh().unwrap();
            let asked =
                dayfly_api::certificate::CertificateRequest { public_key, possession, ..certificate_request("alice", "db-admin", "db1") };
            let answer = issue(ca.authority(), &call, asked).await;
            if touched {
                assert_eq!(parse(&answer.unwrap().certificate).unwrap().public_key(), key.public_key());
                let facts = ca.store.events().pop().unwrap().facts;
                assert_eq!((facts["touched"].as_str(), facts["user_verified"].as_str()), ("true", "true"));
            } else {
                assert_eq!(reason(&answer.unwrap_err()), Some(Reason::NotTouched));
            }
        }
    }
}

#[tokio::test]
async fn what_a_custody_gets_wrong_is_logged_as_failed_and_nothing_leaves() {
    struct Broken(SeedSigner);
    impl Signer for Broken {
        fn public_key(&self) -> &ssh_key::public::KeyData {
            self.0.public_key()
        }
        fn sign(&self, _: &[u8]) -> Result<ssh_key::Signature, SignerError> {
            self.0.sign(b"something else")
        }
    }
    struct Absent(SeedSigner);
    impl Signer for Absent {
        fn public_key(&self) -> &ssh_key::public::KeyData {
            self.0.public_key()
        }
        fn sign(&self, _: &[u8]) -> Result<ssh_key::Signature, SignerError> {
            Err(SignerError { key: "user_ca".into(), cause: "the token is not there: plug it in".into() })
        }
    }
    let custodies: [Arc<dyn Signer>; 2] = [Arc::new(Broken(SeedSigner::new(USER_CA))), Arc::new(Absent(SeedSigner::new(USER_CA)))];
    for (custody, told) in custodies.into_iter().zip(["", "the token is not there: plug it in"]) {
        let ca = Installation::with_user_ca(custody);
        let failed = issue(ca.authority(), &ca.person_call("alice").await, certificate_request("alice", "db-admin", "db1")).await;
        assert!(matches!(failed, Err(Failure::Mint(_))));
        let event = ca.store.events().pop().unwrap();
        assert_eq!((event.event, event.outcome), (Event::CertificateFailed, Outcome::Failed));
        assert!(event.detail.as_ref().unwrap().contains(told), "{event:?}");
        assert_eq!(ca.store.certificates(), 0);
    }
}

#[tokio::test]
async fn row_18_a_request_cannot_ask_for_more_than_its_role() {
    let ca = Installation::new();
    let call = ca.person_call("alice").await;
    let mut longer = certificate_request("alice", "db-admin", "db1");
    longer.ttl = Some("24h".parse().unwrap());
    let issued = issue(ca.authority(), &call, longer).await.unwrap();
    let context = dayfly_core::policy::sample::context();
    assert_eq!(issued.expires_at.unix_timestamp(), context.now.unix_timestamp() + 300);
    assert!(issued.narrowed.iter().any(|sentence| sentence.contains("24h") || sentence.contains("1day")), "{:?}", issued.narrowed);

    let outside = issue(ca.authority(), &call, certificate_request("alice", "web", "db1")).await.unwrap_err();
    assert_eq!(reason(&outside), Some(Reason::TargetOutsideRole));
}

#[test]
fn row_18_a_request_has_no_field_for_principals_options_or_extensions() {
    let asked = serde_json::to_value(certificate_request("alice", "db-admin", "db1")).unwrap();
    for (name, value) in [
        ("principals", serde_json::json!(["root@db1"])),
        ("force_command", serde_json::json!("/bin/sh")),
        ("source_address", serde_json::json!(["0.0.0.0/0"])),
        ("extensions", serde_json::json!(["permit-port-forwarding"])),
        ("critical_options", serde_json::json!({})),
    ] {
        let mut widened = asked.clone();
        widened[name] = value;
        assert!(serde_json::from_value::<dayfly_api::certificate::CertificateRequest>(widened).is_err(), "{name}");
    }
}

#[tokio::test]
async fn row_18_all_targets_are_those_that_policy_permits() {
    let ca = Installation::new();
    let mut asked = certificate_request("alice", "db-admin", "db1");
    asked.targets = RequestedTargets::All;
    let issued = issue(ca.authority(), &ca.person_call("alice").await, asked).await.unwrap();
    assert_eq!(issued.principals, ["deploy@db1", "deploy@db2"]);
}

#[tokio::test]
async fn row_21_a_key_that_nobody_proved_to_hold_is_not_certified() {
    let ca = Installation::new();
    let call = ca.person_call("alice").await;
    let genuine = certificate_request("alice", "db-admin", "db1");
    for unfit in [
        possession(FRESH, Certifies::User, "alice", "another challenge"),
        possession(FRESH, Certifies::User, "bob", CHALLENGE),
        possession(FRESH, Certifies::Session, "alice", CHALLENGE),
        possession(ALICE, Certifies::User, "alice", CHALLENGE),
        String::new(),
    ] {
        let asked = dayfly_api::certificate::CertificateRequest { possession: unfit, ..genuine.clone() };
        assert_eq!(reason(&issue(ca.authority(), &call, asked).await.unwrap_err()), Some(Reason::NoPossession));
    }
    let stolen = dayfly_api::certificate::CertificateRequest { public_key: line(BOB), ..genuine };
    assert_eq!(reason(&issue(ca.authority(), &call, stolen).await.unwrap_err()), Some(Reason::NoPossession));
    assert_eq!(ca.store.certificates(), 0);
}

#[tokio::test]
async fn what_cannot_be_logged_is_not_issued() {
    let without_intent: fn(Event) -> bool = |event| event == Event::CertificateIntended;
    let without_outcome: fn(Event) -> bool = |event| event == Event::CertificateIssued;
    let without_refusal: fn(Event) -> bool = |event| event == Event::CertificateRefused;
    for (unwritable, name) in [(without_intent, "alice"), (without_outcome, "alice"), (without_refusal, "bob")] {
        let ca = Installation::new();
        ca.store.fail(unwritable);
        let failed = issue(ca.authority(), &ca.person_call(name).await, certificate_request(name, "db-admin", "db1")).await.unwrap_err();
        assert!(matches!(failed, Failure::Store(StoreError::Unavailable(_))), "{failed}");
        assert_eq!(ca.store.certificates(), 0);
    }
}

#[tokio::test]
async fn an_intent_that_comes_to_nothing_is_followed_by_a_failure() {
    let ca = Installation::new();
    ca.store.fail(|event| event == Event::CertificateIssued);
    let _ = issue(ca.authority(), &ca.person_call("alice").await, certificate_request("alice", "db-admin", "db1")).await.unwrap_err();
    let events: Vec<Event> = ca.store.events().iter().map(|event| event.event).collect();
    assert_eq!(events, [Event::CertificateIntended, Event::CertificateFailed]);
}
