//! Who may have what: the one place where a request becomes a [`Decision`].
//!
//! | Part | What it is |
//! |---|---|
//! | `schema` | what a policy can speak about |
//! | `why`, `account`, `counterfactual` | why the answer is what it is, and what would turn a no into a yes |
//! | `load`, `statement`, `parts` | policy files → [`Policy`], every mistake with its line |
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
use inquiry::{Inquiry, Question, Subjects};
use std::collections::BTreeSet;
use uuid::Uuid;

mod account;
mod counterfactual;
mod facts;
mod hardware;
mod inquiry;
mod load;
mod parts;
mod resolve;
#[cfg(feature = "test-support")]
pub mod sample;
mod schema;
mod slices;
mod statement;
mod why;

pub use account::{FactAccount, PolicyAccount, PolicyOutcome};
pub use load::{Policy, PolicyError, PolicySource};
pub use schema::SCHEMA;
pub use why::{Asked, MOST_TARGETS, TargetAccount, Why, why};

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
        Err(refusal) if refusal.missing().is_empty() => Decision::Refused(refusal),
        Err(refusal) => Decision::Missing(refusal),
    }
}

fn grant(rules: Rules<'_>, identity: &Identity, context: &Context, request: &CertificateRequest, grant_id: Uuid) -> Result<Grant, Refusal> {
    let role = find_role(rules, &request.role)?;
    let ttl = request.ttl.unwrap_or(role.max_ttl).min(role.max_ttl);
    let asked = resolve::targets(rules, role, &request.targets)?;
    let subjects = Subjects { rules, slice: rules.policy.slices.of_role(&role.name), role: Some(role), targets: &asked };
    let question = |target| Question::Request { role: &role.name, target, ttl };
    let (permitted, mut explanation) = judged(subjects, identity, context, |inquiry| match &request.targets {
        RequestedTargets::Named(_) => all_of(inquiry, &asked, question),
        RequestedTargets::All => some_of(inquiry, &asked, question),
    })?;
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

/// A no, and the question that it answers.
struct No<'a> {
    question: Question<'a>,
    refusal: Refusal,
}

/// What `ask` comes to, or a refusal that says which policies stand in the way, by which facts, and what would change the answer.
fn judged<'a, T>(
    subjects: Subjects<'a>,
    identity: &Identity,
    context: &Context,
    ask: impl Fn(&Inquiry<'_>) -> Result<T, No<'a>>,
) -> Result<T, Refusal> {
    let inquiry = Inquiry::new(subjects, identity, context)?;
    let no = match ask(&inquiry) {
        Ok(yes) => return Ok(yes),
        Err(no) => no,
    };
    if !matches!(no.refusal.reason, Reason::PolicyDenied | Reason::PolicyForbidden) {
        return Err(no.refusal);
    }
    let is_yes =
        |identity: &Identity, context: &Context| Inquiry::new(subjects, identity, context).is_ok_and(|inquiry| ask(&inquiry).is_ok());
    let missing = counterfactual::missing(subjects.slice.remedies, identity, context, is_yes);
    Err(account::refusal(&inquiry, no.question, no.refusal, missing))
}

/// Every target must be permitted; the first that is not is the answer.
fn all_of<'a>(
    inquiry: &Inquiry<'_>,
    asked: &[&'a Target],
    question: impl Fn(&'a Target) -> Question<'a>,
) -> Result<(Vec<&'a Target>, Explanation), No<'a>> {
    let mut explanation = Explanation::default();
    for target in asked {
        let question = question(target);
        explanation.policies.extend(inquiry.ask(question).map_err(|refusal| No { question, refusal })?.policies);
    }
    Ok((asked.to_vec(), explanation))
}

/// The targets that are permitted, if there are any. A policy that cannot be evaluated still refuses everything.
fn some_of<'a>(
    inquiry: &Inquiry<'_>,
    asked: &[&'a Target],
    question: impl Fn(&'a Target) -> Question<'a>,
) -> Result<(Vec<&'a Target>, Explanation), No<'a>> {
    let (mut permitted, mut explanation, mut first_no) = (Vec::new(), Explanation::default(), None);
    for target in asked {
        let question = question(target);
        match inquiry.ask(question) {
            Ok(answer) => {
                permitted.push(*target);
                explanation.policies.extend(answer.policies);
            }
            Err(refusal) if refusal.reason == Reason::PolicyError => return Err(No { question, refusal }),
            Err(refusal) => {
                explanation.narrowed.push(format!("{} was left out: {}", target.name, refusal.message));
                first_no.get_or_insert(No { question, refusal });
            }
        }
    }
    match first_no {
        Some(no) if permitted.is_empty() => Err(no),
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
    let target = resolve::one(rules, role, target)?;
    let subjects = Subjects { rules, slice: rules.policy.slices.of_role(&role.name), role: Some(role), targets: &[target] };
    let question = Question::Connect { role: &role.name, target, bastion, account };
    judged(subjects, identity, context, |inquiry| inquiry.ask(question).map_err(|refusal| No { question, refusal }))
}

/// Whether `identity` may see the sessions of `scope`, a target or a target group. A group is permitted only if it and each of its members
/// are, so that a group is no way around a policy that forbids one of them.
pub fn may_review(rules: Rules<'_>, identity: &Identity, context: &Context, scope: &ScopeName) -> Result<Explanation, Refusal> {
    let targets: Vec<&Target> = rules.inventory.within(scope).collect();
    if targets.is_empty() {
        return Err(resolve::unknown_target(scope));
    }
    let subjects = Subjects { rules, slice: rules.policy.slices.of_targets(), role: None, targets: &targets };
    judged(subjects, identity, context, |inquiry| {
        let (_, mut explanation) = all_of(inquiry, &targets, |target| Question::ReviewTarget { target })?;
        if rules.inventory.is_group(scope) {
            let question = Question::ReviewGroup { group: scope.as_str() };
            explanation.policies.extend(inquiry.ask(question).map_err(|refusal| No { question, refusal })?.policies);
        }
        Ok(explanation)
    })
}

/// The roles that `identity` may ask for now, each with the targets at which it may have them for the role's whole lifetime.
pub fn requestable(rules: Rules<'_>, identity: &Identity, context: &Context) -> Vec<(RoleName, Vec<TargetName>)> {
    let targets_of = |role: &Role| {
        let covered: Vec<&Target> = rules.inventory.iter().filter(|target| role.covers(target)).collect();
        let subjects = Subjects { rules, slice: rules.policy.slices.of_role(&role.name), role: Some(role), targets: &covered };
        let inquiry = Inquiry::new(subjects, identity, context).ok()?;
        let is_permitted = |target: &&Target| inquiry.ask(Question::Request { role: &role.name, target, ttl: role.max_ttl }).is_ok();
        let permitted: Vec<TargetName> = covered.iter().copied().filter(is_permitted).map(|target| target.name.clone()).collect();
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
