//! What a host asks and reports.

use super::{
    Service,
    caller::{ByEnrollingHost, ByHost, Payload},
    problem::HttpProblem,
};
use crate::{failure::Failure, host_certificate, host_enrollment, host_report, host_setup};
use axum::{Json, extract::State};
use dayfly_api::{
    bastion::HostCertificate,
    host::{HostCertificateRenewal, HostEnrollment, HostReceipt, HostReport, HostSetup},
    path,
    problem::Problem,
};
use std::sync::Arc;

/// Enrols the host key that signs this call, by the token in it, and certifies it. The token is used up.
#[utoipa::path(
    post, path = path::HOST_ENROLLMENT, tag = "host", request_body = HostEnrollment,
    security(("signed" = [])),
    responses((status = 200, body = HostCertificate), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn enroll(
    State(service): State<Arc<Service>>,
    host: ByEnrollingHost,
    Payload(asked): Payload<HostEnrollment>,
) -> Result<Json<HostCertificate>, HttpProblem> {
    Ok(Json(host_enrollment::enroll(&service.authority, &host, &asked).await?))
}

/// What enrolling would come to. The token stays good.
#[utoipa::path(
    post, path = path::HOST_ENROLLMENT_PREVIEW, tag = "host", request_body = HostEnrollment,
    security(("signed" = [])),
    responses((status = 200, body = HostSetup), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn preview(
    State(service): State<Arc<Service>>,
    host: ByEnrollingHost,
    Payload(asked): Payload<HostEnrollment>,
) -> Result<Json<HostSetup>, HttpProblem> {
    Ok(Json(host_enrollment::preview(&service.authority, &host, &asked).await?))
}

/// Another certificate of the enrolled host key, which signs this call.
#[utoipa::path(
    post, path = path::HOST_CERTIFICATE, tag = "host", request_body = HostCertificateRenewal,
    security(("signed" = [])),
    responses((status = 200, body = HostCertificate), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn certificate(
    State(service): State<Arc<Service>>,
    call: ByHost,
    Payload(asked): Payload<HostCertificateRenewal>,
) -> Result<Json<HostCertificate>, HttpProblem> {
    let key = call.host.key.as_ref().ok_or_else(|| Failure::Internal("a host that called without a key".to_owned()))?;
    let names = asked.names.as_ref();
    Ok(Json(host_certificate::for_host(&service.authority, &call.host, key, names, call.context.source).await?))
}

/// Whom the host's `sshd` is to trust, and for which accounts.
#[utoipa::path(
    get, path = path::HOST_SETUP, tag = "host",
    security(("signed" = [])),
    responses((status = 200, body = HostSetup), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn setup(State(service): State<Arc<Service>>, call: ByHost) -> Result<Json<HostSetup>, HttpProblem> {
    let answer = host_setup::setup(&service.authority, &call.host).await;
    if let Err(Failure::Refused(refusal)) = &answer {
        service.refused.log_host(&service.authority, &call, ("GET", path::HOST_SETUP), refusal).await;
    }
    Ok(Json(answer?))
}

/// Reports which revocation list and which keys the host holds.
#[utoipa::path(
    post, path = path::HOST_REPORT, tag = "host", request_body = HostReport,
    security(("signed" = [])),
    responses((status = 200, body = HostReceipt), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn report(
    State(service): State<Arc<Service>>,
    call: ByHost,
    Payload(report): Payload<HostReport>,
) -> Result<Json<HostReceipt>, HttpProblem> {
    Ok(Json(host_report::note(&service.authority, &call, report).await?))
}
