//! What the person is told when something does not work: what happened, why, and what to do next.

use crate::{agent::AgentError, identity::IdentityError, state::StateError};
use dayfly_api::problem::{Ruling, TOO_MANY_REQUESTS};
use dayfly_client::ClientError;
use dayfly_core::reason::Reason;
use serde::Serialize;
use std::fmt;

/// The kinds of failure, each with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It did not work, or what was checked is broken.
    Failed,
    /// The command line says something that cannot be.
    Usage,
    /// A rule said no.
    Refused,
    /// Nobody is logged in here, or the CA does not accept the identity.
    NotLoggedIn,
    /// The CA cannot be reached, or cannot answer for now.
    Unreachable,
    /// The files kept here are not safe to use.
    UnsafeState,
    /// The sign-in has ended, and nobody is there to sign in again.
    SignInNeeded,
    /// A workload's token is missing or was refused.
    TokenRefused,
    /// Whoever read the output has read enough, as `head` does. Not a failure of anything.
    NobodyReads,
}

/// The exit codes as the help shows them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it failed, or what was checked is broken
  2  the command line is wrong
  3  refused by a rule of the CA
  4  not logged in, or the CA does not accept the identity
  5  the CA cannot be reached, or cannot answer for now
  6  files kept by dayfly are missing their protection, or cannot be used
  7  the sign-in has ended, and nobody could be asked to sign in again: dayfly login
  8  a workload's token is missing, or was refused";

impl Kind {
    /// The program's exit code: the table of [`EXIT_CODES`].
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::NotLoggedIn => 4,
            Self::Unreachable => 5,
            Self::UnsafeState => 6,
            Self::SignInNeeded => 7,
            Self::TokenRefused => 8,
            Self::NobodyReads => 0,
        }
    }
}

/// A failure in words. The texts may hold what others wrote: whoever shows them neutralises them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its kind.
    pub kind: Kind,
    /// The CA's stable code, if it came from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What happened.
    pub message: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// What the CA's policy had to do with it: `missing`, `methods`, `policies`, `facts`.
    #[serde(flatten)]
    pub ruling: Option<Box<Ruling>>,
}

impl Failure {
    /// A failure that explains itself.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, code: None, message: message.into(), cause: None, remedy: None, ruling: None }
    }

    /// Adds the cause.
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds the next step.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let kind = kind_of(&error);
        let remedy = error.remedy();
        let code = error.code().map(str::to_owned);
        let ruling = match &error {
            ClientError::Problem(problem) if problem.ruling != Ruling::default() => Some(Box::new(problem.ruling.clone())),
            _ => None,
        };
        let (message, cause) = match error {
            ClientError::Unreachable { origin, cause } => (format!("the CA at {origin} cannot be reached"), Some(cause)),
            ClientError::Protocol { origin, cause } => (format!("the CA at {origin} gave an answer that is not understood"), Some(cause)),
            ClientError::Signer(error) => ("the identity's key did not sign the request".to_owned(), Some(error.cause)),
            other => (other.to_string(), None),
        };
        let fallback = match kind {
            Kind::NotLoggedIn if code.is_none() => {
                Some("try again; if the key has a passphrase or is a token's, give it to the agent: ssh-add FILE")
            }
            Kind::NotLoggedIn => Some("ask whoever runs the CA to enrol your key, or log in with another: dayfly login --identity FILE"),
            Kind::Usage => Some("see dayfly login --help"),
            Kind::Unreachable => Some("try again in a moment"),
            _ => None,
        };
        Self { kind, code, message, cause, remedy: remedy.or_else(|| fallback.map(str::to_owned)), ruling }
    }
}

