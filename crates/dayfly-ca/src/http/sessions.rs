//! Sessions: the one question that a bastion asks.

use super::{
    Service,
    caller::{ByBastion, Payload},
    problem::HttpProblem,
};
use crate::session;
use axum::{Json, extract::State};
use dayfly_api::{
    path,
    problem::Problem,
    session::{SessionPermit, SessionRequest, SessionsReview, SessionsVerdict},
};
use std::sync::Arc;

/// Asks whether a session may start, and for its certificate.
#[utoipa::path(
    post, path = path::SESSIONS, tag = "bastion", request_body = SessionRequest,
    security(("signed" = [])),
    responses((status = 200, body = SessionPermit), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn open(
    State(service): State<Arc<Service>>,
    bastion: ByBastion,
    Payload(asked): Payload<SessionRequest>,
) -> Result<Json<SessionPermit>, HttpProblem> {
    Ok(Json(session::open(&service.authority, &bastion, &asked).await?))
}

/// Asks whether sessions that run may go on.
#[utoipa::path(
    post, path = path::SESSIONS_REVIEW, tag = "bastion", request_body = SessionsReview,
    security(("signed" = [])),
    responses((status = 200, body = SessionsVerdict), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn review(
    State(service): State<Arc<Service>>,
    bastion: ByBastion,
    Payload(asked): Payload<SessionsReview>,
) -> Result<Json<SessionsVerdict>, HttpProblem> {
    Ok(Json(session::review(&service.authority, &bastion, &asked).await?))
}
