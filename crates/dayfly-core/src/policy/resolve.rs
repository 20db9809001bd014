//! What was asked for → concrete targets, and permitted targets → principals.

use super::Rules;
use crate::{
    name::{ScopeName, TargetName},
    principal::{MAX_PRINCIPALS, Principal, PrincipalTemplate},
    reason::{Reason, Refusal},
    request::RequestedTargets,
    role::Role,
    target::Target,
};
use std::collections::{BTreeMap, BTreeSet};

/// The targets that a request comes down to, by name. Whatever is named must be covered by the role.
pub(super) fn targets<'a>(rules: Rules<'a>, role: &Role, requested: &'a RequestedTargets) -> Result<Vec<&'a Target>, Refusal> {
    let scopes = match requested {
        RequestedTargets::All => return Ok(rules.inventory.iter().filter(|target| role.covers(target)).collect()),
        RequestedTargets::Named(scopes) => scopes,
    };
    for scope in scopes {
        let members: Vec<&Target> = rules.inventory.within(scope).collect();
        if members.is_empty() {
            return Err(unknown_target(scope));
        }
        if !members.iter().all(|target| role.covers(target)) {
            return Err(outside_role(role, scope));
        }
    }
    let named: BTreeMap<&TargetName, &Target> =
        scopes.iter().flat_map(|scope| rules.inventory.within(scope)).map(|one| (&one.name, one)).collect();
    Ok(named.into_values().collect())
}

/// One target, by its own name, that the role must cover.
pub(super) fn one<'a>(rules: Rules<'a>, role: &Role, name: &TargetName) -> Result<&'a Target, Refusal> {
    let target = rules.inventory.get(name.as_str()).ok_or_else(|| unknown_target(&name.clone().into()))?;
    if role.covers(target) { Ok(target) } else { Err(outside_role(role, &target.name)) }
}

/// The principals that `role` gives at the permitted targets, and at no other.
pub(super) fn principals(
    rules: Rules<'_>,
    role: &Role,
    requested: &RequestedTargets,
    permitted: &[&Target],
) -> Result<BTreeSet<Principal>, Refusal> {
    let groups = whole_groups(rules, role, requested, permitted);
    let mut principals = BTreeSet::new();
    for template in &role.principals {
        match template {
            PrincipalTemplate::PerTarget(account) => {
                principals.extend(permitted.iter().map(|target| Principal::scoped(account, &target.name.clone().into())));
            }
            PrincipalTemplate::PerGroup(account) => {
                let single = permitted.iter().filter(|target| !groups.iter().any(|group| target.is_within(group)));
                principals.extend(single.map(|target| Principal::scoped(account, &target.name.clone().into())));
                principals.extend(groups.iter().map(|group| Principal::scoped(account, group)));
            }
            // A literal that no permitted target lists would only ever admit somewhere else.
            PrincipalTemplate::Literal(principal) => {
                let is_listed = permitted.iter().any(|target| target.literal_principals.contains_key(principal));
                principals.extend(is_listed.then(|| principal.clone()));
            }
        }
    }
    match principals.len() {
        0 => Err(Refusal::new(
            Reason::NoPrincipals,
            format!("role {} gives no principal at the targets that were asked for", role.name),
            "name a target that lists one of the role's principals",
        )),
        1..=MAX_PRINCIPALS => Ok(principals),
        count => Err(Refusal::new(
            Reason::LimitReached,
            format!("the certificate would hold {count} principals, and OpenSSH reads {MAX_PRINCIPALS} at most"),
            "name fewer targets, or a target group of a role whose principals are written ACCOUNT@{group}",
        )),
    }
}

/// The groups that a group principal may stand for: named by the role, asked for, and permitted to the last member.
fn whole_groups<'a>(rules: Rules<'_>, role: &'a Role, requested: &RequestedTargets, permitted: &[&Target]) -> Vec<&'a ScopeName> {
    let is_asked_for = |group: &ScopeName| match requested {
        RequestedTargets::All => true,
        RequestedTargets::Named(scopes) => scopes.contains(group),
    };
    let permitted: BTreeSet<&TargetName> = permitted.iter().map(|one| &one.name).collect();
    let is_permitted = |target: &Target| permitted.contains(&target.name);
    let groups = role.targets.iter().filter(|scope| rules.inventory.is_group(scope) && is_asked_for(scope));
    groups.filter(|group| rules.inventory.within(group).all(is_permitted)).collect()
}

pub(super) fn unknown_target(scope: &ScopeName) -> Refusal {
    Refusal::new(
        Reason::UnknownTarget,
        format!("there is no target or target group {scope}"),
        "use the name that the inventory gives it; `dayfly roles` lists the targets that you may ask for",
    )
}

pub(super) fn outside_role(role: &Role, scope: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        Reason::TargetOutsideRole,
        format!("role {} does not cover {scope}", role.name),
        "choose another role or target; `dayfly roles` lists the ones that you may ask for",
    )
}
