//! Decisions that are only asked about.

use super::{
    Service,
    caller::{ByPerson, Payload},
    problem::HttpProblem,
};
use crate::why;
use axum::{Extension, Json, extract::State};
use dayfly_api::{
    decision::{Decision, DecisionRequest},
    path,
    problem::Problem,
};
use std::sync::Arc;

/// What a request of the caller would be answered now, and why. Nothing is issued.
#[utoipa::path(
    post, path = path::DECISIONS, tag = "person", request_body = DecisionRequest,
    security(("signed" = [])),
    responses((status = 200, body = Decision), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn why(
    State(service): State<Arc<Service>>,
    Extension(person): ByPerson,
    Payload(asked): Payload<DecisionRequest>,
) -> Result<Json<Decision>, HttpProblem> {
    Ok(Json(why::of_caller(&service.authority, person, asked).await?))
}
