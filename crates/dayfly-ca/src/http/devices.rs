//! A person's devices.

use super::{
    Service,
    caller::{ByPerson, Payload},
    problem::HttpProblem,
};
use crate::device;
use axum::{Json, extract::State};
use dayfly_api::{
    device::{DeviceEnrollment, Devices, KnownDevice, NamedDevice, ReportedPosture},
    path,
    problem::Problem,
};
use std::sync::Arc;

/// The caller's devices.
#[utoipa::path(
    get, path = path::DEVICES, tag = "person",
    security(("signed" = [])),
    responses((status = 200, body = Devices), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(State(service): State<Arc<Service>>, person: ByPerson) -> Result<Json<Devices>, HttpProblem> {
    Ok(Json(device::list(&service.authority, &person).await?))
}

/// Enrols the device whose key signs the request too. It waits for approval unless a rule approves it.
#[utoipa::path(
    post, path = path::DEVICES, tag = "person", request_body = DeviceEnrollment,
    security(("signed" = [])),
    responses((status = 200, body = KnownDevice), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn enroll(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(asked): Payload<DeviceEnrollment>,
) -> Result<Json<KnownDevice>, HttpProblem> {
    Ok(Json(device::enroll(&service.authority, &person, &asked).await?))
}

/// Takes what the device that signs the request too tells of itself.
#[utoipa::path(
    post, path = path::DEVICE_REPORT, tag = "person", request_body = ReportedPosture,
    security(("signed" = [])),
    responses((status = 200, body = KnownDevice), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn report(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(told): Payload<ReportedPosture>,
) -> Result<Json<KnownDevice>, HttpProblem> {
    Ok(Json(device::report(&service.authority, &person, &told).await?))
}

/// Ends the enrolment of a device of the caller's.
#[utoipa::path(
    post, path = path::DEVICE_REMOVAL, tag = "person", request_body = NamedDevice,
    security(("signed" = [])),
    responses((status = 200, body = KnownDevice), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(named): Payload<NamedDevice>,
) -> Result<Json<KnownDevice>, HttpProblem> {
    Ok(Json(device::remove(&service.authority, &person, &named).await?))
}
