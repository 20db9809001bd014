//! Who may have what: the one place where a request becomes a [`Decision`].
//!
//! | Part | What it is |
//! |---|---|
//! | `schema` | what a policy can speak about |
//! | `load`, `statement` | policy files → [`Policy`], every mistake with its line |
//! | `slices` | the few policies that can matter to a question |
//! | `facts` | what a policy sees of who asks and under which conditions |
//! | `hardware` | what a role demands of the key |
//! | `inquiry` | a question to Cedar, and its answer in words |
//! | `resolve` | what was asked for → targets; permitted targets → principals |
//!
//! A role bounds what a certificate may contain and policy says who may have it; a request only ever narrows the two.

use crate::{
    address::Network,
    context::Context,
    decision::{Decision, Explanation, Grant},
    identity::Identity,
    name::{AccountName, BastionName, RoleName, ScopeName, TargetName},
    reason::{Reason, Refusal},
    request::{CertificateRequest, RequestedTargets},
    role::{Role, Roles, SourceAddress},
    target::{Inventory, Target},
};
use inquiry::{Inquiry, Question};
use std::collections::BTreeSet;
use uuid::Uuid;

mod facts;
mod hardware;
mod inquiry;
mod load;
mod resolve;
#[cfg(feature = "test-support")]
pub mod sample;
mod schema;
mod slices;
mod statement;

pub use load::{Policy, PolicyError, PolicySource};
pub use schema::SCHEMA;

/// The policy file of a new installation: permits nothing, and shows in comments how it is done.
pub const DEFAULT_POLICY: &str = include_str!("../default-policy.cedar");

/// Everything that a decision is made by.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Who may have what.
    pub policy: &'a Policy,
    /// What a certificate may contain.
    pub roles: &'a Roles,
    /// Which targets there are.
    pub inventory: &'a Inventory,
    /// The addresses that the bastions dial from.
    pub bastion_networks: &'a [Network],
}

/// Decides a request. `grant_id` is the id that the grant gets if there is one.
pub fn decide(rules: Rules<'_>, identity: &Identity, context: &Context, request: &CertificateRequest, grant_id: Uuid) -> Decision {
    match grant(rules, identity, context, request, grant_id) {
        Ok(grant) => Decision::Granted(grant),
        Err(refusal) => Decision::Refused(refusal),
    }
}

fn grant(rules: Rules<'_>, identity: &Identity, context: &Context, request: &CertificateRequest, grant_id: Uuid) -> Result<Grant, Refusal> {
    let role = find_role(rules, &request.role)?;
    let ttl = request.ttl.unwrap_or(role.max_ttl).min(role.max_ttl);
    let asked = resolve::targets(rules, role, &request.targets)?;
    let inquiry = Inquiry::new(rules, rules.policy.slices.of_role(&role.name), identity, context, Some(role), asked.iter().copied())?;
    let question = |target| inquiry.ask(Question::Request { role: &role.name, target, ttl });
    let (permitted, mut explanation) = match &request.targets {
        RequestedTargets::Named(_) => all_of(asked, question)?,
        RequestedTargets::All => some_of(asked, question)?,
    };
    hardware::check(role, request)?;
    if let Some(longer) = request.ttl.filter(|asked| *asked > ttl) {
        explanation.narrowed.push(format!("lifetime {longer} was cut to {ttl}, the longest of role {}", role.name));
    }
    Ok(Grant {
        id: grant_id,
        subject: identity.subject.clone(),
        role: role.name.clone(),
        principals: resolve::principals(rules, role, &request.targets, &permitted)?,
        targets: permitted.iter().map(|target| target.name.clone()).collect(),
        ttl,
        force_command: role.force_command.clone(),
        source_address: source_address(rules, role, context)?,
        verify_required: role.verify_required,
        extensions: role.extensions.clone(),
        explanation,
    })
}

/// Every target must be permitted; the first that is not is the answer.
fn all_of<'a>(
    asked: Vec<&'a Target>,
    question: impl Fn(&'a Target) -> Result<Explanation, Refusal>,
) -> Result<(Vec<&'a Target>, Explanation), Refusal> {
    let mut explanation = Explanation::default();
    for target in &asked {
        explanation.policies.extend(question(target)?.policies);
    }
    Ok((asked, explanation))
}

