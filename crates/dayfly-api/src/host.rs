//! What a host asks of the CA: its certificate, what its `sshd` is to trust; and what it reports.
//!
//! A host signs its calls with its host key, as purpose `host`. That signature is over the call's one-time challenge, so it also proves that the key which
//! is to be certified is held.

use dayfly_core::{
    address::Network,
    certified_name::CertifiedName,
    name::{AccountName, HostName, TargetName},
    principal::Principal,
    target::Mode,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Enrols the host key that signs this call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostEnrollment {
    /// The one-time token, as `dayfly-ca host add` printed it.
    pub token: String,
    /// The names that the certificate shall hold, none but those that the token is bound to; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub names: Option<BTreeSet<CertifiedName>>,
}

/// A token does not get into a trace.
impl std::fmt::Debug for HostEnrollment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostEnrollment").field("names", &self.names).finish_non_exhaustive()
    }
}

/// Asks for another certificate of the enrolled host key, which signs this call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostCertificateRenewal {
    /// The names that the certificate shall hold, none but those that the host is enrolled for; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub names: Option<BTreeSet<CertifiedName>>,
}

/// What the host's `sshd` is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostSetup {
    /// The host.
    #[schema(value_type = String)]
    pub host: HostName,
    /// The names that its certificate may hold.
    #[schema(value_type = Vec<String>)]
    pub names: BTreeSet<CertifiedName>,
    /// The keys that sign host certificates, one OpenSSH line each.
    pub host_ca: Vec<String>,
    /// Who logs in there; absent for a host that is no target, whose logins are not Dayfly's affair.
    pub logins: Option<HostLogins>,
    /// How long the host may be without news of the revocation list, in seconds, before it counts as stale.
    pub stale_after_seconds: u64,
}

/// Who logs in to a target, and whose word it takes for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostLogins {
    /// The target.
    #[schema(value_type = String)]
    pub target: TargetName,
    /// Whether it is recorded.
    #[schema(value_type = String)]
    pub mode: Mode,
    /// The keys to trust, one OpenSSH line each: the session CA's for a recorded target and nothing else, the user CA's for a passthrough one.
    pub trusted_ca: Vec<String>,
    /// The principals that admit to each account. Nobody gets in to an account that is not there.
    #[schema(value_type = Object)]
    pub accounts: BTreeMap<AccountName, BTreeSet<Principal>>,
    /// Where logins come from: the addresses of the bastions that serve a recorded target. Absent for a passthrough one: from anywhere.
    #[schema(value_type = Option<Vec<String>>)]
    pub from: Option<BTreeSet<Network>>,
}

/// What the host holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostReport {
    /// The revocation list that its `sshd` reads; absent if it reads none.
    pub krl: Option<HeldKrl>,
    /// `SHA256:…` of every CA key that its `sshd` takes logins from.
    pub trusted: BTreeSet<String>,
}

/// A key revocation list, by its number and its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldKrl {
    /// `krl_version` (OpenSSH PROTOCOL.krl).
    pub number: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub digest: String,
}

/// What the CA makes of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostReceipt {
    /// The number of the list that the CA serves now.
    pub krl_number: u64,
    /// Whether that is the one that the host holds.
    pub krl_is_current: bool,
}
