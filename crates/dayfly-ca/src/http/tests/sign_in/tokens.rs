//! What a provider may answer, and what is not taken from it.

use super::super::double::{Conduct, ProviderDouble, RSA, SigningKey, hs256, unsigned};
use super::{Browser, HERE, TOOL, code_at_the_tool, location, loopback, provider, reason, round_trip, settings, signed_in, with_provider};
use crate::{identity::token::Algorithm, installation::Installation};
use axum::http::StatusCode;
use dayfly_core::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;

/// What makes a token of these claims.
type Maker = fn(&Conduct, &Value) -> String;

/// What somebody is told, browser and tool alike, whom the provider says this of.
async fn refused_with(ca: &Installation, double: &ProviderDouble) -> String {
    let started = ca.begin_here().await;
    let answer = round_trip(ca, double, &mut Browser::new(), &started.page).await;
    assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{}", answer.status);
    let (told, logged) = (reason(&answer), ca.refused_as());
    assert_eq!(told, logged);
    assert_eq!(ca.redeem(&started.id, None, TOOL).await.code(), told);
    told
}

async fn accepted(ca: &Installation, double: &ProviderDouble, seed: u8) -> String {
    let started = ca.begin(loopback(), seed).await;
    let code = code_at_the_tool(ca, double, &started.page).await;
    signed_in(&ca.redeem(&started.id, Some(&code), seed).await).subject.to_string()
}

#[tokio::test]
async fn row_15_claims_that_do_not_fit() {
    let (ca, double) = with_provider().await;
    let now = ca.clock.unix_seconds();
    for (name, value) in [
        ("aud", json!("somebody-else")),
        ("aud", json!(["dayfly", "somebody-else"])),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("iss", json!("https://idp.example")),
        ("iss", json!(format!("{}/", double.issuer))),
        ("iss", Value::Null),
        ("azp", json!("somebody-else")),
        ("nonce", json!("another")),
        ("nonce", Value::Null),
        ("exp", json!(now - 31)),
        ("exp", Value::Null),
        ("iat", json!(now + 31)),
        ("iat", Value::Null),
        ("nbf", json!(now + 31)),
        ("nbf", json!("now")),
        ("sub", json!("")),
        ("sub", Value::Null),
        ("sub", json!("x".repeat(256))),
    ] {
        double.conduct().claims.insert(name.to_owned(), value.clone());
        assert_eq!(refused_with(&ca, &double).await, "bad_token", "{name}: {value}");
        double.conduct().claims.remove(name);
    }
    assert_eq!(accepted(&ca, &double, TOOL).await, "corp.248289761001");
}

#[tokio::test]
async fn row_15_signatures_that_do_not_fit() {
    let (ca, double) = with_provider().await;
    let makers: [(&str, Maker); 8] = [
        ("none", |_, claims| format!("{}.", unsigned(&json!({"alg": "none"}), claims))),
        ("none, with the signature of another", |conduct, claims| {
            let good = conduct.sign(claims);
            format!("{}.{}", unsigned(&json!({"alg": "none", "kid": "k1"}), claims), good.rsplit('.').next().unwrap())
        }),
        ("HS256 by the public key", |conduct, claims| {
            let key = conduct.keys[0].1.public("k1");
            hs256(key["x"].as_str().unwrap().as_bytes(), "k1", claims)
        }),
        ("HS256 by the client's secret", |_, claims| hs256(b"client secret", "k1", claims)),
        ("another key under the same id", |conduct, claims| SigningKey::es256().token(&conduct.signs_with.0, claims)),
        ("claims that were changed afterwards", |conduct, claims| {
            let good = conduct.sign(claims);
            let mut changed = claims.clone();
            changed["sub"] = json!("admin");
            let header = good.split('.').next().unwrap();
            let payload = unsigned(&json!({}), &changed).split('.').nth(1).unwrap().to_owned();
            format!("{header}.{payload}.{}", good.rsplit('.').next().unwrap())
        }),
        ("no JWT", |_, _| "eyJhbGciOiJFUzI1NiJ9".to_owned()),
        ("a critical header", |conduct, claims| {
            let signed = unsigned(&json!({"alg": "ES256", "kid": "k1", "crit": ["exp"]}), claims);
            format!("{signed}.{}", conduct.sign(claims).rsplit('.').next().unwrap())
        }),
    ];
    for (what, make) in makers {
        double.conduct().token = Some(make);
        assert_eq!(refused_with(&ca, &double).await, "bad_token", "{what}");
        ca.clock.advance(1);
    }
    double.conduct().token = None;
    assert_eq!(accepted(&ca, &double, TOOL).await, "corp.248289761001");
}

