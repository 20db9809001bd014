//! What anybody may know: whom to trust, whether the CA works, and a challenge to begin with. The only routes that nobody signs.

use super::{Service, etag, openapi, problem, problem::HttpProblem};
use crate::trust;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use dayfly_api::{path, problem::Problem, trust::Trust};
use dayfly_core::rotation::Purpose;
use std::sync::Arc;

const TEXT: &str = "text/plain; charset=utf-8";

/// The public routes.
pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route(path::CHALLENGE, get(challenge))
        .route(path::HEALTH, get(health))
        .route(path::TRUST, get(everything))
        .route(path::KNOWN_HOSTS, get(known_hosts))
        .route(path::CA_KEY, get(ca_key))
        .route(path::KRL, get(krl))
        .route(path::OPENAPI, get(description))
}

/// Nothing but the next challenge, in the header.
#[utoipa::path(get, path = path::CHALLENGE, tag = "trust", responses((status = 204, description = "The challenge is in the header dayfly-challenge")))]
pub(super) async fn challenge() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// What the CA does with less than it should have. It works all the same, so a balancer need not care.
const DEGRADED: &str = "dayfly-degraded";

/// Whether the CA can issue certificates. The header `dayfly-degraded: inventory` says that a source of the inventory fails.
#[utoipa::path(
    get, path = path::HEALTH, tag = "trust",
    responses(
        (status = 204, description = "It can"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn health(State(service): State<Arc<Service>>) -> Result<Response, HttpProblem> {
    service.authority.store.head().await?;
    let degraded = service.authority.sources.is_failing().then_some([(DEGRADED, "inventory")]);
    Ok(match degraded {
        Some(header) => (StatusCode::NO_CONTENT, header).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// The public keys of the four authorities and of the log, and lines for `known_hosts`.
#[utoipa::path(
    get, path = path::TRUST, tag = "trust",
    responses((status = 200, body = Trust), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn everything(State(service): State<Arc<Service>>) -> Result<Json<Trust>, HttpProblem> {
    Ok(Json(trust::trust(&service.authority).await?))
}

/// Lines for `known_hosts`.
#[utoipa::path(
    get, path = path::KNOWN_HOSTS, tag = "trust",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn known_hosts(State(service): State<Arc<Service>>) -> Result<Response, HttpProblem> {
    let lines = trust::known_hosts_lines(&service.authority).await?;
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

/// One authority's public keys, a line each: `user`, `session`, `host` or `inner-host`. There are two while one gives way to the other.
#[utoipa::path(
    get, path = path::CA_KEY, tag = "trust", params(("purpose" = String, Path, description = "`user`, `session`, `host` or `inner-host`")),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn ca_key(State(service): State<Arc<Service>>, Path(purpose): Path<String>) -> Result<Response, HttpProblem> {
    let Ok(purpose) = purpose.parse::<Purpose>() else { return Err(problem::not_found().await) };
    let text: String = trust::ca_keys(&service.authority, purpose).await?.into_iter().map(|line| line + "\n").collect();
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

/// The key revocation list (OpenSSH PROTOCOL.krl). Answers 304 to an `If-None-Match` that still fits.
#[utoipa::path(
    get, path = path::KRL, tag = "trust",
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 304, description = "Nothing changed"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn krl(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Response, HttpProblem> {
    let list = trust::revocation_list(&service.authority).await?;
    Ok(etag::tagged(&headers, &list.digest, "application/octet-stream", list.bytes.clone()))
}

/// This contract.
#[utoipa::path(get, path = path::OPENAPI, tag = "trust", responses((status = 200, description = "OpenAPI", content_type = "application/json")))]
pub(super) async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi::json()).into_response()
}
