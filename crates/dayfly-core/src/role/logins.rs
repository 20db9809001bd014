//! Which accounts of a target roles log in to, and by which principals: what the target's `AuthorizedPrincipalsFile`s list (sshd_config(5)).

use super::{Role, Roles};
use crate::{
    name::{AccountName, ScopeName},
    principal::{Principal, PrincipalTemplate},
    target::{Mode, Target},
};
use std::collections::{BTreeMap, BTreeSet};

/// Every account of `target` that some role logs in to, and the principals that admit to it. An account that no role names is not there, and nobody gets in
/// as it.
///
/// A recorded target is only ever shown session certificates, which hold `ACCOUNT@TARGET` and nothing else. A passthrough target is shown people's own.
pub fn logins(roles: &Roles, target: &Target) -> BTreeMap<AccountName, BTreeSet<Principal>> {
    let mut logins: BTreeMap<AccountName, BTreeSet<Principal>> = BTreeMap::new();
    let covering = roles.iter().filter(|role| role.targets.iter().any(|scope| target.is_within(scope)));
    for (account, principal) in covering.flat_map(|role| of_role(role, target)) {
        let principals = logins.entry(account.clone()).or_default();
        principals.insert(match target.mode {
            Mode::Record => Principal::scoped(&account, &target.name.clone().into()),
            Mode::Passthrough => principal,
        });
    }
    logins
}

fn of_role(role: &Role, target: &Target) -> Vec<(AccountName, Principal)> {
    let at = |account: &AccountName, scope: &ScopeName| (account.clone(), Principal::scoped(account, scope));
    let own = ScopeName::from(target.name.clone());
    let of_template = |template: &PrincipalTemplate| match template {
        PrincipalTemplate::PerTarget(account) => vec![at(account, &own)],
        // One target of a group gets its own principal, so both are in use.
        PrincipalTemplate::PerGroup(account) => {
            let scopes = target.scopes().filter_map(|scope| ScopeName::new(scope).ok());
            scopes.map(|scope| at(account, &scope)).collect()
        }
        PrincipalTemplate::Literal(principal) => {
            let accounts = target.literal_principals.get(principal).into_iter().flatten();
            accounts.map(|account| (account.clone(), principal.clone())).collect()
        }
    };
    role.principals.iter().flat_map(of_template).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::target::Inventory;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Written {
        target: Vec<Target>,
        role: Vec<Role>,
    }

    /// `principals` of the one role over `targets`, at web1, which is in group `web`.
    fn at_web1(mode: &str, targets: &str, principals: &str) -> Vec<(String, Vec<String>)> {
        let text = format!(
            "[[target]]\nname = \"web1\"\naddress = \"192.0.2.1\"\ngroups = [\"web\"]\nmode = \"{mode}\"\n\
             host_keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ\"]\n\
             literal_principals = {{ ops = [\"deploy\", \"www\"] }}\n\
             [[target]]\nname = \"db1\"\naddress = \"192.0.2.2\"\nmode = \"record\"\n\
             host_keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ\"]\n\
             [[role]]\nname = \"r\"\nprincipals = [{principals}]\ntargets = [{targets}]\n"
        );
        let written: Written = toml::from_str(&text).unwrap();
        let inventory = Inventory::new(written.target).unwrap();
        let roles = Roles::new(written.role, &inventory).unwrap();
        let found = logins(&roles, inventory.get("web1").unwrap());
        found.into_iter().map(|(account, principals)| (account.to_string(), principals.iter().map(ToString::to_string).collect())).collect()
    }

    fn one(account: &str, principals: &[&str]) -> (String, Vec<String>) {
        (account.to_owned(), principals.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_passthrough_target_lists_what_peoples_certificates_hold() {
        let at = |targets, principals| at_web1("passthrough", targets, principals);
        assert_eq!(at("\"web1\"", "\"deploy@{target}\""), [one("deploy", &["deploy@web1"])]);
        assert_eq!(at("\"web\"", "\"deploy@{group}\""), [one("deploy", &["deploy@all", "deploy@web", "deploy@web1"])]);
        assert_eq!(at("\"all\"", "\"ops\", \"deploy@{target}\""), [one("deploy", &["deploy@web1", "ops"]), one("www", &["ops"])]);
    }

    #[test]
    fn a_recorded_target_lists_session_principals_alone() {
        let both = [one("deploy", &["deploy@web1"]), one("www", &["www@web1"])];
        assert_eq!(at_web1("record", "\"web\"", "\"deploy@{group}\", \"ops\""), both);
    }

    #[test]
    fn a_role_for_other_targets_logs_in_nowhere_here() {
        assert!(at_web1("record", "\"db1\"", "\"deploy@{target}\"").is_empty());
    }
}
