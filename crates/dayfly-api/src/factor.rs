//! Second factors: enrolling one, and proving it.

use crate::sign_in::SignInWay;
use dayfly_core::name::FactorName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new authenticator, for an app that shows one-time codes (RFC 6238: SHA-1, six digits, thirty seconds). It is shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpEnrolment {
    /// The secret in base32, to be typed where no picture can be taken.
    pub secret: String,
    /// The same as `otpauth://totp/…`, for a QR code.
    pub uri: String,
}

/// A secret does not get into a trace.
impl std::fmt::Debug for TotpEnrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TotpEnrolment").finish_non_exhaustive()
    }
}

/// A one-time code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorCode {
    /// The digits.
    pub code: String,
}

/// A code does not get into a trace.
impl std::fmt::Debug for FactorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FactorCode").finish_non_exhaustive()
    }
}

/// A second factor was proven, with the key that signed the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorProven {
    /// `totp`, `webauthn` or `touch`.
    pub method: String,
    /// When, in Unix seconds.
    pub proven_at: u64,
}

/// The caller's second factors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Factors {
    /// Each of them.
    pub factors: Vec<FactorState>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorState {
    /// `totp`, `webauthn` or `touch`.
    pub method: String,
    /// What its owner calls it. An authenticator for codes has no name: there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<FactorName>,
    /// `SHA256:…` of the key that is touched; nothing for other methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When it was added, in Unix seconds.
    pub added_at: Option<u64>,
    /// When its method was last proven with the key that signs this request, in Unix seconds.
    pub proven_at: Option<u64>,
}

/// A ceremony with a passkey or security key (WebAuthn) that is to begin in a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CeremonyStart {
    /// What for.
    pub purpose: CeremonyPurpose,
    /// How the answer comes to the caller.
    pub way: SignInWay,
    /// What the caller's machine calls itself. It is shown to the person as such.
    pub host: String,
}

/// What a ceremony is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "to", rename_all = "snake_case", deny_unknown_fields)]
pub enum CeremonyPurpose {
    /// To have another passkey or security key.
    Add {
        /// What it is called; without one the CA finds a name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        name: Option<FactorName>,
    },
    /// To prove that one of them is there, for the key that signs the request.
    Prove,
}

/// How far a ceremony is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CeremonyState {
    /// The person is still at it.
    Pending {
        /// How long to wait before asking again, in seconds.
        poll_seconds: u64,
    },
    /// There is one more. It has proven nothing yet.
    Added(FactorAdded),
    /// It was proven.
    Proven(FactorProven),
}

/// A second factor that somebody has from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorAdded {
    /// `webauthn` or `touch`.
    pub method: String,
    /// What it is called.
    #[schema(value_type = String)]
    pub name: FactorName,
}

/// A second factor that is to be given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorRemoval {
    /// What it is called.
    #[schema(value_type = String)]
    pub name: FactorName,
}

/// A second factor that somebody has no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorRemoved {
    /// `webauthn` or `touch`.
    pub method: String,
    /// What it was called.
    #[schema(value_type = String)]
    pub name: FactorName,
}

/// A FIDO key (`sk-ssh-ed25519@openssh.com`, `sk-ecdsa-sha2-nistp256@openssh.com`) that is to be a second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TouchEnrolment {
    /// What it is called; without one the CA finds a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<FactorName>,
    /// That it is there, and touched.
    pub touch: Touch,
}

/// The touch of a FIDO key: its signature over this request's challenge, namespace `touch@dayfly`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Touch {
    /// The key, one OpenSSH line.
    pub public_key: String,
    /// Armored SSHSIG.
    pub signature: String,
}
