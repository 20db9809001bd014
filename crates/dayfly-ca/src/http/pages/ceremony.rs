//! The pages of a ceremony with a passkey or security key.

use super::{
    super::{Peer, Service},
    html::{self, ceremony},
    plain, status, style,
    visitor::{Form, Visitor},
};
use crate::{by_browser::Arrived, ceremony::Page, failure::Failure};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Extension, Path, State},
    http::{StatusCode, header},
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::get,
};
use dayfly_core::reason::{Reason, Refusal};
use serde::Deserialize;
use std::sync::Arc;

/// The largest form, in bytes: an authenticator's answer may hold a long key.
const LARGEST_FORM: usize = 16 * 1024;

/// What such a page may do: as any other, and run one script of ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'";

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/factor", get(device).post(typed))
        .route("/factor/page.js", get(script))
        .route("/factor/page.css", get(style))
        .route("/factor/{id}", get(open).post(answered))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn(|request, next| plain(POLICY, request, next)))
}

/// Where the person types the code that the tool shows. The code is nowhere in a link.
async fn device(State(service): State<Arc<Service>>, visitor: Visitor) -> Response {
    let form = service.ceremonies.form(visitor.name());
    visitor.page(StatusCode::OK, ceremony::code(&form, None))
}

#[derive(Deserialize)]
struct Typed {
    form: String,
    code: String,
}

/// The person typed a code: the page shows who asks.
async fn typed(
    State(service): State<Arc<Service>>,
    Extension(Peer(address)): Extension<Peer>,
    visitor: Visitor,
    Form(Typed { form, code }): Form<Typed>,
) -> Response {
    if let Err(refusal) = service.ceremonies.check_form(visitor.name(), &form) {
        return refused(&visitor, &refusal);
    }
    match service.ceremonies.claim(&service.authority, &code, visitor.name(), address).await {
        Ok(page) => asked(&service, &visitor, &page),
        Err(Failure::Refused(refusal)) => {
            let form = service.ceremonies.form(visitor.name());
            visitor.page(status(&refusal), ceremony::code(&form, Some(&refusal)))
        }
        Err(failure) => failed(&visitor, &failure),
    }
}

/// The page of a ceremony whose tool is on this machine. It asks always: the authenticator wants a click anyway.
async fn open(State(service): State<Arc<Service>>, Path(id): Path<String>, visitor: Visitor) -> Response {
    match service.ceremonies.open(&service.authority, &id, visitor.name()).await {
        Ok(page) => asked(&service, &visitor, &page),
        Err(failure) => failed(&visitor, &failure),
    }
}

#[derive(Deserialize)]
struct Answered {
    form: String,
    #[serde(default)]
    answer: String,
    no: Option<String>,
}

/// The authenticator has answered, or the person says no.
async fn answered(
    State(service): State<Arc<Service>>,
    Extension(Peer(address)): Extension<Peer>,
    Path(id): Path<String>,
    visitor: Visitor,
    Form(Answered { form, answer, no }): Form<Answered>,
) -> Response {
    let ceremonies = &service.ceremonies;
    if let Err(refusal) = ceremonies.check_form(visitor.name(), &form) {
        return refused(&visitor, &refusal);
    }
    if no.is_some() {
        return match ceremonies.decline(&service.authority, &id, visitor.name(), address).await {
            Ok(()) => visitor.page(StatusCode::OK, ceremony::declined()),
            Err(refusal) => refused(&visitor, &refusal),
        };
    }
    match ceremonies.answer(&service.authority, &id, &answer, visitor.name(), address).await {
        // A redirect would be judged by this page's own `form-action`; a page that goes on by itself is not.
        Ok(Arrived::AtTheTool(url)) => visitor.page(StatusCode::OK, html::onward("your terminal", &url)),
        Ok(Arrived::Elsewhere { subject, host }) => visitor.page(StatusCode::OK, ceremony::arrived(&subject, &host)),
        Err(failure) => failed(&visitor, &failure),
    }
}

fn asked(service: &Service, visitor: &Visitor, page: &Page) -> Response {
    let form = service.ceremonies.form(visitor.name());
    visitor.page(StatusCode::OK, ceremony::asked(page, &form))
}

fn refused(visitor: &Visitor, refusal: &Refusal) -> Response {
    visitor.page(status(refusal), ceremony::refused(refusal))
}

fn failed(visitor: &Visitor, failure: &Failure) -> Response {
    if let Failure::Refused(refusal) = failure {
        return refused(visitor, refusal);
    }
    tracing::error!(%failure, "a ceremony could not be completed");
    let remedy = "try again in a moment; if it lasts, tell whoever operates the CA";
    refused(visitor, &Refusal::new(Reason::CaUnavailable, "the CA cannot complete the ceremony", remedy))
}

async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], ceremony::SCRIPT).into_response()
}
