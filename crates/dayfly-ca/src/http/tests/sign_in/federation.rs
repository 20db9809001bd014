//! Workloads: which tokens make a machine of a key, and which do not.

use super::super::double::{ProviderDouble, SigningKey, hs256, unsigned};
use super::{Answer, TOOL, read};
use crate::{
    config::FederationSettings,
    identity::token::Algorithm,
    installation::{Installation, MALLORY},
};
use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use dayfly_api::{
    path,
    person::{Roles, WhoAmI},
    sign_in::{FederationExchange, SignedIn},
};
use dayfly_core::{audit::Event, clock::Clock, signed_request::Purpose};
use serde_json::{Value, json};
use std::time::Duration;

const AUDIENCE: &str = "https://ca.example";

fn entry(issuer: &str, machine: &str, claims: &[(&str, &str)]) -> FederationSettings {
    FederationSettings {
        issuer: issuer.to_owned(),
        audience: AUDIENCE.to_owned(),
        claims: claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        machine: format!("machine:{machine}").parse().unwrap(),
        jwks_file: None,
        algorithms: Algorithm::ALL.to_vec(),
        max_lifetime: Duration::from_secs(3600),
        line: 1,
    }
}

/// A CA that takes the tokens of one repository's main branch as `machine:ci`.
async fn with_issuer() -> (Installation, ProviderDouble) {
    let double = ProviderDouble::start(Installation::new().clock.unix_seconds()).await;
    let claims = [("repository_id", "74"), ("ref", "refs/heads/main"), ("job.environment", "production")];
    (Installation::with_sign_in(Default::default(), vec![entry(&double.issuer, "ci", &claims)]), double)
}

/// A token of that branch, with these claims in the place of its own; `null` takes one out.
fn claims(double: &ProviderDouble, changes: &[(&str, Value)]) -> Value {
    let mut claims = double.conduct().good_claims(&double.issuer, AUDIENCE, None);
    let own =
        json!({"repository_id": "74", "ref": "refs/heads/main", "job": {"environment": "production"}, "jti": "j1", "repository": "octo/x"});
    let own = own.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.clone()));
    for (name, value) in own.chain(changes.iter().cloned()) {
        claims[name] = value;
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn sign(double: &ProviderDouble, changes: &[(&str, Value)]) -> String {
    let claims = claims(double, changes);
    double.conduct().sign(&claims)
}

impl Installation {
    async fn exchange(&self, token: &str, seed: u8) -> Answer {
        self.ask(path::FEDERATION, &FederationExchange { token: token.to_owned() }, seed).await
    }
}

#[tokio::test]
async fn a_workloads_token_is_a_machine_for_minutes_that_may_have_nothing() {
    let (ca, double) = with_issuer().await;
    let token = sign(&double, &[]);
    let signed: SignedIn = read(&ca.exchange(&token, TOOL).await);
    assert_eq!((signed.subject.to_string().as_str(), signed.groups.len()), ("machine:ci", 0));
    let me: WhoAmI = ca.whoami(TOOL).await.json();
    assert_eq!((me.subject.to_string().as_str(), me.method.as_str()), ("machine:ci", "federation"));
    let roles: Roles = ca.call(super::super::get(path::ROLES, Purpose::Person, TOOL)).await.json();
    assert!(roles.roles.is_empty());
    let event = ca.store.events().remove(0);
    assert_eq!((event.event, event.facts["claim.repository_id"].as_str()), (Event::SignInCompleted, "74"));
    assert!(!serde_json::to_string(&event).unwrap().contains(token.rsplit('.').next().unwrap()));
    // The token lives five minutes here, and the sign-in no longer.
    ca.clock.advance(299);
    assert_eq!(ca.whoami(TOOL).await.status, StatusCode::OK);
    ca.clock.advance(1);
    assert_eq!(ca.whoami(TOOL).await.code(), "sign_in_ended");
}

#[tokio::test]
async fn row_15_a_workloads_token_is_good_once() {
    let (ca, double) = with_issuer().await;
    let token = sign(&double, &[]);
    read::<SignedIn>(&ca.exchange(&token, TOOL).await);
    let same_id = sign(&double, &[("ref_type", json!("branch"))]);
    for replayed in [&token, &same_id] {
        let answer = ca.exchange(replayed, MALLORY).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "token_replayed".to_owned()));
        assert_eq!(ca.refused_as(), "token_replayed");
    }
    // Without an id it is what was signed that counts, and not how the signature is written.
    let token = sign(&double, &[("jti", Value::Null)]);
    read::<SignedIn>(&ca.exchange(&token, TOOL + 1).await);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    other_half(&mut bytes[32..]);
    let answer = ca.exchange(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes)), TOOL + 2).await;
    assert!(["token_replayed", "bad_token"].contains(&answer.code().as_str()));
    assert_eq!(ca.exchange(&token, TOOL + 2).await.code(), "token_replayed");
    assert_eq!(ca.whoami(MALLORY).await.code(), "unknown_caller");
}

/// Turns `s` of an ECDSA signature over P-256 into `n - s`, which is as good.
fn other_half(s: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
        0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut borrow = 0;
    for (byte, order) in s.iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
}

