//! What a bastion fetches from the CA and reports to it.

use dayfly_core::{audit::AuditEvent, certificate::Revocations, name::BastionName, name::TargetName, target::Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// The targets that a bastion may serve, what to trust and what was revoked. Cached by the bastion for when the CA is away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// The bastion's own name.
    #[schema(value_type = String)]
    pub bastion: BastionName,
    /// The targets that it may serve.
    #[schema(value_type = Vec<Object>)]
    pub targets: Vec<Target>,
    /// The user CA's keys, one OpenSSH line each.
    pub user_ca: Vec<String>,
    /// What was revoked.
    #[schema(value_type = Object)]
    pub revocations: Revocations,
}

/// Asks for the bastion's own host certificate, for the names it was enrolled with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostCertificateRequest {
    /// The host key, one OpenSSH line.
    pub public_key: String,
    /// An armored SSHSIG over the possession message with this request's challenge.
    pub possession: String,
}

/// Asks for the certificate that a bastion shows when it answers for a recorded target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InnerHostCertificateRequest {
    /// The target, which must be recorded and the bastion's to serve.
    #[schema(value_type = String)]
    pub target: TargetName,
    /// A key that carries no other name, one OpenSSH line.
    pub public_key: String,
    /// An armored SSHSIG over the possession message with this request's challenge.
    pub possession: String,
}

/// A host certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostCertificate {
    /// One OpenSSH line.
    pub certificate: String,
    /// When it ends, in Unix seconds.
    pub ends_at: u64,
}

/// What the bastion trusts now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BastionReport {
    /// `SHA256:…` of the user CA's keys, and of the host CAs' of its targets.
    pub trusted: BTreeSet<String>,
}

/// That a report was noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BastionReceipt {
    /// When, in Unix seconds.
    pub seen_at: u64,
}

/// What happened at a bastion, in order. Sending a batch again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventBatch {
    /// The events, by rising number.
    pub events: Vec<NumberedEvent>,
}

/// An event and its place in the bastion's own order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberedEvent {
    /// Rises by one for each event of this bastion, across restarts.
    pub number: u64,
    /// The event. The CA sets its reporter, whatever it says.
    #[schema(value_type = Object)]
    pub event: AuditEvent,
}

/// What the CA has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventReceipt {
    /// The number of the last event that is in the log.
    pub last: u64,
}
