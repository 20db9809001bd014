//! What to trust, by purpose.

use dayfly_core::rotation::{Endorsement, Purpose};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The public keys of the four authorities and of the log. An authority has two keys while one gives way to the other; the one that signs stands first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trust {
    /// Signs people's and machines' certificates. Trusted by bastions and `passthrough` targets.
    pub user_ca: Vec<String>,
    /// Signs session certificates. Trusted by `recorded` targets, which trust nothing else.
    pub session_ca: Vec<String>,
    /// Signs host certificates of bastions and real hosts.
    pub host_ca: Vec<String>,
    /// Signs the certificates that a bastion shows when it answers for a recorded target.
    pub inner_host_ca: Vec<String>,
    /// Signs the log's head.
    pub log_key: String,
    /// Lines for `known_hosts`: which names each authority is good for.
    pub known_hosts: Vec<String>,
    /// The word of earlier keys for those that took their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub endorsements: Vec<Endorsement>,
}

impl Trust {
    /// The keys of one authority, one OpenSSH line each.
    pub fn of(&self, purpose: Purpose) -> &[String] {
        match purpose {
            Purpose::User => &self.user_ca,
            Purpose::Session => &self.session_ca,
            Purpose::Host => &self.host_ca,
            Purpose::InnerHost => &self.inner_host_ca,
        }
    }
}
