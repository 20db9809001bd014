//! Why the answer is what it is: every policy that could have decided, the condition of it that failed, and the facts that it looked at.

use super::{
    facts::{Fact, Facts},
    inquiry::{Inquiry, Question},
    parts::{Condition, Mention},
    statement::Statement,
};
use crate::reason::{Missing, Reason, Refusal, Ruling};
use cedar_policy::Effect;
use std::collections::BTreeSet;

/// How many policies that would almost permit a refusal names.
const NEAR_MISSES: usize = 3;

/// What one policy had to do with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyAccount {
    /// Its `@id`.
    pub id: String,
    /// Whether it permits; it forbids otherwise.
    pub permits: bool,
    /// Its `@title`.
    pub title: Option<String>,
    /// Its `@remedy`: what whoever wrote it proposes to those whom it stands in the way of.
    pub remedy: Option<String>,
    /// The file that it stands in.
    pub file: String,
    /// The line that it begins at, counted from 1.
    pub line: usize,
    /// What became of it.
    pub outcome: PolicyOutcome,
    /// The facts that its conditions looked at.
    pub facts: Vec<FactAccount>,
}

/// What became of a policy within whose scope a question is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyOutcome {
    /// All of its conditions hold.
    Applies,
    /// This condition does not, as Cedar writes it.
    Fails(String),
    /// This condition cannot be evaluated, so that the answer is no.
    Errs(String),
}

/// A fact that a condition looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FactAccount {
    /// As policies write it: `context.country`.
    pub name: String,
    /// What it is; `None` if it is absent.
    pub value: Option<String>,
}

impl std::fmt::Display for FactAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value}", self.name),
            None => write!(f, "{} is absent", self.name),
        }
    }
}

/// The policies within whose scope `question` is, in the order of their files.
pub(super) fn policies(inquiry: &Inquiry<'_>, question: Question<'_>) -> Vec<PolicyAccount> {
    let facts = inquiry.facts(question);
    let accounts = inquiry.slice.statements.iter().filter_map(|statement| policy(inquiry, question, statement, &facts));
    accounts.collect()
}

fn policy(inquiry: &Inquiry<'_>, question: Question<'_>, statement: &Statement, facts: &Facts) -> Option<PolicyAccount> {
    let parts = statement.parts.as_ref()?;
    if !inquiry.permits(question, &parts.scope)? {
        return None;
    }
    let told = |condition: &Condition| fact_accounts(inquiry, facts, condition.mentions.iter());
    // As Cedar does: one after the other, and no further than the first that fails.
    let failing = parts.conditions.iter().find_map(|condition| match inquiry.permits(question, &condition.test) {
        Some(true) => None,
        Some(false) => Some((PolicyOutcome::Fails(condition.text.clone()), told(condition))),
        None => Some((PolicyOutcome::Errs(condition.text.clone()), told(condition))),
    });
    let all = || (PolicyOutcome::Applies, fact_accounts(inquiry, facts, parts.mentions().into_iter()));
    let (outcome, facts) = failing.unwrap_or_else(all);
    let annotation = |name: &str| statement.policy.annotation(name).map(str::to_owned);
    Some(PolicyAccount {
        id: statement.id().to_owned(),
        permits: statement.policy.effect() == Effect::Permit,
        title: annotation("title"),
        remedy: annotation("remedy"),
        file: statement.file.clone(),
        line: statement.line,
        outcome,
        facts,
    })
}

fn fact_accounts<'m>(inquiry: &Inquiry<'_>, facts: &Facts, mentions: impl Iterator<Item = &'m Mention>) -> Vec<FactAccount> {
    let of_context = |path: &[String]| {
        let (name, value) = look_up(facts, path);
        FactAccount { name, value }
    };
    let told = mentions.map(|mention| match mention {
        Mention::Principal => FactAccount { name: "principal".to_owned(), value: Some(principal(inquiry)) },
        Mention::Context(path) | Mention::Whether(path) => of_context(path),
        Mention::Claim(claim) => FactAccount {
            name: format!("context.workload.getTag({claim:?})"),
            value: inquiry.identity.evidence.claims.get(claim).map(|value| format!("{value:?}")),
        },
    });
    let told: BTreeSet<FactAccount> = told.collect();
    // A record tells nothing beside what was looked at in it.
    let is_looked_into =
        |outer: &FactAccount| told.iter().any(|inner| inner.name.strip_prefix(&outer.name).is_some_and(|rest| rest.starts_with('.')));
    told.iter().filter(|fact| !is_looked_into(fact)).cloned().collect()
}

