//! What a browser sees while its person signs in or proves a second factor: a few pages, each bound to the browser that it was made for. Those of a ceremony
//! run one script of ours, since browsers let nothing else ask an authenticator; the others run none.
//!
//! | Part | What it is |
//! |---|---|
//! | `ceremony` | the pages of a ceremony with a passkey or security key |
//! | `html` | the pages as HTML; a template crate escapes whatever is put into them |
//! | `visitor` | which browser this is: its cookie, and the forms that were made for it |

mod ceremony;
mod html;
mod visitor;

use super::{Peer, Service};
use crate::{
    by_browser::Arrived,
    failure::Failure,
    identity::provider::CALLBACK,
    sign_in::{Page, Returned},
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Extension, Path, Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use dayfly_core::reason::{Reason, Refusal};
use html::Markup;
use serde::Deserialize;
use std::sync::Arc;
use visitor::{Form, Visitor};

/// The largest form, in bytes.
const LARGEST_FORM: usize = 4 * 1024;

/// What a page may do: it runs nothing, shows nothing of others, and stands in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What every page says about itself.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// The pages.
pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/sign-in", get(device).post(typed))
        .route("/sign-in/page.css", get(style))
        .route("/sign-in/{id}", get(open).post(chosen))
        .route(CALLBACK, get(callback))
        .route(&format!("{CALLBACK}/{{provider}}"), get(callback))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn(|request, next| plain(POLICY, request, next)))
        .merge(ceremony::routes())
}

/// Puts the headers on whatever a page answers.
async fn plain(policy: &'static str, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Where the person types the code that the tool shows. The code is nowhere in a link.
async fn device(State(service): State<Arc<Service>>, visitor: Visitor) -> Response {
    let form = service.sign_ins.form(visitor.name());
    visitor.page(StatusCode::OK, html::code(&form, None))
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
    if let Err(refusal) = service.sign_ins.check_form(visitor.name(), &form) {
        return refused(&visitor, &refusal);
    }
    match service.sign_ins.claim(&service.authority, &code, visitor.name(), address).await {
        Ok(page) => asked(&service, &visitor, &page),
        Err(refusal) => {
            let form = service.sign_ins.form(visitor.name());
            visitor.page(status(&refusal), html::code(&form, Some(&refusal)))
        }
    }
}

/// The page of a sign-in whose tool is on this machine. Where nothing has to be asked, the browser goes straight on.
async fn open(
    State(service): State<Arc<Service>>,
    Extension(Peer(address)): Extension<Peer>,
    Path(id): Path<String>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Response {
    let now = service.authority.clock.unix_seconds();
    match service.sign_ins.open(&id, visitor.name(), address, now) {
        Ok(page) if page.is_plain && !came_by_a_link(&headers) => {
            let provider = page.providers.first().map(String::as_str).unwrap_or_default();
            match service.sign_ins.depart(&id, visitor.name(), provider, now).await {
                Ok(url) => visitor.redirect(url.as_str()),
                Err(refusal) => refused(&visitor, &refusal),
            }
        }
        Ok(page) => asked(&service, &visitor, &page),
        Err(refusal) => refused(&visitor, &refusal),
    }
}

/// Whether the browser says that a page of others led here. A tool's browser comes by itself (W3C Fetch Metadata); who follows a link is asked first.
fn came_by_a_link(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "none")
}

#[derive(Deserialize)]
struct Chosen {
    form: String,
    provider: Option<String>,
}

/// The person goes on to a provider, or says no.
async fn chosen(
    State(service): State<Arc<Service>>,
    Extension(Peer(address)): Extension<Peer>,
    Path(id): Path<String>,
    visitor: Visitor,
    Form(Chosen { form, provider }): Form<Chosen>,
) -> Response {
    let sign_ins = &service.sign_ins;
    if let Err(refusal) = sign_ins.check_form(visitor.name(), &form) {
        return refused(&visitor, &refusal);
    }
    match provider {
        Some(provider) => match sign_ins.depart(&id, visitor.name(), &provider, service.authority.clock.unix_seconds()).await {
            // A redirect would be judged by this page's own `form-action`; a page that goes on by itself is not.
            Ok(url) => visitor.page(StatusCode::OK, html::onward(&provider, url.as_str())),
            Err(refusal) => refused(&visitor, &refusal),
        },
        None => match sign_ins.decline(&service.authority, &id, visitor.name(), address).await {
            Ok(()) => visitor.page(StatusCode::OK, html::declined()),
            Err(refusal) => refused(&visitor, &refusal),
        },
    }
}

#[derive(Deserialize)]
struct Callback {
    #[serde(default)]
    state: String,
    code: Option<String>,
    iss: Option<String>,
}

/// The browser is back from a provider.
async fn callback(
    State(service): State<Arc<Service>>,
    Extension(Peer(address)): Extension<Peer>,
    provider: Option<Path<String>>,
    visitor: Visitor,
    query: Result<Query<Callback>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(answer)) = query else {
        return refused(&visitor, &Refusal::new(Reason::BadRequest, "the answer cannot be read", "begin again: dayfly login"));
    };
    let returned = Returned {
        state: &answer.state,
        code: answer.code.as_deref(),
        issuer: answer.iss.as_deref(),
        callback: provider.as_ref().map(|Path(name)| name.as_str()),
    };
    match service.sign_ins.arrive(&service.authority, returned, visitor.name(), address).await {
        Ok(Arrived::AtTheTool(url)) => visitor.redirect(&url),
        Ok(Arrived::Elsewhere { subject, host }) => visitor.page(StatusCode::OK, html::arrived(&subject, &host)),
        Err(Failure::Refused(refusal)) => refused(&visitor, &refusal),
        Err(failure) => {
            tracing::error!(%failure, "a sign-in could not be completed");
            let remedy = "try again in a moment; if it lasts, tell whoever operates the CA";
            refused(&visitor, &Refusal::new(Reason::CaUnavailable, "the CA cannot complete the sign-in", remedy))
        }
    }
}

fn asked(service: &Service, visitor: &Visitor, page: &Page) -> Response {
    let form = service.sign_ins.form(visitor.name());
    visitor.page(StatusCode::OK, html::asked(page, &form))
}

fn refused(visitor: &Visitor, refusal: &Refusal) -> Response {
    visitor.page(status(refusal), html::refused(refusal))
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal.reason {
        Reason::LimitReached => StatusCode::TOO_MANY_REQUESTS,
        Reason::ProviderUnavailable | Reason::CaUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Reason::BadRequest => StatusCode::BAD_REQUEST,
        _ => StatusCode::FORBIDDEN,
    }
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], html::STYLE).into_response()
}

fn document(markup: Markup) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], markup.into_string()).into_response()
}
