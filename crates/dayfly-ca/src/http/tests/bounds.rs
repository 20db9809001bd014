//! What requests may use up, and that a stranger does not fill the log.

use super::{get, post, unsigned};
use crate::{
    config::Limits,
    installation::{ALICE, GATE, Installation, MALLORY, limits},
};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use dayfly_api::path;
use dayfly_core::signed_request::{CHALLENGE_HEADER, Purpose};
use std::{task::Poll, time::Duration};

#[tokio::test]
async fn row_22_a_body_past_its_bound_is_not_read() {
    let ca = Installation::new();
    let large = vec![b' '; 64 * 1024 + 1];
    let answer = ca.call(post(path::CERTIFICATES, &large, Purpose::Person, ALICE)).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large".to_owned()));
    assert_eq!(answer.headers[CHALLENGE_HEADER].len(), 64);
    let just = vec![b' '; 64 * 1024];
    assert_eq!(ca.call(post(path::CERTIFICATES, &just, Purpose::Person, ALICE)).await.code(), "bad_request");
}

#[tokio::test]
async fn row_22_a_batch_of_events_may_be_larger_and_has_its_bound_too() {
    let ca = Installation::new();
    let mut batch = br#"{"events":[]}"#.to_vec();
    batch.resize(1024 * 1024, b' ');
    assert_eq!(ca.call(post(path::BASTION_EVENTS, &batch, Purpose::Bastion, GATE)).await.status, StatusCode::OK);
    batch.push(b' ');
    assert_eq!(ca.call(post(path::BASTION_EVENTS, &batch, Purpose::Bastion, GATE)).await.code(), "too_large");
}

#[tokio::test]
async fn row_22_a_body_that_nests_deeply_is_refused() {
    let ca = Installation::new();
    let deep = "[".repeat(60_000);
    assert_eq!(ca.call(post(path::CERTIFICATES, deep.as_bytes(), Purpose::Person, ALICE)).await.code(), "bad_request");
}

#[tokio::test]
async fn row_22_a_body_that_never_ends_is_given_up() {
    let ca = Installation::with_limits(Limits { request_timeout: Duration::from_millis(20), ..limits() });
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = Request::builder().method("POST").uri(path::CERTIFICATES).body(endless).unwrap();
    let answer = ca.send(request).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::REQUEST_TIMEOUT, "timed_out".to_owned()));
    assert_eq!(answer.headers[CHALLENGE_HEADER].len(), 64);
}

#[tokio::test]
async fn row_22_more_than_can_be_worked_on_is_turned_away() {
    let ca = Installation::with_limits(Limits { requests_in_flight: 0, ..limits() });
    let answer = ca.send(unsigned("GET", path::TRUST)).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "too_many_requests".to_owned()));
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn row_22_one_address_leaves_room_for_the_requests_of_others() {
    let ca = Installation::with_limits(Limits { requests_in_flight: 2, ..limits() });
    let endless = || {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        ca.send_from("203.0.113.9", Request::builder().method("POST").uri(path::CERTIFICATES).body(body).unwrap())
    };
    let mut slow = std::pin::pin!(endless());
    let begun = std::future::poll_fn(|context| Poll::Ready(slow.as_mut().poll(context).is_pending())).await;
    assert!(begun, "its body is waited for");
    assert_eq!(endless().await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ca.send(unsigned("GET", path::TRUST)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn row_22_an_address_that_proves_nothing_is_turned_away_and_others_are_not() {
    let ca = Installation::new();
    let mallory = get(path::WHOAMI, Purpose::Person, MALLORY);
    let challenge = ca.challenge().await;
    let signature = mallory.sign(&challenge);
    let mut refused = 0;
    let last = loop {
        let answer = ca.send_from("203.0.113.9", mallory.with(&challenge, &signature)).await;
        if answer.status != StatusCode::UNAUTHORIZED {
            break answer;
        }
        refused += 1;
        assert!(refused <= 1000, "nobody turns this address away");
    };
    assert_eq!((last.status, last.code()), (StatusCode::TOO_MANY_REQUESTS, "too_many_requests".to_owned()));
    assert_eq!(ca.call(get(path::WHOAMI, Purpose::Person, ALICE)).await.status, StatusCode::OK);

    let logged = ca.store.events().len();
    assert!(logged < refused, "{logged} rows for {refused} refusals");
    ca.clock.advance(10);
    ca.send_from("203.0.113.9", mallory.with(&challenge, &signature)).await;
    let event = ca.store.events().pop().unwrap();
    assert_eq!(event.facts["suppressed"], (refused - logged).to_string(), "what was not written is counted");
}

#[tokio::test]
async fn a_request_is_refused_even_when_that_cannot_be_logged() {
    let ca = Installation::new();
    ca.store.fail(|_| true);
    assert_eq!(ca.call(get(path::WHOAMI, Purpose::Person, MALLORY)).await.code(), "unknown_caller");
    assert!(ca.store.events().is_empty());
}
