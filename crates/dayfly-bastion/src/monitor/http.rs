//! What is asked becomes an answer with a status code.

use super::Subject;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};

const TEXT: &str = "text/plain; charset=utf-8";

/// What `prometheus_client` writes.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers one request.
pub(super) async fn answer(subject: &Subject, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n".to_owned());
    }
    match path {
        "/metrics" => metrics(subject).await,
        // Whoever reads this has the answer: the process works.
        "/health" => text(StatusCode::OK, "the process works\n".to_owned()),
        "/ready" => ready(subject).await,
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /health and /ready\n".to_owned()),
    }
}

async fn metrics(subject: &Subject) -> Response<Full<Bytes>> {
    let (_, readings) = subject.observer.look().await;
    match subject.exposition.render(&readings) {
        Ok(body) => response(StatusCode::OK, METRICS, body),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be written: {error}\n")),
    }
}

async fn ready(subject: &Subject) -> Response<Full<Bytes>> {
    let (obstacles, _) = subject.observer.look().await;
    if obstacles.is_empty() {
        return text(StatusCode::OK, "new sessions may start\n".to_owned());
    }
    text(StatusCode::SERVICE_UNAVAILABLE, obstacles.iter().map(|obstacle| format!("{obstacle}\n")).collect())
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    response(status, TEXT, body)
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
