//! All roles of an installation, checked beside the inventory that they name.

use super::{Extension, Role};
use crate::{
    name::{RoleName, ScopeName, TargetName},
    principal::{Principal, PrincipalTemplate},
    target::{ALL, Inventory, Mode, Target},
};
use std::collections::BTreeMap;

/// All roles, each under its one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    roles: BTreeMap<RoleName, Role>,
}

/// A role that cannot stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// The same name twice.
    #[error("role {0} is defined twice: remove one of the two")]
    DuplicateName(RoleName),
    /// No principals.
    #[error("role {0} has no principals, so its certificates would name nobody: add one, such as \"deploy@{{target}}\"")]
    NoPrincipals(RoleName),
    /// No targets.
    #[error("role {0} has no targets: name a target, a target group, or \"{ALL}\"")]
    NoTargets(RoleName),
    /// A target that the inventory does not know.
    #[error("role {role}: {scope} is neither a target nor a target group: correct the name, or add it to the inventory")]
    UnknownTarget {
        /// The role.
        role: RoleName,
        /// The name.
        scope: ScopeName,
    },
    /// A PIN at each login, where nobody could see it.
    #[error(
        "role {role}: verify_required is for passthrough targets, and {target} is recorded: a bastion that answers for a target cannot see \
         whether a PIN was given; leave the target out, or take verify_required away and use require_hardware_key"
    )]
    VerifiedWhileRecorded {
        /// The role.
        role: RoleName,
        /// The first such target.
        target: TargetName,
    },
    /// A literal principal that none of the role's targets lists.
    #[error("role {role}: the principal {principal} admits nowhere: list it under literal_principals of a target that the role covers")]
    AdmitsNowhere {
        /// The role.
        role: RoleName,
        /// The principal.
        principal: Principal,
    },
    /// Forwards that no certificate of the role can ask for.
    #[error("role {role} has {key}, and its certificates cannot forward: add \"{}\" to its extensions", extension.as_str())]
    ForwardsNothing {
        /// The role.
        role: RoleName,
        /// The setting.
        key: &'static str,
        /// What is missing for it.
        extension: Extension,
    },
}

impl RoleError {
    /// Whether only a target is missing that may come yet.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::UnknownTarget { .. } | Self::AdmitsNowhere { .. })
    }

    /// The role that it is about.
    pub fn role(&self) -> &RoleName {
        match self {
            Self::DuplicateName(role) | Self::NoPrincipals(role) | Self::NoTargets(role) => role,
            Self::UnknownTarget { role, .. }
            | Self::ForwardsNothing { role, .. }
            | Self::AdmitsNowhere { role, .. }
            | Self::VerifiedWhileRecorded { role, .. } => role,
        }
    }
}

impl Roles {
    /// Checks every role by itself and beside the inventory; returns all mistakes, not the first.
    pub fn new(entries: impl IntoIterator<Item = Role>, inventory: &Inventory) -> Result<Self, Vec<RoleError>> {
        Self::checked(entries, inventory, |_| true)
    }

    /// The same where targets come and go: what a role names may be away.
    pub fn expecting_targets(entries: impl IntoIterator<Item = Role>, inventory: &Inventory) -> Result<Self, Vec<RoleError>> {
        Self::checked(entries, inventory, |error| !error.is_absence())
    }

    /// What is wrong with these roles beside another inventory.
    pub fn misfits(&self, inventory: &Inventory) -> Vec<RoleError> {
        self.iter().flat_map(|role| role_errors(role, inventory)).collect()
    }

    fn checked(
        entries: impl IntoIterator<Item = Role>,
        inventory: &Inventory,
        counts: impl Fn(&RoleError) -> bool,
    ) -> Result<Self, Vec<RoleError>> {
        let mut roles: BTreeMap<RoleName, Role> = BTreeMap::new();
        let mut errors = Vec::new();
        for role in entries {
            errors.extend(role_errors(&role, inventory).into_iter().filter(&counts));
            if let Some(previous) = roles.insert(role.name.clone(), role) {
                errors.push(RoleError::DuplicateName(previous.name));
            }
        }
        if errors.is_empty() { Ok(Self { roles }) } else { Err(errors) }
    }

    /// The role of exactly this name.
    pub fn get(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// All roles by name.
    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }
}

impl Role {
    /// Whether it covers `target`, by name or by a group that the target is in.
    pub fn covers(&self, target: &Target) -> bool {
        target.scopes().any(|scope| self.targets.contains(scope))
    }
}

