//! Errors: RFC 9457 problem details with a stable code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong. `code` is stable: for refusals, one of [`dayfly_core::reason::Reason`]; else one of the constants here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`, or where the code is explained.
    #[serde(rename = "type", default = "about_blank")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// A few words for the code.
    pub title: String,
    /// The sentence for the person, which names the rule or the cause.
    pub detail: String,
    /// The stable code.
    pub code: String,
    /// What would change the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

fn about_blank() -> String {
    "about:blank".to_owned()
}

/// The log or the store cannot be written; nothing was done.
pub const STORE_UNAVAILABLE: &str = "store_unavailable";
/// A key could not sign; nothing was issued.
pub const SIGNER_UNAVAILABLE: &str = "signer_unavailable";
/// Something is wrong inside the CA; its trace says what.
pub const INTERNAL: &str = "internal";
/// There is nothing at this path.
pub const NOT_FOUND: &str = "not_found";
/// The path exists, and not for this method.
pub const METHOD_NOT_ALLOWED: &str = "method_not_allowed";
/// The body is larger than this path takes.
pub const TOO_LARGE: &str = "too_large";
/// Too many requests from this address or caller.
pub const TOO_MANY_REQUESTS: &str = "too_many_requests";
/// The request took too long to arrive or to be worked on.
pub const TIMED_OUT: &str = "timed_out";