fn kind_of(error: &ClientError) -> Kind {
    const NOT_ACCEPTED: [Reason; 3] = [Reason::UnknownCaller, Reason::BadSignature, Reason::BadChallenge];
    const TOKEN: [Reason; 3] = [Reason::BadToken, Reason::TokenReplayed, Reason::UnknownWorkload];
    match error {
        ClientError::Problem(problem) if problem.code == Reason::SignInEnded.code() => Kind::SignInNeeded,
        ClientError::Problem(problem) if TOKEN.iter().any(|reason| reason.code() == problem.code) => Kind::TokenRefused,
        ClientError::Problem(problem) if NOT_ACCEPTED.iter().any(|reason| reason.code() == problem.code) => Kind::NotLoggedIn,
        ClientError::Problem(problem) if problem.code == TOO_MANY_REQUESTS => Kind::Unreachable,
        error if error.is_unavailable() => Kind::Unreachable,
        ClientError::Problem(_) => Kind::Refused,
        ClientError::Signer(_) => Kind::NotLoggedIn,
        ClientError::BadOrigin(_) => Kind::Usage,
        _ => Kind::Failed,
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let remedy = error.remedy();
        Self { remedy, ..Self::new(Kind::UnsafeState, error.to_string()) }
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        let remedy = error.remedy();
        Self::new(Kind::NotLoggedIn, error.to_string()).remedy(remedy)
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        let remedy = error.remedy();
        Self::new(Kind::Failed, error.to_string()).remedy(remedy)
    }
}

/// The screen or the pipe is gone, or the disk is full.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::BrokenPipe { Kind::NobodyReads } else { Kind::Failed };
        Self::new(kind, "the output could not be written").because(error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_api::problem::Problem;

    fn problem(status: u16, code: &str) -> Failure {
        let problem = Problem {
            kind: "about:blank".to_owned(),
            status,
            title: "no".to_owned(),
            detail: "no".to_owned(),
            code: code.to_owned(),
            remedy: None,
            ruling: Ruling::default(),
        };
        ClientError::Problem(Box::new(problem)).into()
    }

    #[test]
    fn exit_codes_tell_refusal_identity_and_outage_apart() {
        assert_eq!(problem(403, "policy_denied").kind.exit_code(), 3);
        assert_eq!(problem(401, "unknown_caller").kind.exit_code(), 4);
        assert_eq!(problem(401, "sign_in_ended").kind.exit_code(), 7);
        assert_eq!(problem(401, "bad_token").kind.exit_code(), 8);
        assert_eq!(problem(403, "unknown_workload").kind.exit_code(), 8);
        assert_eq!(problem(503, "store_unavailable").kind.exit_code(), 5);
        assert_eq!(problem(429, "too_many_requests").kind.exit_code(), 5);
        let gone = ClientError::Unreachable { origin: "https://ca.example".to_owned(), cause: "connection refused".to_owned() };
        let failure = Failure::from(gone);
        assert_eq!((failure.kind.exit_code(), failure.cause.as_deref()), (5, Some("connection refused")));
        assert!(failure.remedy.is_some());
    }

    #[test]
    fn what_is_missing_is_told_to_programs() {
        let text = r#"{"type":"about:blank","status":403,"title":"","detail":"no","code":"second_factor_required","missing":["second_factor"],
            "methods":["totp"],"policies":["p"],"later":["what an older tool does not know"]}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        let failure = Failure::from(ClientError::Problem(Box::new(problem)));
        let json = serde_json::to_value(&failure).unwrap();
        assert_eq!(
            (&json["missing"][0], &json["methods"][0], &json["policies"][0]),
            (&"second_factor".into(), &"totp".into(), &"p".into())
        );
        assert!(json.get("facts").is_none() && failure.kind == Kind::Refused);
    }

    #[test]
    fn every_exit_code_is_documented() {
        let kinds = [
            Kind::NobodyReads,
            Kind::Failed,
            Kind::Usage,
            Kind::Refused,
            Kind::NotLoggedIn,
            Kind::Unreachable,
            Kind::UnsafeState,
            Kind::SignInNeeded,
            Kind::TokenRefused,
        ];
        for kind in kinds {
            assert!(EXIT_CODES.contains(&format!("\n  {}  ", kind.exit_code())), "{kind:?}");
        }
    }
}
