//! The service as callers meet it, through its router.

#![allow(clippy::unwrap_used)]

mod authentication;
mod authenticator;
mod bounds;
mod ceremony;
mod decisions;
mod devices;
mod double;
mod log;
mod resources;
mod routes;
mod sign_in;

use super::{Peer, router};
use crate::installation::{Installation, ORIGIN, request_signature};
use axum::{
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode},
};
use dayfly_api::{path, problem::Problem};
use dayfly_core::signed_request::{CHALLENGE_HEADER, Purpose, SIGNATURE_HEADER, SignedRequest};
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use tower::ServiceExt;

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// The code of a problem, which is well formed.
    fn code(&self) -> String {
        let problem: Problem = self.json();
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!((problem.status, problem.kind.as_str()), (self.status.as_u16(), "about:blank"));
        assert!(!problem.detail.is_empty() && problem.remedy.is_some_and(|remedy| !remedy.is_empty()));
        problem.code
    }
}

/// A request as it is about to be signed. What is signed and what is sent can be made to differ.
#[derive(Clone, Copy)]
struct Call<'a> {
    method: &'a str,
    path: &'a str,
    body: &'a [u8],
    purpose: Purpose,
    seed: u8,
}

impl Call<'_> {
    fn sign(&self, challenge: &str) -> String {
        self.sign_for(ORIGIN, challenge)
    }

    fn sign_for(&self, server: &str, challenge: &str) -> String {
        let Self { method, path, body, purpose, seed } = *self;
        request_signature(seed, SignedRequest { server, purpose, challenge, method, path, body })
    }

    /// The request with these headers.
    fn with(&self, challenge: &str, signature: &str) -> Request<Body> {
        let request = Request::builder().method(self.method).uri(self.path);
        request.header(CHALLENGE_HEADER, challenge).header(SIGNATURE_HEADER, signature).body(Body::from(self.body.to_vec())).unwrap()
    }
}

fn get(path: &str, purpose: Purpose, seed: u8) -> Call<'_> {
    Call { method: "GET", path, body: b"", purpose, seed }
}

fn post<'a>(path: &'a str, body: &'a [u8], purpose: Purpose, seed: u8) -> Call<'a> {
    Call { method: "POST", path, body, purpose, seed }
}

fn unsigned(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

impl Installation {
    /// Sends a request as if from the sample's address.
    async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from("198.51.100.7", request).await
    }

    async fn send_from(&self, address: &str, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(Peer(address.parse::<IpAddr>().unwrap()));
        read(router(&self.service).oneshot(request).await.unwrap()).await
    }

    /// A challenge that is good now.
    async fn challenge(&self) -> String {
        let answer = self.send(unsigned("GET", path::CHALLENGE)).await;
        answer.headers[CHALLENGE_HEADER].to_str().unwrap().to_owned()
    }

    /// Signs and sends.
    async fn call(&self, call: Call<'_>) -> Answer {
        let challenge = self.challenge().await;
        self.send(call.with(&challenge, &call.sign(&challenge))).await
    }
}

async fn read(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}
