//! Signing in: a key of the caller's own comes to speak for a person, by a provider and a browser, or for a machine, by a token. Whoever calls signs with
//! that key, and every later call as well.

use dayfly_core::{identity::Subject, name::GroupName};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How one may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInOffer {
    /// The names of the providers. None: people use keys that are enrolled.
    pub providers: Vec<String>,
    /// Whether a browser on another machine will do.
    pub device_codes: bool,
}

/// A sign-in that is to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInStart {
    /// At which provider; if there are several and none is named, the person chooses on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How the answer comes to the caller.
    pub way: SignInWay,
    /// What the caller's machine calls itself. It is shown to the person as such.
    pub host: String,
}

/// How the answer of a browser comes to the tool that waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum SignInWay {
    /// The browser is on the tool's machine: it is sent to `http://127.0.0.1:PORT/sign-in?state=…&code=…`, or `/factor` for a second factor.
    Loopback {
        /// Where the tool listens.
        port: u16,
        /// What the tool knows its answer by.
        state: String,
    },
    /// The browser is elsewhere: the person types the code that the tool shows.
    DeviceCode,
}

/// A sign-in, or a ceremony for a second factor, that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInStarted {
    /// Which one.
    pub id: String,
    /// The page to open.
    pub page: String,
    /// What the person types there, if the browser is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How long it can be completed, in seconds.
    pub expires_in_seconds: u64,
    /// How often to ask at most, in seconds.
    pub poll_seconds: u64,
}

/// A sign-in, or a ceremony for a second factor, that is to be completed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInRedemption {
    /// Which one.
    pub id: String,
    /// The code that the browser brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// How far a sign-in is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SignInState {
    /// The person is still at it.
    Pending {
        /// How long to wait before asking again, in seconds.
        poll_seconds: u64,
    },
    /// The caller's key is signed in.
    SignedIn(SignedIn),
}

/// A key that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// Whom it speaks for.
    #[schema(value_type = String)]
    pub subject: Subject,
    /// Their groups.
    #[schema(value_type = Vec<String>)]
    pub groups: Vec<GroupName>,
    /// The provider's name; none for a machine's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How the provider calls them. It decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String)]
    pub expires_at: OffsetDateTime,
}

/// A sign-in that was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedOut {
    /// Where the person signs out of the provider itself, if it has such a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_session: Option<String>,
}

/// A workload's token that is to become a short sign-in of the caller's key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FederationExchange {
    /// The token (JWT). It is good once.
    pub token: String,
}

/// The token is a secret until it is used.
impl std::fmt::Debug for FederationExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FederationExchange").finish_non_exhaustive()
    }
}
