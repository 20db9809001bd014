//! Every route that there is, so that a new one that forgets to ask who calls is noticed.

use super::{super::openapi, Call, get, post, unsigned};
use crate::installation::{ALICE, BOB, DB1, FRESH, GATE, Installation, MALLORY, line, session_request};
use axum::http::StatusCode;
use dayfly_api::path;
use dayfly_core::signed_request::{CHALLENGE_HEADER, Purpose};
use serde_json::Value;

/// What nobody signs. A route that is added here gives away what it answers to everybody.
const PUBLIC: [&str; 8] =
    [path::CHALLENGE, path::HEALTH, path::TRUST, path::KNOWN_HOSTS, path::CA_KEY, path::KRL, path::OPENAPI, path::SIGN_IN_OFFER];

/// What a key that speaks for nobody may ask: to speak for somebody. What it shows for that is looked at, and nothing else of it.
const NEW_KEY: [&str; 3] = [path::SIGN_IN, path::SIGN_IN_REDEMPTION, path::FEDERATION];

/// What everybody who is enrolled may know: of themselves only.
const OWN: [&str; 6] = [path::WHOAMI, path::ROLES, path::DESTINATIONS, path::FACTORS, path::TOTP_ENROLMENT, path::DEVICES];

/// What a host shows a token at. Its key is enrolled nowhere yet.
const ENROLLING: [&str; 2] = [path::HOST_ENROLLMENT, path::HOST_ENROLLMENT_PREVIEW];

struct Route {
    method: String,
    path: String,
    purpose: Purpose,
}

/// Every signed route of the contract.
fn signed_routes() -> Vec<Route> {
    let contract: Value = serde_json::from_str(openapi::json()).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in contract["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let purpose = match operation["tags"][0].as_str().unwrap() {
                "bastion" => Purpose::Bastion,
                "host" => Purpose::Host,
                _ => Purpose::Person,
            };
            if PUBLIC.contains(&path.as_str()) {
                assert!(operation.get("security").is_none(), "{path}");
            } else {
                assert_eq!(operation["security"], serde_json::json!([{"signed": []}]), "{path}");
                routes.push(Route { method: method.to_uppercase(), path: path.clone(), purpose });
            }
        }
    }
    routes
}

fn other(purpose: Purpose) -> Purpose {
    match purpose {
        Purpose::Person => Purpose::Bastion,
        Purpose::Bastion => Purpose::Host,
        Purpose::Host => Purpose::Device,
        Purpose::Device => Purpose::Person,
    }
}

/// What a caller is told whose key is not enrolled as such. A key that may be anybody's is told that it shows nothing.
fn unknown(path: &str) -> String {
    match path {
        path if ENROLLING.contains(&path) => "unknown_token",
        path if NEW_KEY.contains(&path) => "bad_request",
        _ => "unknown_caller",
    }
    .to_owned()
}

#[test]
fn the_contract_holds_every_path_that_callers_know() {
    let contract: Value = serde_json::from_str(openapi::json()).unwrap();
    let source = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../dayfly-api/src/path.rs"));
    let known: Vec<&str> = source.split('"').filter(|text| text.starts_with("/v1/")).collect();
    assert_eq!(known.len(), contract["paths"].as_object().unwrap().len());
    for path in known {
        assert!(contract["paths"].get(path).is_some(), "{path}");
    }
}

#[tokio::test]
async fn row_19_no_route_answers_what_is_unsigned() {
    let ca = Installation::new();
    for Route { method, path, .. } in signed_routes() {
        let answer = ca.send(unsigned(&method, &path)).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "bad_signature".to_owned()), "{method} {path}");
        assert_eq!(answer.headers["www-authenticate"], "Dayfly-SSHSIG");
    }
}

#[tokio::test]
async fn row_19_no_route_answers_a_stranger() {
    let ca = Installation::new();
    for Route { method, path, purpose } in signed_routes() {
        let answer = ca.call(Call { method: &method, path: &path, body: b"", purpose, seed: MALLORY }).await;
        let status = if NEW_KEY.contains(&path.as_str()) { StatusCode::BAD_REQUEST } else { StatusCode::UNAUTHORIZED };
        assert_eq!((answer.status, answer.code()), (status, unknown(&path)), "{method} {path}");
    }
}

