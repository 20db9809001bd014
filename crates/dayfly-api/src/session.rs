//! The one question that a bastion asks before it lets anybody through.

use dayfly_core::{
    forward::{Destination, ListenAddress, Listening},
    identity::Subject,
    name::{AccountName, RoleName, TargetName},
    role::SessionRules,
    target::Mode,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// May this certificate's holder enter this target now? Asked once for each session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The session's id, new and unique.
    #[schema(value_type = String)]
    pub session: Uuid,
    /// The bastion's id of the connection that carries it: sessions over one connection share it.
    #[schema(value_type = String)]
    pub connection: Uuid,
    /// The person's certificate, one OpenSSH line.
    pub certificate: String,
    /// The target.
    #[schema(value_type = String)]
    pub target: TargetName,
    /// The account; none for passthrough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountName>,
    /// Where a forwarded connection goes from the target; none for a shell, a command or a subsystem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub forward: Option<Destination>,
    /// For a session that has the target listen for the client (`ssh -R`): where. For a connection that arrives there: that, and where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub listen: Option<Listening>,
    /// The address that the bastion sees.
    #[schema(value_type = String)]
    pub peer: IpAddr,
    /// For a recorded target: the fresh key that logs in there. None for a connection that arrives where a session listens: its login is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_key: Option<LoginKey>,
}

/// A key to certify, and the proof that the caller holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginKey {
    /// One OpenSSH line.
    pub public_key: String,
    /// An armored SSHSIG over the possession message with this request's challenge.
    pub possession: String,
}

/// Yes. The session is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionPermit {
    /// Whose session it is.
    #[schema(value_type = String)]
    pub subject: Subject,
    /// Under which role.
    #[schema(value_type = String)]
    pub role: RoleName,
    /// By which grant.
    #[schema(value_type = String)]
    pub grant: Uuid,
    /// The mode that the CA's inventory has now.
    #[schema(value_type = String)]
    pub mode: Mode,
    /// What the session may do.
    #[schema(value_type = Object)]
    pub rules: SessionRules,
    /// When the parent certificate ends: a passthrough session is cut then, a recorded one starts nothing new.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub certificate_ends: OffsetDateTime,
    /// For a recorded target that is logged in to: the session certificate, one OpenSSH line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_certificate: Option<String>,
}

/// May these sessions, which run, go on? Asked again and again for those whose role says so (`continuous`), 64 at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionsReview {
    /// Each of them.
    pub sessions: Vec<RunningSession>,
}

/// A session that runs, with what the bastion told when it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunningSession {
    /// Its id.
    #[schema(value_type = String)]
    pub session: Uuid,
    /// The account; none for passthrough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountName>,
    /// Where a forwarded connection goes; none for any other session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub forward: Option<Destination>,
    /// Where the target listens, or the connection arrived; none for any other session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub listen: Option<ListenAddress>,
    /// The address that the bastion sees.
    #[schema(value_type = String)]
    pub peer: IpAddr,
}

/// Which of them may not. Those are to be ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionsVerdict {
    /// Each that may not go on.
    pub withdrawn: Vec<WithdrawnSession>,
}

/// A session that may not go on, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WithdrawnSession {
    /// Its id.
    #[schema(value_type = String)]
    pub session: Uuid,
    /// The reason's code.
    pub code: String,
    /// The sentence that the person is told.
    pub message: String,
}
