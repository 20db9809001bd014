//! Second factors: enrolling one, and proving it.

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
    /// `totp`.
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
    /// `totp`.
    pub method: String,
    /// When it was added, in Unix seconds.
    pub added_at: Option<u64>,
    /// When it was last proven with the key that signs this request, in Unix seconds.
    pub proven_at: Option<u64>,
}
