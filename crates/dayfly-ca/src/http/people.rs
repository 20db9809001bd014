//! What a person may know of themselves.

use super::{Service, caller::ByPerson, problem::HttpProblem};
use crate::overview;
use axum::{Extension, Json, extract::State};
use dayfly_api::{
    path,
    person::{Destinations, Roles, WhoAmI},
    problem::Problem,
};
use std::sync::Arc;

/// Who the caller is.
#[utoipa::path(
    get, path = path::WHOAMI, tag = "person",
    security(("signed" = [])),
    responses((status = 200, body = WhoAmI), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn whoami(person: ByPerson) -> Json<WhoAmI> {
    Json(overview::whoami(&person))
}

/// The roles that the caller may ask for now.
#[utoipa::path(
    get, path = path::ROLES, tag = "person",
    security(("signed" = [])),
    responses((status = 200, body = Roles), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn roles(State(service): State<Arc<Service>>, Extension(person): ByPerson) -> Result<Json<Roles>, HttpProblem> {
    Ok(Json(overview::roles(&service.authority, person).await?))
}

/// Where the caller may go, and through which bastions.
#[utoipa::path(
    get, path = path::DESTINATIONS, tag = "person",
    security(("signed" = [])),
    responses((status = 200, body = Destinations), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn destinations(
    State(service): State<Arc<Service>>,
    Extension(person): ByPerson,
) -> Result<Json<Destinations>, HttpProblem> {
    Ok(Json(overview::destinations(&service.authority, person).await?))
}