#[tokio::test]
async fn row_15_only_allowed_algorithms() {
    let (_, double) = with_provider().await;
    let only = |algorithm| {
        let provider = crate::config::ProviderSettings { algorithms: vec![algorithm], ..provider("corp", &double.issuer) };
        Installation::with_sign_in(settings(vec![provider]), Vec::new())
    };
    for (key, algorithm) in [
        (Arc::new(SigningKey::es256()), Algorithm::Es256),
        (Arc::clone(&RSA), Algorithm::Rs256),
        (Arc::new(SigningKey::eddsa()), Algorithm::EdDsa),
    ] {
        double.conduct().keys = vec![("k1".to_owned(), Arc::clone(&key))];
        double.conduct().signs_with = ("k1".to_owned(), key);
        for allowed in Algorithm::ALL {
            let ca = only(allowed);
            if allowed == algorithm {
                assert_eq!(accepted(&ca, &double, TOOL).await, "corp.248289761001", "{algorithm:?}");
            } else {
                assert_eq!(refused_with(&ca, &double).await, "bad_token", "{algorithm:?} where {allowed:?} is allowed");
            }
        }
    }
}

#[tokio::test]
async fn row_15_keys_rotate_and_a_flood_of_unknown_ones_asks_for_few() {
    let (ca, double) = with_provider().await;
    accepted(&ca, &double, TOOL).await;
    assert_eq!(double.conduct().keys_asked_for, 1);
    let key = Arc::new(SigningKey::es256());
    double.conduct().signs_with = ("k2".to_owned(), Arc::clone(&key));
    assert_eq!(refused_with(&ca, &double).await, "bad_token", "a key that is not published");
    double.conduct().keys.push(("k2".to_owned(), key));
    accepted(&ca, &double, TOOL + 1).await;
    double.conduct().keys.remove(0);
    accepted(&ca, &double, TOOL + 2).await;
    let asked_for = double.conduct().keys_asked_for;
    assert_eq!(asked_for, 3);
    double.conduct().signs_with.0 = "unknown".to_owned();
    for _ in 0..20 {
        assert_eq!(refused_with(&ca, &double).await, "bad_token");
    }
    let asked_for = double.conduct().keys_asked_for - asked_for;
    assert!((1..=5).contains(&asked_for), "{asked_for}");
}

#[tokio::test]
async fn row_15_an_answer_of_another_issuer() {
    let (ca, double) = with_provider().await;
    double.conduct().answers_as = Some("https://idp.example".to_owned());
    assert_eq!(refused_with(&ca, &double).await, "bad_token");
    double.conduct().answers_as = Some(double.issuer.clone());
    accepted(&ca, &double, TOOL).await;
    // Who says that every answer names it, and whose does not.
    let strict = ProviderDouble::start(ca.clock.unix_seconds()).await;
    strict.conduct().metadata.insert("authorization_response_iss_parameter_supported".to_owned(), json!(true));
    let ca = Installation::with_sign_in(settings(vec![provider("corp", &strict.issuer)]), Vec::new());
    assert_eq!(refused_with(&ca, &strict).await, "bad_token");
}

