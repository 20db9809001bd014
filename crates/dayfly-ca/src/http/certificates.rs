//! Certificates for people and machines.

use super::{
    Service,
    caller::{ByPerson, Payload},
    problem::HttpProblem,
};
use crate::issue;
use axum::{Json, extract::State};
use dayfly_api::{
    certificate::{CertificateRequest, IssuedCertificate},
    path,
    problem::Problem,
};
use std::sync::Arc;

/// Asks for a certificate.
#[utoipa::path(
    post, path = path::CERTIFICATES, tag = "person", request_body = CertificateRequest,
    security(("signed" = [])),
    responses((status = 200, body = IssuedCertificate), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn issue(
    State(service): State<Arc<Service>>,
    person: ByPerson,
    Payload(asked): Payload<CertificateRequest>,
) -> Result<Json<IssuedCertificate>, HttpProblem> {
    Ok(Json(issue::issue(&service.authority, &person, asked).await?))
}
