//! Why something was refused: a stable code for machines, a sentence for the person, and what would change the answer.

use crate::identity::FactorMethod;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// A stable code. The log, the API and the terminal all use these.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The code as text.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

reasons! {
    /// Signed by a key that is not one of ours for this purpose.
    ForeignCa = "foreign_ca";
    /// A host certificate where a user certificate is needed, or the other way round.
    WrongType = "wrong_type";
    /// Its end has passed.
    Expired = "expired";
    /// Its beginning has not come.
    NotYetValid = "not_yet_valid";
    /// It names nobody.
    NoPrincipals = "no_principals";
    /// It names somebody else, or another target.
    PrincipalMismatch = "principal_mismatch";
    /// It holds a principal outside the grammar, twice, or too many.
    BadPrincipal = "bad_principal";
    /// It demands something that is not known here.
    UnknownCriticalOption = "unknown_critical_option";
    /// It is used from an address that it does not allow.
    SourceAddress = "source_address";
    /// It demands a PIN or fingerprint, which cannot be seen where the bastion answers.
    VerifyRequired = "verify_required";
    /// The role wants a key in hardware.
    HardwareKeyRequired = "hardware_key_required";
    /// Nobody touched the security key.
    NotTouched = "not_touched";
    /// The security key was given no PIN or fingerprint where the role wants one.
    NotVerified = "not_verified";
    /// SHA-1, DSA, short RSA.
    WeakAlgorithm = "weak_algorithm";
    /// It cannot be read, or its signature does not fit its contents.
    Malformed = "malformed";
    /// It, or whom it was given to, was revoked.
    Revoked = "revoked";
    /// Signed by our CA, but not in the log.
    NotIssued = "not_issued";
    /// The SSH transport refused the login before its certificate could be looked at: expired, or a bad signature.
    RefusedByTransport = "refused_by_transport";
    /// No certificate, where only certificates are admitted.
    CertificateRequired = "certificate_required";
    /// No policy permits it.
    PolicyDenied = "policy_denied";
    /// A policy forbids it.
    PolicyForbidden = "policy_forbidden";
    /// A second factor is missing, or has to be proven again.
    SecondFactorRequired = "second_factor_required";
    /// A one-time code is not the one of the moment, or was used before.
    WrongCode = "wrong_code";
    /// The device is not known, is another's, or its enrolment has ended.
    UnknownDevice = "unknown_device";
    /// Another device has this id.
    DeviceTaken = "device_taken";
    /// This kind of second factor cannot be had here, or not in this way.
    FactorUnavailable = "factor_unavailable";
    /// There is no second factor of this name.
    FactorUnknown = "factor_unknown";
    /// What an authenticator answered is not what it was asked, or not by the one that was meant.
    BadAnswer = "bad_answer";
    /// An authenticator counted backwards: there may be two of it.
    CounterWentBack = "counter_went_back";
    /// There is no such ceremony: it was never begun, its time is over, it was used, or it belongs to another key or browser.
    CeremonyUnknown = "ceremony_unknown";
    /// The person said no to it.
    CeremonyDeclined = "ceremony_declined";
    /// Somebody has to approve it first.
    ApprovalRequired = "approval_required";
    /// A policy could not be evaluated.
    PolicyError = "policy_error";
    /// There is no such role.
    UnknownRole = "unknown_role";
    /// There is no such target, or not under this name.
    UnknownTarget = "unknown_target";
    /// The role does not cover the target.
    TargetOutsideRole = "target_outside_role";
    /// The bastion may not serve the target.
    TargetNotServed = "target_not_served";
    /// The target's mode does not allow this way in.
    WrongMode = "wrong_mode";
    /// A lifetime past what the role allows.
    TtlTooLong = "ttl_too_long";
    /// The request is not well formed.
    BadRequest = "bad_request";
    /// The caller is not enrolled, or its enrolment has ended.
    UnknownCaller = "unknown_caller";
    /// The enrolment token is unknown, or was used before.
    UnknownToken = "unknown_token";
    /// The host is not enrolled for this name, or the name is another's.
    NameNotEnrolled = "name_not_enrolled";
    /// The request's signature does not fit.
    BadSignature = "bad_signature";
    /// The challenge is unknown, too old, or was used before.
    BadChallenge = "bad_challenge";
    /// The holder of the key did not prove that it holds it.
    NoPossession = "no_possession";
    /// This session id was used before.
    SessionReplayed = "session_replayed";
    /// This key carries another name already.
    KeyInUse = "key_in_use";
    /// The inner login is another person's, or by another key, than the outer.
    DifferentPerson = "different_person";
    /// The role or certificate does not allow what was asked for in the session.
    NotAllowed = "not_allowed";
    /// The CA cannot be asked.
    CaUnavailable = "ca_unavailable";
    /// The session cannot be recorded.
    RecordingUnavailable = "recording_unavailable";
    /// The target does not answer, or not as itself.
    TargetUnavailable = "target_unavailable";
    /// The target showed a key that is not its own.
    HostKeyMismatch = "host_key_mismatch";
    /// Whoever runs the bastion ended it.
    EndedByOperator = "ended_by_operator";
    /// Too many at once, or for too long.
    LimitReached = "limit_reached";
    /// The CA knows no provider of this name, or none at all, or does not permit this way to sign in.
    SignInUnavailable = "sign_in_unavailable";
    /// There is no such sign-in: it was never begun, its time is over, it was used, or it belongs to another key or browser.
    SignInUnknown = "sign_in_unknown";
    /// The person, or the provider, said no.
    SignInDeclined = "sign_in_declined";
    /// The key's sign-in has ended.
    SignInEnded = "sign_in_ended";
    /// A token that is not what it should be: forged, expired, for somebody else, of another issuer.
    BadToken = "bad_token";
    /// A token that was used before.
    TokenReplayed = "token_replayed";
    /// A good token of a workload that the CA was told nothing of.
    UnknownWorkload = "unknown_workload";
    /// The provider cannot be asked, or gives no answer that is understood.
    ProviderUnavailable = "provider_unavailable";
    /// The subject's name is another's already.
    SubjectTaken = "subject_taken";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::str::FromStr for Reason {
    type Err = ();
    fn from_str(code: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code).ok_or(())
    }
}

