//! Asking for a certificate.

use dayfly_core::{
    name::{RoleName, TargetName},
    request::RequestedTargets,
    validity::Ttl,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What is asked for. It can only narrow what the role allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// The role.
    #[schema(value_type = String)]
    pub role: RoleName,
    /// `{"named": ["db1"]}` or `"all"`.
    #[schema(value_type = Object)]
    pub targets: RequestedTargets,
    /// The lifetime; the role's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ttl: Option<Ttl>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The key to certify, one OpenSSH line.
    pub public_key: String,
    /// That the caller holds it: an armored SSHSIG over the possession message with this request's challenge.
    pub possession: String,
}

/// The certificate, and why it says what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuedCertificate {
    /// One OpenSSH line.
    pub certificate: String,
    /// Its serial.
    pub serial: u64,
    /// The grant it was minted from.
    #[schema(value_type = String)]
    pub grant: Uuid,
    /// The role.
    #[schema(value_type = String)]
    pub role: RoleName,
    /// The targets it covers.
    #[schema(value_type = Vec<String>)]
    pub targets: Vec<TargetName>,
    /// Its principals.
    pub principals: Vec<String>,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// The `@id`s of the policies that decided.
    pub policies: Vec<String>,
    /// What was narrowed, a sentence each.
    pub narrowed: Vec<String>,
    /// Which keys the CA serves as its authorities' (`dayfly_core::rotation::keys_digest`), so that whoever trusts others asks what to trust.
    pub authorities: String,
}
