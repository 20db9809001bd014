//! What a tool calls to have its key signed in.

use super::{
    Service,
    caller::{ByNewKey, ByPerson, Payload},
    problem::HttpProblem,
};
use axum::{Extension, Json, extract::State};
use dayfly_api::{
    path,
    problem::Problem,
    sign_in::{FederationExchange, SignInOffer, SignInRedemption, SignInStart, SignInStarted, SignInState, SignedIn, SignedOut},
};
use std::sync::Arc;

/// How one may sign in.
#[utoipa::path(
    get, path = path::SIGN_IN_OFFER, tag = "sign-in",
    responses((status = 200, body = SignInOffer), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn offer(State(service): State<Arc<Service>>) -> Json<SignInOffer> {
    Json(service.sign_ins.offer())
}

/// Begins a sign-in of the key that signs this call.
#[utoipa::path(
    post, path = path::SIGN_IN, tag = "sign-in", request_body = SignInStart,
    security(("signed" = [])),
    responses((status = 200, body = SignInStarted), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn start(
    State(service): State<Arc<Service>>,
    key: ByNewKey,
    Payload(asked): Payload<SignInStart>,
) -> Result<Json<SignInStarted>, HttpProblem> {
    Ok(Json(service.sign_ins.start(&service.authority, &key, asked).await?))
}

/// Completes a sign-in that the same key began, or tells that the person is still at it.
#[utoipa::path(
    post, path = path::SIGN_IN_REDEMPTION, tag = "sign-in", request_body = SignInRedemption,
    security(("signed" = [])),
    responses((status = 200, body = SignInState), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn redeem(
    State(service): State<Arc<Service>>,
    key: ByNewKey,
    Payload(asked): Payload<SignInRedemption>,
) -> Result<Json<SignInState>, HttpProblem> {
    Ok(Json(service.sign_ins.redeem(&service.authority, &key, &asked).await?))
}

/// Ends the sign-in of the key that signs this call.
#[utoipa::path(
    post, path = path::SIGN_OUT, tag = "sign-in",
    security(("signed" = [])),
    responses((status = 200, body = SignedOut), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn end(State(service): State<Arc<Service>>, Extension(person): ByPerson) -> Result<Json<SignedOut>, HttpProblem> {
    Ok(Json(service.sign_ins.end(&service.authority, &person).await?))
}

/// Signs the key of this call in as the machine that a workload's token stands for, for minutes.
#[utoipa::path(
    post, path = path::FEDERATION, tag = "sign-in", request_body = FederationExchange,
    security(("signed" = [])),
    responses((status = 200, body = SignedIn), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn federate(
    State(service): State<Arc<Service>>,
    key: ByNewKey,
    Payload(asked): Payload<FederationExchange>,
) -> Result<Json<SignedIn>, HttpProblem> {
    Ok(Json(service.federation.exchange(&service.authority, &key, &asked.token).await?))
}