/// What a person can still bring, so that a no becomes a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A second factor, proven now.
    SecondFactor,
    /// Somebody's approval.
    Approval,
}

impl Missing {
    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::Approval => "approval",
        }
    }
}

/// What policy had to do with a refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ruling {
    /// The `@id`s of the policies that said it: those that forbid, or else those that would permit if one of their conditions held.
    pub policies: Vec<String>,
    /// The facts that they looked at, as `context.country is "FR"`.
    pub facts: Vec<String>,
    /// What is still missing, all of it.
    pub missing: Vec<Missing>,
    /// If a second factor is: the methods of which any one would do.
    pub methods: Vec<FactorMethod>,
}

/// A no: the code, the rule that said it, and what would change the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The stable code.
    pub reason: Reason,
    /// One sentence for the person, which names the rule.
    pub message: String,
    /// What would change the answer.
    pub remedy: String,
    /// What policy had to do with it, for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Box<Ruling>>,
}

impl Refusal {
    /// A refusal in words.
    pub fn new(reason: Reason, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason, message: message.into(), remedy: remedy.into(), ruling: None }
    }

    /// The same, by what policy said.
    pub fn ruled(self, ruling: Ruling) -> Self {
        Self { ruling: Some(Box::new(ruling)), ..self }
    }

    /// What is still missing for a yes; nothing if nothing that could be brought would change the answer.
    pub fn missing(&self) -> &[Missing] {
        self.ruling.as_deref().map_or(&[], |ruling| ruling.missing.as_slice())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn codes_are_unique_and_round_trip() {
        for reason in Reason::ALL {
            assert_eq!(reason.code().parse::<Reason>().unwrap(), *reason);
            assert_eq!(serde_json::to_string(reason).unwrap(), format!("\"{}\"", reason.code()));
        }
    }
}