#[tokio::test]
async fn row_15_the_same_person_is_issuer_and_sub_and_nothing_else() {
    let (ca, double) = with_provider().await;
    let alice = accepted(&ca, &double, TOOL).await;
    let say = |name: &str, value: Value| double.conduct().claims.insert(name.to_owned(), value);
    say("email", json!("alice@example.org"));
    say("email_verified", json!(true));
    say("preferred_username", json!("root"));
    assert_eq!(accepted(&ca, &double, TOOL + 1).await, alice, "another name and address");
    say("sub", json!("mallory"));
    assert_eq!(accepted(&ca, &double, TOOL + 2).await, "corp.mallory", "the same address, another sub");
    // Another provider that is given the same name here does not get its people.
    let other = ProviderDouble::start(ca.clock.unix_seconds()).await;
    other.conduct().claims.insert("realm_access".to_owned(), json!({"roles": ["dba"]}));
    let moved = Installation::with_sign_in(settings(vec![provider("corp", &other.issuer)]), Vec::new());
    for person in crate::store::Store::people(ca.store.as_ref()).await.unwrap() {
        moved.store.put_person(person);
    }
    let started = moved.begin_here().await;
    let code = code_at_the_tool(&moved, &other, &started.page).await;
    let answer = moved.redeem(&started.id, Some(&code), TOOL).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "subject_taken".to_owned()));
}

#[tokio::test]
async fn groups_that_are_not_in_the_token_come_from_userinfo_about_the_same_person() {
    let (ca, double) = with_provider().await;
    double.conduct().claims.remove("realm_access");
    double.conduct().userinfo = json!({"sub": "248289761001", "realm_access": {"roles": ["web"]}});
    let started = ca.begin_here().await;
    let code = code_at_the_tool(&ca, &double, &started.page).await;
    let groups = signed_in(&ca.redeem(&started.id, Some(&code), TOOL).await).groups;
    assert_eq!(groups.iter().map(ToString::to_string).collect::<Vec<_>>(), ["web"]);
    double.conduct().userinfo = json!({"sub": "another", "realm_access": {"roles": ["dba"]}});
    assert_eq!(refused_with(&ca, &double).await, "bad_token");
}

#[tokio::test]
async fn row_22_a_provider_that_floods_or_stands_still() {
    let (ca, double) = with_provider().await;
    let started = ca.begin_here().await;
    let there = location(&Browser::at(HERE).get(&ca, &started.page).await);
    assert!(there.as_str().starts_with(&double.issuer));
    // The keys are asked for when the first token comes.
    double.conduct().floods = true;
    assert_eq!(refused_with(&ca, &double).await, "provider_unavailable");
    double.conduct().floods = false;

    let slow = ProviderDouble::start(ca.clock.unix_seconds()).await;
    slow.conduct().hangs = true;
    let ca = Installation::with_sign_in(settings(vec![provider("corp", &slow.issuer)]), Vec::new());
    let started = ca.begin_here().await;
    let answer = Browser::new().get(&ca, &started.page).await;
    assert_eq!((answer.status, reason(&answer)), (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable".to_owned()));
}

#[tokio::test]
async fn row_15_a_provider_that_describes_itself_as_another() {
    let (ca, _) = with_provider().await;
    let now = ca.clock.unix_seconds();
    for (name, value) in [
        ("issuer", json!("https://idp.example")),
        ("jwks_uri", json!("http://192.0.2.1/keys")),
        ("token_endpoint", json!("http://idp.example/token")),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("authorization_endpoint", Value::Null),
    ] {
        let double = ProviderDouble::start(now).await;
        double.conduct().metadata.insert(name.to_owned(), value.clone());
        let ca = Installation::with_sign_in(settings(vec![provider("corp", &double.issuer)]), Vec::new());
        let started = ca.begin_here().await;
        let answer = Browser::new().get(&ca, &started.page).await;
        assert_eq!(reason(&answer), "provider_unavailable", "{name}: {value}");
    }
}
