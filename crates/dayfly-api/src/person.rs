//! What a person may know of themselves: who they are, which roles they may ask for, where they may go.

use dayfly_core::{
    identity::Subject,
    name::{AccountName, BastionName, GroupName, RoleName, TargetName},
    target::Mode,
    validity::Ttl,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// The person or machine.
    #[schema(value_type = String)]
    pub subject: Subject,
    /// Their groups.
    #[schema(value_type = Vec<String>)]
    pub groups: Vec<GroupName>,
    /// How that was proven.
    pub method: String,
    /// The fingerprint of the key that proved it.
    pub key_fingerprint: String,
    /// The address that the CA sees.
    pub address: String,
    /// The sign-in that the key stands for, unless it is enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<CurrentSignIn>,
}

/// A sign-in, seen by whom it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CurrentSignIn {
    /// Who says who they are: the issuer's URL.
    pub issuer: String,
    /// The issuer's own id of them.
    pub issuer_subject: String,
}

/// The roles that the caller may ask for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Roles {
    /// By name.
    pub roles: Vec<RoleSummary>,
}

/// One role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleSummary {
    /// Its name.
    #[schema(value_type = String)]
    pub name: RoleName,
    /// One line.
    pub description: String,
    /// The longest life of a certificate.
    #[schema(value_type = String)]
    pub max_ttl: Ttl,
    /// The targets that policy permits.
    #[schema(value_type = Vec<String>)]
    pub targets: Vec<TargetName>,
    /// The accounts it logs in to.
    pub principals: Vec<String>,
}

/// Where the caller may go, and through which bastions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Destinations {
    /// The targets.
    pub targets: Vec<Destination>,
    /// The bastions that serve them.
    pub bastions: Vec<BastionAddress>,
}

/// A target that the caller may ask a certificate for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Destination {
    /// Its name.
    #[schema(value_type = String)]
    pub name: TargetName,
    /// How it is reached.
    #[schema(value_type = String)]
    pub mode: Mode,
    /// The bastions that serve it.
    #[schema(value_type = Vec<String>)]
    pub bastions: Vec<BastionName>,
    /// The roles that cover it.
    #[schema(value_type = Vec<String>)]
    pub roles: Vec<RoleName>,
    /// The accounts that those roles log in to, where they name one.
    #[schema(value_type = Vec<String>)]
    pub accounts: Vec<AccountName>,
}

/// A bastion as people reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BastionAddress {
    /// Its name, which its host certificate holds.
    #[schema(value_type = String)]
    pub name: BastionName,
    /// `host:port`, if it was enrolled with one.
    pub address: Option<String>,
}
