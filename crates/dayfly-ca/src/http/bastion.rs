//! What a bastion fetches and reports.

use super::{
    Service,
    caller::{ByBastion, Payload},
    etag,
    problem::HttpProblem,
};
use crate::{bastion_events, bastion_inventory, bastion_report, failure::Failure, host_certificate};
use axum::{Json, extract::State, http::HeaderMap, response::Response};
use dayfly_api::{
    bastion::{
        BastionReceipt, BastionReport, EventBatch, EventReceipt, HostCertificate, HostCertificateRequest, InnerHostCertificateRequest,
        Inventory,
    },
    path,
    problem::Problem,
};
use dayfly_core::signed_request::hex;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The targets that the bastion may serve, what to trust and what was revoked. Answers 304 to an `If-None-Match` that still fits.
#[utoipa::path(
    get, path = path::BASTION_INVENTORY, tag = "bastion",
    security(("signed" = [])),
    responses(
        (status = 200, body = Inventory), (status = 304, description = "Nothing changed"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn inventory(
    State(service): State<Arc<Service>>,
    bastion: ByBastion,
    headers: HeaderMap,
) -> Result<Response, HttpProblem> {
    let inventory = bastion_inventory::inventory(&service.authority, &bastion.bastion).await?;
    // Thousands of targets take a while to write, so that is done beside the other requests.
    let written = tokio::task::spawn_blocking(move || serde_json::to_vec(&inventory).map(|body| (hex(&Sha256::digest(&body)), body)));
    let (digest, body) = written.await.map_err(Failure::from)?.map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(etag::tagged(&headers, &digest, "application/json", body))
}

/// The bastion's own host certificate.
#[utoipa::path(
    post, path = path::BASTION_HOST_CERTIFICATE, tag = "bastion", request_body = HostCertificateRequest,
    security(("signed" = [])),
    responses((status = 200, body = HostCertificate), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn host_certificate(
    State(service): State<Arc<Service>>,
    bastion: ByBastion,
    Payload(asked): Payload<HostCertificateRequest>,
) -> Result<Json<HostCertificate>, HttpProblem> {
    Ok(Json(host_certificate::for_bastion(&service.authority, &bastion, &asked).await?))
}

/// The certificate to show when answering for a recorded target.
#[utoipa::path(
    post, path = path::BASTION_INNER_HOST_CERTIFICATE, tag = "bastion", request_body = InnerHostCertificateRequest,
    security(("signed" = [])),
    responses((status = 200, body = HostCertificate), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn inner_host_certificate(
    State(service): State<Arc<Service>>,
    bastion: ByBastion,
    Payload(asked): Payload<InnerHostCertificateRequest>,
) -> Result<Json<HostCertificate>, HttpProblem> {
    Ok(Json(host_certificate::for_target(&service.authority, &bastion, &asked).await?))
}

/// Reports which keys the bastion trusts.
#[utoipa::path(
    post, path = path::BASTION_REPORT, tag = "bastion", request_body = BastionReport,
    security(("signed" = [])),
    responses((status = 200, body = BastionReceipt), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn report(
    State(service): State<Arc<Service>>,
    bastion: ByBastion,
    Payload(report): Payload<BastionReport>,
) -> Result<Json<BastionReceipt>, HttpProblem> {
    Ok(Json(bastion_report::note(&service.authority, &bastion.bastion, report).await?))
}

/// Reports what happened at the bastion, in order. Sending a batch again changes nothing.
#[utoipa::path(
    post, path = path::BASTION_EVENTS, tag = "bastion", request_body = EventBatch,
    security(("signed" = [])),
    responses((status = 200, body = EventReceipt), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn events(
    State(service): State<Arc<Service>>,
    bastion: ByBastion,
    Payload(batch): Payload<EventBatch>,
) -> Result<Json<EventReceipt>, HttpProblem> {
    Ok(Json(bastion_events::append(&service.authority, &bastion.bastion, batch).await?))
}