fn role_errors(role: &Role, inventory: &Inventory) -> Vec<RoleError> {
    let mut errors = Vec::new();
    if role.principals.is_empty() {
        errors.push(RoleError::NoPrincipals(role.name.clone()));
    }
    if role.targets.is_empty() {
        errors.push(RoleError::NoTargets(role.name.clone()));
    }
    for (is_set, key, extension) in [
        (!role.session.forward_to.is_empty(), "forward_to", Extension::PermitPortForwarding),
        (!role.session.listen_on.is_empty(), "listen_on", Extension::PermitPortForwarding),
        (role.session.forward_agent, "forward_agent", Extension::PermitAgentForwarding),
    ] {
        if is_set && !role.extensions.contains(&extension) {
            errors.push(RoleError::ForwardsNothing { role: role.name.clone(), key, extension });
        }
    }
    let unknown = role.targets.iter().filter(|scope| scope.as_str() != ALL && inventory.within(scope).next().is_none());
    errors.extend(unknown.map(|scope| RoleError::UnknownTarget { role: role.name.clone(), scope: scope.clone() }));
    if role.verify_required
        && let Some(target) = inventory.iter().find(|target| role.covers(target) && target.mode == Mode::Record)
    {
        errors.push(RoleError::VerifiedWhileRecorded { role: role.name.clone(), target: target.name.clone() });
    }
    for template in &role.principals {
        if let PrincipalTemplate::Literal(principal) = template
            && !inventory.iter().any(|target| role.covers(target) && target.literal_principals.contains_key(principal))
        {
            errors.push(RoleError::AdmitsNowhere { role: role.name.clone(), principal: principal.clone() });
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample;

    fn role(text: &str) -> Role {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn every_mistake_is_found() {
        let inventory = sample::inventory();
        let errors = Roles::new(
            [
                role("name = \"empty\"\nprincipals = []\ntargets = []"),
                role("name = \"typo\"\nprincipals = [\"deploy@{target}\"]\ntargets = [\"db\", \"dbb\"]"),
                role("name = \"twice\"\nprincipals = [\"deploy@{target}\"]\ntargets = [\"all\"]"),
                role("name = \"twice\"\nprincipals = [\"root@{target}\"]\ntargets = [\"db1\"]"),
                role("name = \"nowhere\"\nprincipals = [\"dba\"]\ntargets = [\"web1\"]"),
            ],
            &inventory,
        )
        .unwrap_err();
        let name = |text: &str| RoleName::new(text).unwrap();
        assert_eq!(
            errors,
            [
                RoleError::NoPrincipals(name("empty")),
                RoleError::NoTargets(name("empty")),
                RoleError::UnknownTarget { role: name("typo"), scope: ScopeName::new("dbb").unwrap() },
                RoleError::DuplicateName(name("twice")),
                RoleError::AdmitsNowhere { role: name("nowhere"), principal: Principal::new("dba").unwrap() },
            ]
        );
    }

    #[test]
    fn row_04_a_pin_is_demanded_where_somebody_can_see_it_only() {
        let inventory = sample::inventory();
        let verified = |targets: &str| {
            let text = format!("name = \"r\"\nprincipals = [\"deploy@{{target}}\"]\ntargets = [{targets}]\nverify_required = true");
            Roles::new([role(&text)], &inventory).map(|_| ()).map_err(|errors| errors.iter().map(ToString::to_string).collect::<String>())
        };
        assert_eq!(verified("\"web1\""), Ok(()));
        for targets in ["\"db1\"", "\"web1\", \"db\"", "\"all\""] {
            let told = verified(targets).unwrap_err();
            assert!(told.contains("db1 is recorded") && told.contains("cannot see whether a PIN was given"), "{told}");
        }
    }

    #[test]
    fn a_literal_principal_admits_where_a_covered_target_lists_it() {
        let inventory = sample::inventory();
        let roles = Roles::new([role("name = \"dba\"\nprincipals = [\"dba\"]\ntargets = [\"db\"]")], &inventory).unwrap();
        assert!(roles.get("dba").is_some() && roles.get("DBA").is_none());
    }

    #[test]
    fn a_role_covers_by_name_and_by_group_only() {
        let inventory = sample::inventory();
        let covered = |targets: &str| -> Vec<String> {
            let role = role(&format!("name = \"r\"\nprincipals = [\"deploy@{{target}}\"]\ntargets = [{targets}]"));
            inventory.iter().filter(|target| role.covers(target)).map(|target| target.name.to_string()).collect()
        };
        assert_eq!(covered("\"db1\""), ["db1"]);
        assert_eq!(covered("\"db\""), ["db1", "db2"]);
        assert_eq!(covered("\"web1\", \"db2\""), ["db2", "web1"]);
        assert_eq!(covered("\"all\""), ["db1", "db2", "web1"]);
    }
}