fn principal(inquiry: &Inquiry<'_>) -> String {
    let groups = inquiry.identity.groups.iter().map(|group| format!("Group::\"{group}\"")).collect::<Vec<_>>().join(", ");
    format!("{} in [{groups}]", inquiry.principal())
}

/// The name and value of the attribute at `path`. Of an attribute of an entity, such as `context.target.mode`, the entity is told.
fn look_up(facts: &Facts, path: &[String]) -> (String, Option<String>) {
    let (mut level, mut name, mut found) = (Some(facts), "context".to_owned(), None);
    for part in path {
        let Some(known) = level else { break };
        name = format!("{name}.{part}");
        found = known.get(part.as_str());
        level = match found {
            Some(Fact::Record(inner)) => Some(inner),
            Some(Fact::Entity(_)) => None,
            // What is below something that is absent is absent too; the outermost name tells most.
            None => break,
            Some(_) => None,
        };
    }
    (name, found.map(ToString::to_string))
}

/// A refusal in words: which policies said it, by which facts, and what would change the answer.
pub(super) fn refusal(
    inquiry: &Inquiry<'_>,
    question: Question<'_>,
    bare: Refusal,
    (missing, methods): (Vec<Missing>, Vec<crate::identity::FactorMethod>),
) -> Refusal {
    let accounts = policies(inquiry, question);
    let is_forbidden = bare.reason == Reason::PolicyForbidden;
    let decided = |account: &&PolicyAccount| match (is_forbidden, &account.outcome) {
        (true, outcome) => !account.permits && *outcome == PolicyOutcome::Applies,
        (false, outcome) => account.permits && *outcome != PolicyOutcome::Applies,
    };
    let decided: Vec<&PolicyAccount> = accounts.iter().filter(decided).collect();
    let facts: BTreeSet<&FactAccount> = decided.iter().flat_map(|account| &account.facts).collect();
    let ruling = Ruling {
        policies: decided.iter().map(|account| account.id.clone()).collect(),
        facts: facts.iter().map(ToString::to_string).collect(),
        missing,
        methods,
    };
    let why = if is_forbidden { forbidding(&decided) } else { almost_permitting(&decided) };
    let message = if why.is_empty() { bare.message } else { format!("{}: {why}", bare.message) };
    let proposed = decided.iter().find_map(|account| account.remedy.clone());
    let (reason, message) = match ruling.missing.first() {
        Some(Missing::SecondFactor) => (Reason::SecondFactorRequired, format!("a second factor is missing: {message}")),
        Some(Missing::Approval) => (Reason::ApprovalRequired, format!("an approval is missing: {message}")),
        None => (bare.reason, message),
    };
    let remedy = match (super::counterfactual::remedy(&ruling), proposed) {
        (Some(remedy), Some(proposed)) => format!("{remedy}; {proposed}"),
        (remedy, proposed) => remedy.or(proposed).unwrap_or(bare.remedy),
    };
    Refusal::new(reason, message, remedy).ruled(ruling)
}

/// By which facts: `context.country is "FR"`.
fn forbidding(policies: &[&PolicyAccount]) -> String {
    let titles = policies.iter().filter_map(|account| account.title.clone());
    let facts: BTreeSet<&FactAccount> = policies.iter().flat_map(|account| &account.facts).collect();
    titles.chain(facts.into_iter().map(ToString::to_string)).collect::<Vec<_>>().join("; ")
}

/// Which would, if a condition held: `policy office would, but context.local.hour >= 9 does not hold (context.local.hour is 7)`.
fn almost_permitting(policies: &[&PolicyAccount]) -> String {
    let mut told: Vec<String> = policies.iter().take(NEAR_MISSES).map(|account| almost(account)).collect();
    if policies.len() > NEAR_MISSES {
        told.push(format!("and {} more", policies.len() - NEAR_MISSES));
    }
    told.join("; ")
}

fn almost(account: &PolicyAccount) -> String {
    let title = account.title.as_deref().map(|title| format!(" ({title})")).unwrap_or_default();
    let facts = account.facts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let facts = if facts.is_empty() { facts } else { format!(" ({facts})") };
    match &account.outcome {
        PolicyOutcome::Fails(condition) => format!("policy {}{title} would, but {condition} does not hold{facts}", account.id),
        PolicyOutcome::Errs(condition) => format!("policy {}{title} would, but {condition} cannot be evaluated{facts}", account.id),
        PolicyOutcome::Applies => format!("policy {}{title} would", account.id),
    }
}
