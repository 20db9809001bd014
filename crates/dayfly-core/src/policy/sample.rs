//! A small installation, for tests: two databases that are recorded, one web server that is not, and who may do what there.

// Only tests are built with this module, and what is below is written to be readable.
#![allow(clippy::unwrap_used)]

use super::{Policy, PolicySource, Rules};
use crate::{
    address::Network,
    context::Context,
    identity::{Evidence, Identity, Proof},
    name::{GroupName, ScopeName},
    request::{CertificateRequest, RequestedTargets},
    role::{Role, Roles},
    signer::SeedSigner,
    target::{Inventory, Target},
};
use serde::Deserialize;
use time::OffsetDateTime;

const TARGETS: &str = r#"
    [[target]]
    name = "db1"
    address = "192.0.2.11"
    groups = ["db"]
    host_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"]
    mode = "record"
    literal_principals = { dba = ["deploy"] }

    [[target]]
    name = "db2"
    address = "192.0.2.12"
    groups = ["db"]
    host_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"]
    mode = "record"

    [[target]]
    name = "web1"
    address = "192.0.2.21"
    groups = ["web"]
    host_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"]
    mode = "passthrough"
"#;

const ROLES: &str = r#"
    [[role]]
    name = "db-admin"
    principals = ["deploy@{target}"]
    targets = ["db"]
    extensions = ["permit-pty"]

    [[role]]
    name = "web"
    principals = ["deploy@{target}"]
    targets = ["web1"]
    max_ttl = "10m"

    [[role]]
    name = "db-tunnel"
    principals = ["deploy@{target}"]
    targets = ["db"]
    extensions = ["permit-pty", "permit-port-forwarding"]
    session = { forward_to = ["localhost:5432"], listen_on = ["localhost:8080"] }
"#;

const POLICY: &str = r#"
    @id("dba-may-use-db-admin")
    permit(principal in Group::"dba", action in [Action::"request", Action::"connect"], resource == Role::"db-admin");

    @id("dba-may-use-db-tunnel")
    permit(principal in Group::"dba", action in [Action::"request", Action::"connect"], resource == Role::"db-tunnel");

    @id("developers-may-use-web")
    permit(principal in Group::"developers", action in [Action::"request", Action::"connect"], resource == Role::"web");

    @id("reviewers-see-everything")
    permit(principal in Group::"reviewers", action == Action::"review", resource in TargetGroup::"all");
"#;

/// The installation, owned; [`Sample::rules`] lends it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Who may have what.
    pub policy: Policy,
    /// `db-admin` and `db-tunnel` on `db`, `web` on `web1`.
    pub roles: Roles,
    /// `db1` and `db2` in `db`, `web1` in `web`.
    pub inventory: Inventory,
    /// What the bastions dial from: `192.0.2.1`.
    pub bastion_networks: Vec<Network>,
}

impl Sample {
    /// The installation as the constants above describe it.
    #[expect(clippy::new_without_default, reason = "a sample is asked for by name")]
    pub fn new() -> Self {
        let inventory = inventory();
        Self { policy: policy(POLICY), roles: roles(ROLES, &inventory), inventory, bastion_networks: vec!["192.0.2.1".parse().unwrap()] }
    }

    /// The installation as a decision takes it.
    pub fn rules(&self) -> Rules<'_> {
        Rules { policy: &self.policy, roles: &self.roles, inventory: &self.inventory, bastion_networks: &self.bastion_networks }
    }
}

/// The sample's inventory.
pub fn inventory() -> Inventory {
    #[derive(Deserialize)]
    struct File {
        target: Vec<Target>,
    }
    Inventory::new(toml::from_str::<File>(TARGETS).unwrap().target).unwrap()
}

/// Roles as TOML writes them, `[[role]]` each.
pub fn roles(text: &str, inventory: &Inventory) -> Roles {
    #[derive(Deserialize)]
    struct File {
        role: Vec<Role>,
    }
    Roles::new(toml::from_str::<File>(text).unwrap().role, inventory).unwrap()
}

/// A policy of one file, `policy.cedar`.
pub fn policy(text: &str) -> Policy {
    Policy::parse(&[PolicySource { name: "policy.cedar".to_owned(), text: text.to_owned() }]).unwrap()
}

/// Somebody (`alice`, `machine:ci`) who proved an enrolled key a minute before [`context`].
pub fn identity(subject: &str, groups: &[&str]) -> Identity {
    Identity {
        subject: subject.parse().unwrap(),
        groups: groups.iter().map(|group| GroupName::new(*group).unwrap()).collect(),
        evidence: Evidence::new(Proof::EnrolledKey { fingerprint: "SHA256:sample".to_owned() }, context().unix_seconds() - 60),
    }
}

/// A request for a role at these targets and target groups, or at all of them if none is named, for as long as the role gives.
pub fn request(role: &str, scopes: &[&str]) -> CertificateRequest {
    let names = scopes.iter().map(|scope| ScopeName::new(*scope).unwrap()).collect();
    let targets = if scopes.is_empty() { RequestedTargets::All } else { RequestedTargets::Named(names) };
    let public_key = SeedSigner::new(7).private_key().public_key().clone();
    CertificateRequest::new(role.parse().unwrap(), targets, None, None, public_key).unwrap()
}

/// Wednesday, 1 January 2025, 12:00 UTC, from 198.51.100.7.
pub fn context() -> Context {
    Context::new(OffsetDateTime::from_unix_timestamp(1_735_732_800).unwrap(), [198, 51, 100, 7].into())
}