#[tokio::test]
async fn row_19_a_key_of_one_kind_opens_no_route_of_another() {
    let ca = Installation::new();
    for Route { method, path, purpose } in signed_routes() {
        let (own, foreign) = match purpose {
            Purpose::Person => (ALICE, [GATE, DB1]),
            Purpose::Bastion => (GATE, [ALICE, DB1]),
            Purpose::Host => (DB1, [ALICE, GATE]),
            Purpose::Device => unreachable!("no route is a device's alone"),
        };
        let as_other = ca.call(Call { method: &method, path: &path, body: b"", purpose: other(purpose), seed: own }).await;
        assert_eq!(as_other.code(), "bad_signature", "{method} {path}: signed for another purpose");
        for seed in foreign {
            let by_other = ca.call(Call { method: &method, path: &path, body: b"", purpose, seed }).await;
            assert_eq!(by_other.code(), unknown(&path), "{method} {path}: another kind's key");
        }
    }
}

#[tokio::test]
async fn row_19_what_nothing_grants_is_refused() {
    let ca = Installation::new();
    for Route { method, path, purpose } in signed_routes() {
        if purpose != Purpose::Person {
            continue;
        }
        let certificate = crate::installation::certificate_request("bob", "db-admin", "db1");
        let body = if method == "POST" { serde_json::to_vec(&certificate).unwrap() } else { Vec::new() };
        let answer = ca.call(Call { method: &method, path: &path, body: &body, purpose, seed: BOB }).await;
        if OWN.contains(&path.as_str()) && (method == "GET" || path.as_str() == path::TOTP_ENROLMENT) {
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert!(!String::from_utf8(answer.body).unwrap().contains("db1"), "{path} names what bob may not reach");
        } else {
            assert!(answer.status.is_client_error(), "{method} {path}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn row_19_a_bastion_that_serves_nothing_gets_nothing() {
    let ca = Installation::new();
    let mut gate = ca.bastion_call("gate").await.bastion;
    gate.targets.clear();
    ca.store.put_bastion(gate);
    let inventory = ca.call(get(path::BASTION_INVENTORY, Purpose::Bastion, GATE)).await.json::<dayfly_api::bastion::Inventory>();
    assert!(inventory.targets.is_empty());
    let session = serde_json::to_vec(&session_request("gate", "", "db1")).unwrap();
    let name = serde_json::json!({"target": "db1", "public_key": line(FRESH), "possession": ""});
    let name = serde_json::to_vec(&name).unwrap();
    for (path, body) in [(path::SESSIONS, session), (path::BASTION_INNER_HOST_CERTIFICATE, name)] {
        let answer = ca.call(post(path, &body, Purpose::Bastion, GATE)).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "target_not_served".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_a_challenge() {
    let ca = Installation::new();
    for (method, path, status) in [
        ("GET", path::CHALLENGE, StatusCode::NO_CONTENT),
        ("GET", "/", StatusCode::NOT_FOUND),
        ("GET", "/v1/nothing", StatusCode::NOT_FOUND),
        ("GET", "/v1/trust/keys/nobody", StatusCode::NOT_FOUND),
        ("DELETE", path::WHOAMI, StatusCode::METHOD_NOT_ALLOWED),
        ("GET", path::CERTIFICATES, StatusCode::METHOD_NOT_ALLOWED),
        ("GET", path::WHOAMI, StatusCode::UNAUTHORIZED),
    ] {
        let answer = ca.send(unsigned(method, path)).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.headers[CHALLENGE_HEADER].len(), 64, "{method} {path}");
        if !status.is_success() {
            answer.code();
        }
    }
}

#[tokio::test]
async fn a_request_from_nowhere_is_an_internal_error_with_a_challenge() {
    use tower::ServiceExt;
    let ca = Installation::new();
    let answer = super::read(super::router(&ca.service).oneshot(unsigned("GET", path::WHOAMI)).await.unwrap()).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::INTERNAL_SERVER_ERROR, "internal".to_owned()));
    assert_eq!(answer.headers[CHALLENGE_HEADER].len(), 64);
}