#[tokio::test]
async fn row_15_workload_tokens_that_are_not_good() {
    let (ca, double) = with_issuer().await;
    let now = ca.clock.unix_seconds();
    for (name, value) in [
        ("aud", json!("https://other.example")),
        ("aud", json!([AUDIENCE, "https://other.example"])),
        ("aud", Value::Null),
        ("exp", json!(now - 31)),
        ("iat", json!(now + 31)),
        ("nbf", json!(now + 31)),
        ("exp", json!(now + 3601)),
        ("sub", Value::Null),
    ] {
        let token = sign(&double, &[(name, value.clone())]);
        let answer = ca.exchange(&token, TOOL).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "bad_token".to_owned()), "{name}: {value}");
        assert_eq!(ca.refused_as(), "bad_token");
    }
    let good = claims(&double, &[]);
    let public = double.conduct().keys[0].1.public("k1");
    for token in [
        format!("{}.", unsigned(&json!({"alg": "none"}), &good)),
        hs256(public["x"].as_str().unwrap().as_bytes(), "k1", &good),
        SigningKey::es256().token("k1", &good),
        SigningKey::es256().token("k9", &good),
        String::new(),
        "a.b.c".to_owned(),
        "x".repeat(40_000),
    ] {
        assert_eq!(ca.exchange(&token, TOOL).await.code(), "bad_token", "{}", &token[..token.len().min(100)]);
    }
    assert_eq!(ca.whoami(TOOL).await.code(), "unknown_caller");
}

#[tokio::test]
async fn row_16_a_recycled_name_is_not_the_repository() {
    let (ca, double) = with_issuer().await;
    for (name, value) in [
        // The name was given to somebody else, whose repository has another id.
        ("repository_id", json!("75")),
        ("repository_id", json!(740)),
        ("repository_id", json!("74 ")),
        ("repository_id", json!(["74"])),
        ("repository_id", Value::Null),
        ("ref", json!("refs/heads/main2")),
        ("ref", json!("REFS/heads/main")),
        ("job", json!({"environment": "staging"})),
        ("job", json!("production")),
    ] {
        let token = sign(&double, &[(name, value.clone())]);
        let answer = ca.exchange(&token, TOOL).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "unknown_workload".to_owned()), "{name}: {value}");
    }
    let token = sign(&double, &[("repository_id", json!(74))]);
    read::<SignedIn>(&ca.exchange(&token, TOOL).await);
    let named = entry("https://ci.example", "ci", &[("repository", "octo/x")]);
    assert!(named.warnings()[0].contains("repository_id"), "{:?}", named.warnings());
    assert!(entry("https://ci.example", "ci", &[("repository", "octo/x"), ("repository_id", "74")]).warnings().is_empty());
    assert_eq!(entry("https://ci.example", "ci", &[("sub", "repo:octo/x:ref:refs/heads/main")]).warnings().len(), 1);
}

#[tokio::test]
async fn row_19_a_token_that_two_entries_fit_or_none_is_nobodys() {
    let (_, double) = with_issuer().await;
    let entries =
        vec![entry(&double.issuer, "ci", &[("repository_id", "74")]), entry(&double.issuer, "deploy", &[("ref", "refs/heads/main")])];
    let ca = Installation::with_sign_in(Default::default(), entries);
    let token = sign(&double, &[]);
    assert_eq!(ca.exchange(&token, TOOL).await.code(), "unknown_workload");
    let token = sign(&double, &[("ref", json!("refs/tags/1"))]);
    assert_eq!(read::<SignedIn>(&ca.exchange(&token, TOOL).await).subject.to_string(), "machine:ci");
    let token = sign(&double, &[("iss", json!("https://other.example"))]);
    assert_eq!(ca.exchange(&token, TOOL + 1).await.code(), "unknown_workload");
    assert_eq!(Installation::new().exchange(&token, TOOL).await.code(), "unknown_workload");
}

#[tokio::test]
async fn pinned_keys_are_believed_and_nobody_is_asked() {
    let (_, double) = with_issuer().await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("jwks.json");
    let key = double.conduct().keys[0].1.public("k1");
    std::fs::write(&file, json!({"keys": [key, {"kty": "oct", "k": "AAAA", "kid": "k1"}]}).to_string()).unwrap();
    let pinned = FederationSettings { jwks_file: Some(file), ..entry(&double.issuer, "ci", &[("repository_id", "74")]) };
    let ca = Installation::with_sign_in(Default::default(), vec![pinned]);
    let token = sign(&double, &[]);
    read::<SignedIn>(&ca.exchange(&token, TOOL).await);
    assert_eq!(double.conduct().keys_asked_for, 0);
    assert_eq!(ca.exchange(&SigningKey::es256().token("k1", &claims(&double, &[])), TOOL + 1).await.code(), "bad_token");
}

#[tokio::test]
async fn row_20_a_disabled_machine_stays_out() {
    use crate::store::{Change, Store};
    let (ca, double) = with_issuer().await;
    let token = sign(&double, &[]);
    read::<SignedIn>(&ca.exchange(&token, TOOL).await);
    let event = ca.authority().event(Event::UserDisabled, dayfly_core::audit::Outcome::Done);
    ca.store.commit(Change::DisablePerson("machine:ci".parse().unwrap()), event).await.unwrap();
    assert_eq!(ca.whoami(TOOL).await.code(), "revoked");
    let token = sign(&double, &[("jti", json!("j2"))]);
    assert_eq!(ca.exchange(&token, TOOL + 1).await.code(), "revoked");
}
