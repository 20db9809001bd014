//! What a signature is good for, and what it is not.

use super::{Call, get, post, unsigned};
use crate::{
    installation::{ALICE, BOB, GATE, Installation, MALLORY, ORIGIN},
    store::{Change, Store},
};
use axum::http::{Request, StatusCode};
use dayfly_api::{path, person::WhoAmI};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome, Reporter},
    policy::sample,
    signed_request::{CHALLENGE_HEADER, Purpose, SIGNATURE_HEADER},
};

const WHOAMI: Call<'_> = Call { method: "GET", path: path::WHOAMI, body: b"", purpose: Purpose::Person, seed: ALICE };

#[tokio::test]
async fn an_enrolled_key_proves_who_calls() {
    let ca = Installation::new();
    let me: WhoAmI = ca.call(WHOAMI).await.json();
    assert_eq!((me.subject.to_string(), me.method, me.address), ("alice".into(), "enrolled_key".into(), "198.51.100.7".into()));
    assert_eq!(me.groups.iter().map(ToString::to_string).collect::<Vec<_>>(), ["dba", "developers"]);
}

#[tokio::test]
async fn each_answer_brings_the_challenge_of_the_next_call() {
    let ca = Installation::new();
    let mut challenge = ca.challenge().await;
    for _ in 0..3 {
        let answer = ca.send(WHOAMI.with(&challenge, &WHOAMI.sign(&challenge))).await;
        assert_eq!(answer.status, StatusCode::OK);
        challenge = answer.headers[CHALLENGE_HEADER].to_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn row_21_a_replayed_challenge() {
    let ca = Installation::new();
    let challenge = ca.challenge().await;
    let signature = WHOAMI.sign(&challenge);
    assert_eq!(ca.send(WHOAMI.with(&challenge, &signature)).await.status, StatusCode::OK);
    let replayed = ca.send(WHOAMI.with(&challenge, &signature)).await;
    assert_eq!((replayed.status, replayed.code()), (StatusCode::UNAUTHORIZED, "bad_challenge".to_owned()));
    let event = ca.store.events().pop().unwrap();
    assert_eq!((event.event, event.facts["caller"].as_str()), (Event::RequestRefused, "alice"));
    let roles = Call { path: path::ROLES, ..WHOAMI };
    assert_eq!(ca.send(roles.with(&challenge, &roles.sign(&challenge))).await.code(), "bad_challenge", "signed anew, for another path");
}

#[tokio::test]
async fn row_21_a_challenge_that_is_too_old_or_another_cas() {
    let (ca, other) = (Installation::new(), Installation::new());
    let challenge = ca.challenge().await;
    ca.clock.advance(300);
    assert_eq!(ca.send(WHOAMI.with(&challenge, &WHOAMI.sign(&challenge))).await.code(), "bad_challenge");
    let foreign = other.challenge().await;
    assert_eq!(ca.send(WHOAMI.with(&foreign, &WHOAMI.sign(&foreign))).await.code(), "bad_challenge");
}

#[tokio::test]
async fn row_21_a_signature_for_another_server_purpose_method_path_query_or_body() {
    let ca = Installation::new();
    let sent = post(path::CERTIFICATES, b"{}", Purpose::Person, ALICE);
    for signed in [
        Call { purpose: Purpose::Bastion, ..sent },
        Call { method: "PUT", ..sent },
        Call { path: path::WHOAMI, ..sent },
        Call { path: "/v1/certificates?x", ..sent },
        Call { body: b"{ }", ..sent },
        Call { body: b"", ..sent },
    ] {
        let challenge = ca.challenge().await;
        let answer = ca.send(sent.with(&challenge, &signed.sign(&challenge))).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "bad_signature".to_owned()));
    }
    let challenge = ca.challenge().await;
    for server in ["https://other.example", "http://ca.example", "https://ca.example/", ""] {
        let answer = ca.send(sent.with(&challenge, &sent.sign_for(server, &challenge))).await;
        assert_eq!(answer.code(), "bad_signature", "{server}");
    }
    assert_eq!(
        ca.send(sent.with(&challenge, &sent.sign_for(ORIGIN, &challenge))).await.code(),
        "bad_request",
        "the challenge is unused still"
    );
}

#[tokio::test]
async fn row_21_a_challenge_answered_by_a_stranger_is_not_used_up() {
    let ca = Installation::new();
    let challenge = ca.challenge().await;
    let stranger = Call { seed: MALLORY, ..WHOAMI };
    assert_eq!(ca.send(stranger.with(&challenge, &stranger.sign(&challenge))).await.code(), "unknown_caller");
    assert_eq!(ca.send(WHOAMI.with(&challenge, &WHOAMI.sign(&challenge))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn row_21_garbage_and_doubled_headers() {
    let ca = Installation::new();
    let challenge = ca.challenge().await;
    let signature = WHOAMI.sign(&challenge);
    for (challenge, signature, code) in [
        ("", signature.as_str(), "bad_challenge"),
        (challenge.as_str(), "", "bad_signature"),
        (challenge.as_str(), "not base64!", "bad_signature"),
        (challenge.as_str(), "AAAA", "bad_signature"),
        (challenge.as_str(), &signature[..signature.len() - 8], "bad_signature"),
        (challenge.as_str(), &"A".repeat(20_000), "bad_signature"),
    ] {
        assert_eq!(ca.send(WHOAMI.with(challenge, signature)).await.code(), code);
    }
    let doubled = Request::builder().uri(path::WHOAMI).header(CHALLENGE_HEADER, &challenge).header(CHALLENGE_HEADER, &challenge);
    let doubled = doubled.header(SIGNATURE_HEADER, &signature).body(axum::body::Body::empty()).unwrap();
    assert_eq!(ca.send(doubled).await.code(), "bad_signature");
}

#[tokio::test]
async fn a_disabled_person_and_a_disabled_bastion_are_refused() {
    let ca = Installation::new();
    let event = AuditEvent::new(sample::context().now, Event::UserDisabled, Outcome::Done, Reporter::Administrator);
    ca.store.commit(Change::DisablePerson("alice".parse().unwrap()), event).await.unwrap();
    let answer = ca.call(WHOAMI).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "revoked".to_owned()));
    let refused = ca.store.events().pop().unwrap();
    assert_eq!((refused.event, refused.facts["caller"].as_str()), (Event::RequestRefused, "alice"));

    let mut gate = ca.bastion_call("gate").await.bastion;
    gate.disabled = true;
    ca.store.put_bastion(gate);
    assert_eq!(ca.call(get(path::BASTION_INVENTORY, Purpose::Bastion, GATE)).await.code(), "revoked");
}

#[tokio::test]
async fn row_30_a_session_without_an_enrolled_bastions_key() {
    let ca = Installation::new();
    for seed in [ALICE, BOB, MALLORY] {
        let answer = ca.call(post(path::SESSIONS, b"{}", Purpose::Bastion, seed)).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "unknown_caller".to_owned()));
        let event = ca.store.events().pop().unwrap();
        assert_eq!((event.event, event.facts["path"].as_str()), (Event::RequestRefused, path::SESSIONS));
        assert!(event.facts["key"].starts_with("SHA256:"));
    }
    let nobody = ca.send(unsigned("POST", path::SESSIONS)).await;
    assert_eq!((nobody.status, nobody.code()), (StatusCode::UNAUTHORIZED, "bad_signature".to_owned()));
    assert_eq!(ca.last_event(), ("request.refused".to_owned(), Some("bad_signature".to_owned())));
}
