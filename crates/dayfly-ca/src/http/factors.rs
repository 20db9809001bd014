//! A person's second factors.

use super::{
    Service,
    caller::{ByPerson, Payload},
    problem::HttpProblem,
};
use crate::factor::{self, touch};
use axum::{Json, extract::State};
use dayfly_api::{
    factor::{
        CeremonyStart, CeremonyState, FactorAdded, FactorCode, FactorProven, FactorRemoval, FactorRemoved, Factors, TotpEnrolment, Touch,
        TouchEnrolment,
    },
    path,
    problem::Problem,
    sign_in::{SignInRedemption, SignInStarted},
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

/// Begins a ceremony with a passkey or security key, which a browser on a page of the CA goes on with.
#[utoipa::path(
    post, path = path::WEBAUTHN, tag = "person", request_body = CeremonyStart,
    security(("signed" = [])),
    responses((status = 200, body = SignInStarted), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn begin(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(asked): Payload<CeremonyStart>,
) -> Result<Json<SignInStarted>, HttpProblem> {
    Ok(Json(service.ceremonies.start(&service.authority, &person, asked).await?))
}

/// Completes a ceremony that the same key began, or tells that the person is still at it.
#[utoipa::path(
    post, path = path::WEBAUTHN_REDEMPTION, tag = "person", request_body = SignInRedemption,
    security(("signed" = [])),
    responses((status = 200, body = CeremonyState), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn redeem(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(asked): Payload<SignInRedemption>,
) -> Result<Json<CeremonyState>, HttpProblem> {
    Ok(Json(service.ceremonies.redeem(&service.authority, &person, &asked).await?))
}

/// Gives up one of the caller's passkeys and security keys.
#[utoipa::path(
    post, path = path::FACTOR_REMOVAL, tag = "person", request_body = FactorRemoval,
    security(("signed" = [])),
    responses((status = 200, body = FactorRemoved), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(asked): Payload<FactorRemoval>,
) -> Result<Json<FactorRemoved>, HttpProblem> {
    Ok(Json(factor::remove(&service.authority, &person, &asked).await?))
}

/// Makes a FIDO key a second factor, by a touch.
#[utoipa::path(
    post, path = path::TOUCH_ENROLMENT, tag = "person", request_body = TouchEnrolment,
    security(("signed" = [])),
    responses((status = 200, body = FactorAdded), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn enroll_touch(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(asked): Payload<TouchEnrolment>,
) -> Result<Json<FactorAdded>, HttpProblem> {
    Ok(Json(touch::enroll(&service.authority, &person, &asked).await?))
}

/// Proves the second factor by the touch of a FIDO key, for the key that signs this request.
#[utoipa::path(
    post, path = path::TOUCH, tag = "person", request_body = Touch,
    security(("signed" = [])),
    responses((status = 200, body = FactorProven), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn prove_touch(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(given): Payload<Touch>,
) -> Result<Json<FactorProven>, HttpProblem> {
    Ok(Json(touch::prove(&service.authority, &person, &given).await?))
}
