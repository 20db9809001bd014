//! Strong entity tags (RFC 9110 § 8.8.3), and answers that are left out because the caller has them already.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

/// `body` under the tag `digest`, or 304 if `If-None-Match` names it.
pub(super) fn tagged(headers: &HeaderMap, digest: &str, content_type: &'static str, body: impl IntoResponse) -> Response {
    let tag = format!("\"{digest}\"");
    // Whoever keeps it must ask each time whether it still holds.
    let about = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// A list of tags, weak ones compared like strong ones (RFC 9110 § 13.1.2), or `*`.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let listed = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    listed.map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