/// The targets that are permitted, if there are any. A policy that cannot be evaluated still refuses everything.
fn some_of<'a>(
    asked: Vec<&'a Target>,
    question: impl Fn(&'a Target) -> Result<Explanation, Refusal>,
) -> Result<(Vec<&'a Target>, Explanation), Refusal> {
    let (mut permitted, mut explanation, mut first_refusal) = (Vec::new(), Explanation::default(), None);
    for target in asked {
        match question(target) {
            Ok(answer) => {
                permitted.push(target);
                explanation.policies.extend(answer.policies);
            }
            Err(refusal) if refusal.reason == Reason::PolicyError => return Err(refusal),
            Err(refusal) => {
                explanation.narrowed.push(format!("{} was left out: {}", target.name, refusal.message));
                first_refusal.get_or_insert(refusal);
            }
        }
    }
    match first_refusal {
        Some(refusal) if permitted.is_empty() => Err(refusal),
        _ => Ok((permitted, explanation)),
    }
}

/// Where the certificate may be used from. Empty only if the role does not say, which means anywhere.
fn source_address(rules: Rules<'_>, role: &Role, context: &Context) -> Result<Vec<Network>, Refusal> {
    let mut networks = BTreeSet::new();
    for source in &role.source_address {
        match source {
            SourceAddress::Client => networks.extend([Network::single(context.source)]),
            SourceAddress::Bastion => networks.extend(rules.bastion_networks),
            SourceAddress::Network(network) => networks.extend([*network]),
        }
    }
    if networks.is_empty() && !role.source_address.is_empty() {
        return Err(Refusal::new(
            Reason::SourceAddress,
            format!("certificates of role {} are for the bastions' addresses only, and no bastion has one", role.name),
            "enrol a bastion with the addresses that it dials from",
        ));
    }
    Ok(networks.into_iter().collect())
}

/// Whether `identity` may open a session at `target` with a certificate of `role`, asked anew for every session.
pub fn may_connect(
    rules: Rules<'_>,
    identity: &Identity,
    context: &Context,
    role: &RoleName,
    target: &TargetName,
    bastion: &BastionName,
    account: Option<&AccountName>,
) -> Result<Explanation, Refusal> {
    let role = find_role(rules, role)?;
    let target = rules.inventory.get(target.as_str()).ok_or_else(|| resolve::unknown_target(&target.clone().into()))?;
    if !role.covers(target) {
        return Err(resolve::outside_role(role, &target.name));
    }
    let inquiry = Inquiry::new(rules, rules.policy.slices.of_role(&role.name), identity, context, Some(role), [target])?;
    inquiry.ask(Question::Connect { role: &role.name, target, bastion, account })
}

/// Whether `identity` may see the sessions of `scope`, a target or a target group. A group is permitted only if it and each of its members
/// are, so that a group is no way around a policy that forbids one of them.
pub fn may_review(rules: Rules<'_>, identity: &Identity, context: &Context, scope: &ScopeName) -> Result<Explanation, Refusal> {
    let targets: Vec<&Target> = rules.inventory.within(scope).collect();
    if targets.is_empty() {
        return Err(resolve::unknown_target(scope));
    }
    let inquiry = Inquiry::new(rules, rules.policy.slices.of_targets(), identity, context, None, targets.iter().copied())?;
    let (_, mut explanation) = all_of(targets, |target| inquiry.ask(Question::ReviewTarget { target }))?;
    if rules.inventory.is_group(scope) {
        explanation.policies.extend(inquiry.ask(Question::ReviewGroup { group: scope.as_str() })?.policies);
    }
    Ok(explanation)
}

/// The roles that `identity` may ask for now, each with the targets at which it may have them for the role's whole lifetime.
pub fn requestable(rules: Rules<'_>, identity: &Identity, context: &Context) -> Vec<(RoleName, Vec<TargetName>)> {
    let targets_of = |role: &Role| {
        let covered: Vec<&Target> = rules.inventory.iter().filter(|target| role.covers(target)).collect();
        let slice = rules.policy.slices.of_role(&role.name);
        let inquiry = Inquiry::new(rules, slice, identity, context, Some(role), covered.iter().copied()).ok()?;
        let is_permitted = |target: &&Target| inquiry.ask(Question::Request { role: &role.name, target, ttl: role.max_ttl }).is_ok();
        let permitted: Vec<TargetName> = covered.into_iter().filter(is_permitted).map(|target| target.name.clone()).collect();
        (!permitted.is_empty()).then(|| (role.name.clone(), permitted))
    };
    rules.roles.iter().filter_map(targets_of).collect()
}

fn find_role<'a>(rules: Rules<'a>, name: &RoleName) -> Result<&'a Role, Refusal> {
    rules.roles.get(name.as_str()).ok_or_else(|| {
        Refusal::new(Reason::UnknownRole, format!("there is no role {name}"), "`dayfly roles` lists the roles that you may ask for")
    })
}

#[cfg(test)]
mod tests;
