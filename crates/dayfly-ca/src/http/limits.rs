//! What requests may use up: how many at a time, and how long each.

use super::{Peer, Service, problem::HttpProblem};
use crate::failure::Failure;
use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use dayfly_api::problem;
use std::sync::Arc;

/// Turns away what is more than the CA can work on, and ends what takes too long. A certificate that was signed by then is in the log and goes nowhere.
pub(super) async fn bound(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let Some(Peer(peer)) = request.extensions().get().copied() else {
        return HttpProblem::from(Failure::Internal("a request without the address that it came from".to_owned())).into_response();
    };
    let Some(_place) = service.in_flight.take(peer) else {
        return HttpProblem::too_many(StatusCode::SERVICE_UNAVAILABLE, "the CA works on as many requests as it can").into_response();
    };
    match tokio::time::timeout(service.limits.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "the request took too long to arrive or to be worked on";
            HttpProblem::new(StatusCode::REQUEST_TIMEOUT, problem::TIMED_OUT, detail, "try again").into_response()
        }
    }
}
