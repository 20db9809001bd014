//! Errors: RFC 9457 problem details with a stable code.

use dayfly_core::reason;
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
    /// What policy had to do with it.
    #[serde(flatten)]
    pub ruling: Ruling,
}

/// What policy had to do with a refusal. What does not apply is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Ruling {
    /// What would make it a yes, all of it: `second_factor`, `approval`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// If a second factor is missing: the methods of which any one would do: `totp`, `webauthn`, `touch`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// The `@id`s of the policies that forbid it, or else of those that would permit it if one of their conditions held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// The facts that those looked at, as `context.country is "FR"`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
}

impl From<&reason::Ruling> for Ruling {
    fn from(ruling: &reason::Ruling) -> Self {
        Self {
            missing: ruling.missing.iter().map(|missing| missing.code().to_owned()).collect(),
            methods: ruling.methods.iter().map(ToString::to_string).collect(),
            policies: ruling.policies.clone(),
            facts: ruling.facts.clone(),
        }
    }
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
