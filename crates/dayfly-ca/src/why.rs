//! Why an answer is what it is, for the caller or for whoever administers the CA. Nothing is issued, and nothing is logged.

use crate::{
    authority::{Authority, rules},
    failure::Failure,
    identity::PersonCall,
};
use dayfly_api::{
    decision::{Decision, DecisionRequest, Fact, PolicyDecision, TargetDecision},
    problem::Ruling,
};
use dayfly_core::{
    identity::Subject,
    policy::{self, Asked, PolicyAccount, PolicyOutcome, TargetAccount, Why},
    request::RequestedTargets,
};
use std::sync::Arc;

const PERMIT: &str = "permit";

/// What the caller would be answered now, and why. Files of the CA's host are not told.
pub async fn of_caller(authority: &Authority, call: Arc<PersonCall>, asked: DecisionRequest) -> Result<Decision, Failure> {
    let book = authority.rules.load_full();
    let decide = move || {
        let what = Asked::Certificate { targets: &asked.targets, ttl: asked.ttl };
        let why = policy::why(rules(&book, &[]), &call.identity, &call.context, &asked.role, what);
        let mut decision = in_words(call.subject(), why);
        // Of what only policy could open, nothing is told that nobody asked about by name.
        if matches!(asked.targets, RequestedTargets::All) {
            decision.targets.retain(|target| target.policies.iter().any(|policy| policy.effect == PERMIT));
            decision.left_out = 0;
        }
        for policy in decision.targets.iter_mut().flat_map(|target| &mut target.policies) {
            (policy.file, policy.line) = (None, None);
        }
        decision
    };
    // As many questions as there are targets: too many to ask between two requests.
    Ok(tokio::task::spawn_blocking(decide).await?)
}

/// The account as the contract writes it.
pub fn in_words(subject: &Subject, why: Why) -> Decision {
    let bare = Decision {
        decision: "granted".to_owned(),
        subject: subject.to_string(),
        code: None,
        detail: None,
        remedy: None,
        ruling: Ruling::default(),
        narrowed: Vec::new(),
        demands: why.demands,
        targets: why.targets.into_iter().map(target).collect(),
        left_out: why.left_out,
    };
    match why.answer {
        Ok(explanation) => Decision {
            ruling: Ruling { policies: explanation.policies.into_iter().collect(), ..Ruling::default() },
            narrowed: explanation.narrowed,
            ..bare
        },
        Err(refusal) => Decision {
            decision: if refusal.missing().is_empty() { "refused" } else { "missing" }.to_owned(),
            code: Some(refusal.reason.code().to_owned()),
            ruling: refusal.ruling.as_deref().map(Ruling::from).unwrap_or_default(),
            detail: Some(refusal.message),
            remedy: Some(refusal.remedy),
            ..bare
        },
    }
}

fn target(account: TargetAccount) -> TargetDecision {
    TargetDecision {
        target: account.target,
        permitted: account.is_permitted,
        policies: account.policies.into_iter().map(policy_decision).collect(),
    }
}

fn policy_decision(account: PolicyAccount) -> PolicyDecision {
    let (outcome, condition) = match account.outcome {
        PolicyOutcome::Applies => ("applies", None),
        PolicyOutcome::Fails(condition) => ("fails", Some(condition)),
        PolicyOutcome::Errs(condition) => ("errs", Some(condition)),
    };
    PolicyDecision {
        id: account.id,
        effect: if account.permits { PERMIT } else { "forbid" }.to_owned(),
        outcome: outcome.to_owned(),
        condition,
        title: account.title,
        remedy: account.remedy,
        file: Some(account.file),
        line: Some(account.line),
        facts: account.facts.into_iter().map(|fact| Fact { name: fact.name, value: fact.value }).collect(),
    }
}
