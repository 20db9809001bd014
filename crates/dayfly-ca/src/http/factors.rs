//! A person's second factors.

use super::{
    Service,
    caller::{ByPerson, Payload},
    problem::HttpProblem,
};
use crate::factor;
use axum::{Json, extract::State};
use dayfly_api::{
    factor::{FactorCode, FactorProven, Factors, TotpEnrolment},
    path,
    problem::Problem,
};
use std::sync::Arc;

/// The caller's second factors.
#[utoipa::path(
    get, path = path::FACTORS, tag = "person",
    security(("signed" = [])),
    responses((status = 200, body = Factors), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(State(service): State<Arc<Service>>, person: ByPerson) -> Result<Json<Factors>, HttpProblem> {
    Ok(Json(factor::list(&service.authority, &person).await?))
}

/// A new authenticator. It proves nothing until its first code was given.
#[utoipa::path(
    post, path = path::TOTP_ENROLMENT, tag = "person",
    security(("signed" = [])),
    responses((status = 200, body = TotpEnrolment), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn enroll(State(service): State<Arc<Service>>, person: ByPerson) -> Result<Json<TotpEnrolment>, HttpProblem> {
    Ok(Json(factor::enroll(&service.authority, &person).await?))
}

/// Proves the second factor by a code, for the key that signs this request.
#[utoipa::path(
    post, path = path::TOTP, tag = "person", request_body = FactorCode,
    security(("signed" = [])),
    responses((status = 200, body = FactorProven), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn prove(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(code): Payload<FactorCode>,
) -> Result<Json<FactorProven>, HttpProblem> {
    Ok(Json(factor::prove(&service.authority, &person, &code).await?))
}
