//! What a person may know of themselves: who they are, which roles they may ask for, where they may go.

use crate::{
    authority::{Authority, rules},
    config::RuleBook,
    failure::Failure,
    identity::PersonCall,
    store::Bastion,
};
use dayfly_api::person::{BastionAddress, CurrentSignIn, Destination, Destinations, RoleSummary, Roles, WhoAmI};
use dayfly_core::{
    name::{AccountName, RoleName, TargetName},
    policy,
    principal::PrincipalTemplate,
    role::Role,
    target::Target,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Who calls, as the CA sees it.
pub fn whoami(call: &PersonCall) -> WhoAmI {
    let proof = &call.identity.evidence.proof;
    WhoAmI {
        subject: call.identity.subject.clone(),
        groups: call.identity.groups.iter().cloned().collect(),
        method: proof.method().to_owned(),
        key_fingerprint: proof.fingerprint().to_owned(),
        address: call.context.source.to_canonical().to_string(),
        sign_in: proof
            .issuer_and_subject()
            .map(|(issuer, subject)| CurrentSignIn { issuer: issuer.to_owned(), issuer_subject: subject.to_owned() }),
    }
}

/// The roles that the caller may ask for now.
pub async fn roles(authority: &Authority, call: Arc<PersonCall>) -> Result<Roles, Failure> {
    let book = authority.rules.load_full();
    // A question to policy for each role at each target: too many to ask between two requests.
    Ok(tokio::task::spawn_blocking(move || roles_by(&book, &call)).await?)
}

fn roles_by(book: &RuleBook, call: &PersonCall) -> Roles {
    let summary = |(role, targets): (&Role, Vec<TargetName>)| RoleSummary {
        name: role.name.clone(),
        description: role.description.clone(),
        max_ttl: role.max_ttl,
        targets,
        principals: role.principals.iter().cloned().map(String::from).collect(),
    };
    Roles { roles: requestable(book, call).into_iter().map(summary).collect() }
}

/// Where the caller may go, and through which bastions.
pub async fn destinations(authority: &Authority, call: Arc<PersonCall>) -> Result<Destinations, Failure> {
    let mut bastions = authority.store.bastions().await?;
    bastions.retain(|bastion| !bastion.disabled);
    let book = authority.rules.load_full();
    Ok(tokio::task::spawn_blocking(move || destinations_by(&book, &call, &bastions)).await?)
}

fn destinations_by(book: &RuleBook, call: &PersonCall, bastions: &[Bastion]) -> Destinations {
    let mut roles_of: BTreeMap<TargetName, Vec<&Role>> = BTreeMap::new();
    for (role, targets) in requestable(book, call) {
        targets.into_iter().for_each(|target| roles_of.entry(target).or_default().push(role));
    }
    let known = roles_of.iter().filter_map(|(name, roles)| book.inventory.get(name.as_str()).map(|target| (target, roles.as_slice())));
    let targets: Vec<Destination> = known.map(|(target, roles)| destination(target, roles, bastions)).collect();
    let is_of_use = |bastion: &&Bastion| targets.iter().any(|target| target.bastions.contains(&bastion.name));
    let bastions =
        bastions.iter().filter(is_of_use).map(|bastion| BastionAddress { name: bastion.name.clone(), address: bastion.address.clone() });
    Destinations { bastions: bastions.collect(), targets }
}

/// Each role with the targets at which the caller may have it. Where it may be used from changes nothing about that.
fn requestable<'a>(book: &'a RuleBook, call: &PersonCall) -> Vec<(&'a Role, Vec<TargetName>)> {
    let permitted = policy::requestable(rules(book, &[]), &call.identity, &call.context);
    let with_role = |(name, targets): (RoleName, Vec<TargetName>)| book.roles.get(name.as_str()).map(|role| (role, targets));
    permitted.into_iter().filter_map(with_role).collect()
}

fn destination(target: &Target, roles: &[&Role], bastions: &[Bastion]) -> Destination {
    let serves = |bastion: &&Bastion| bastion.targets.iter().any(|scope| target.is_within(scope));
    let accounts: BTreeSet<AccountName> = roles.iter().flat_map(|role| accounts(role, target)).collect();
    Destination {
        name: target.name.clone(),
        mode: target.mode,
        bastions: bastions.iter().filter(serves).map(|bastion| bastion.name.clone()).collect(),
        roles: roles.iter().map(|role| role.name.clone()).collect(),
        accounts: accounts.into_iter().collect(),
    }
}

/// The accounts that a role's principals log in to at this target.
fn accounts(role: &Role, target: &Target) -> Vec<AccountName> {
    let of_template = |template: &PrincipalTemplate| match template {
        PrincipalTemplate::PerTarget(account) | PrincipalTemplate::PerGroup(account) => vec![account.clone()],
        PrincipalTemplate::Literal(principal) => target.literal_principals.get(principal).into_iter().flatten().cloned().collect(),
    };
    role.principals.iter().flat_map(of_template).collect()
}
