//! The log, for those who may review it.

use super::{Service, caller::ByPerson, problem::HttpProblem};
use crate::review;
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use dayfly_api::{
    log::{LogPage, LogQuery, SignedHead},
    path,
    problem::Problem,
};
use dayfly_core::reason::{Reason, Refusal};
use std::sync::Arc;

/// Consecutive rows of the log.
#[utoipa::path(
    get, path = path::LOG, tag = "review", params(LogQuery),
    security(("signed" = [])),
    responses((status = 200, body = LogPage), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn page(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Json<LogPage>, HttpProblem> {
    let Query(query) = query.map_err(|error| Refusal::new(Reason::BadRequest, error.body_text(), "write ?after=NUMBER&limit=NUMBER"))?;
    Ok(Json(review::page(&service.authority, &person, query).await?))
}

/// The log's newest row, signed by the log key.
#[utoipa::path(
    get, path = path::LOG_HEAD, tag = "review",
    security(("signed" = [])),
    responses((status = 200, body = SignedHead), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn head(State(service): State<Arc<Service>>, person: ByPerson) -> Result<Json<SignedHead>, HttpProblem> {
    Ok(Json(review::head(&service.authority, &person).await?))
}
