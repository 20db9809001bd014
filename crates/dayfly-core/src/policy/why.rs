//! Why a decision is what it is: the same questions as a decision's, with an account of every policy that could have decided. Nothing is granted here.

use super::{
    No, Rules,
    account::{self, PolicyAccount},
    all_of, find_role,
    inquiry::{Inquiry, Question, Subjects},
    judged, resolve, some_of,
};
use crate::{
    context::Context,
    decision::Explanation,
    identity::Identity,
    name::{AccountName, BastionName, RoleName, TargetName},
    reason::Refusal,
    request::RequestedTargets,
    target::Target,
    validity::Ttl,
};

/// The most targets that are accounted for one by one.
pub const MOST_TARGETS: usize = 20;

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// A certificate of a role.
    Certificate {
        /// The targets.
        targets: &'a RequestedTargets,
        /// The lifetime; the role's if not given.
        ttl: Option<Ttl>,
    },
    /// A session at a target, with a certificate of the role.
    Session {
        /// The target.
        target: &'a TargetName,
        /// The bastion that it goes through.
        bastion: &'a BastionName,
        /// Whom it logs in as.
        account: Option<&'a AccountName>,
    },
}

/// Why the answer is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The answer: the policies that permit and what was narrowed, or the refusal.
    pub answer: Result<Explanation, Refusal>,
    /// What was looked at, target by target; [`MOST_TARGETS`] at most.
    pub targets: Vec<TargetAccount>,
    /// How many targets more there are.
    pub left_out: usize,
    /// What the role demands of the key, which is not known here: a sentence each.
    pub demands: Vec<String>,
}

/// What policy says at one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetAccount {
    /// The target.
    pub target: TargetName,
    /// Whether it is permitted there.
    pub is_permitted: bool,
    /// The policies within whose scope the question is.
    pub policies: Vec<PolicyAccount>,
}

/// Says why `identity` may or may not have what is `asked`, now and from there.
pub fn why(rules: Rules<'_>, identity: &Identity, context: &Context, role: &RoleName, asked: Asked<'_>) -> Why {
    account(rules, identity, context, role, asked).unwrap_or_else(|refusal| Why {
        answer: Err(refusal),
        targets: Vec::new(),
        left_out: 0,
        demands: Vec::new(),
    })
}

fn account<'a>(rules: Rules<'a>, identity: &Identity, context: &Context, role: &RoleName, asked: Asked<'a>) -> Result<Why, Refusal> {
    let role = find_role(rules, role)?;
    let named = match asked {
        Asked::Certificate { targets, .. } => resolve::targets(rules, role, targets)?,
        Asked::Session { target, .. } => vec![resolve::one(rules, role, target)?],
    };
    let question = |target| match asked {
        Asked::Certificate { ttl, .. } => {
            Question::Request { role: &role.name, target, ttl: ttl.unwrap_or(role.max_ttl).min(role.max_ttl) }
        }
        Asked::Session { bastion, account, .. } => Question::Connect { role: &role.name, target, bastion, account },
    };
    let subjects = Subjects { rules, slice: rules.policy.slices.of_role(&role.name), role: Some(role), targets: &named };
    let is_any_enough = matches!(asked, Asked::Certificate { targets: RequestedTargets::All, .. });
    let answer: Result<(Vec<&Target>, Explanation), Refusal> = judged(subjects, identity, context, |inquiry| -> Result<_, No<'_>> {
        if is_any_enough { some_of(inquiry, &named, question) } else { all_of(inquiry, &named, question) }
    });
    let inquiry = Inquiry::new(subjects, identity, context)?;
    let told = |target: &'a Target| TargetAccount {
        target: target.name.clone(),
        is_permitted: inquiry.ask(question(target)).is_ok(),
        policies: account::policies(&inquiry, question(target)),
    };
    let targets: Vec<TargetAccount> = named.iter().copied().take(MOST_TARGETS).map(told).collect();
    let demands = match asked {
        Asked::Certificate { .. } => super::hardware::demands(role),
        Asked::Session { .. } => Vec::new(),
    };
    Ok(Why { answer: answer.map(|(_, explanation)| explanation), left_out: named.len() - targets.len(), targets, demands })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::policy::{
        PolicyOutcome,
        sample::{Sample, context, identity, policy},
    };

    fn certificate<'a>(targets: &'a RequestedTargets) -> Asked<'a> {
        Asked::Certificate { targets, ttl: None }
    }

    fn named(names: &[&str]) -> RequestedTargets {
        RequestedTargets::Named(names.iter().map(|name| name.parse().unwrap()).collect())
    }

    #[test]
    fn every_policy_in_whose_scope_it_is_is_accounted_for() {
        let text = "@id(\"yes\") @title(\"Databases\") permit(principal in Group::\"dba\", action == Action::\"request\", resource == Role::\"db-admin\") when { \
                    context.ttl_seconds <= 300 };\n@id(\"never-db2\") forbid(principal, action == Action::\"request\", resource) when { context.target == \
                    Target::\"db2\" };\n@id(\"others\") permit(principal in Group::\"web\", action == Action::\"request\", resource);\n@id(\"review\") \
                    permit(principal, action == Action::\"review\", resource);";
        let sample = Sample { policy: policy(text), ..Sample::new() };
        let why = |targets: &[&str]| {
            super::why(sample.rules(), &identity("alice", &["dba"]), &context(), &"db-admin".parse().unwrap(), certificate(&named(targets)))
        };
        let yes = why(&["db1"]);
        assert_eq!(yes.answer.unwrap().policies.into_iter().collect::<Vec<_>>(), ["yes"]);
        let [db1] = yes.targets.as_slice() else { panic!("{:?}", yes.targets) };
        assert!(db1.is_permitted);
        let told: Vec<_> =
            db1.policies.iter().map(|policy| (policy.id.as_str(), policy.permits, policy.line, policy.outcome.clone())).collect();
        let fails = PolicyOutcome::Fails("context.target == Target::\"db2\"".to_owned());
        assert_eq!(told, [("yes", true, 1, PolicyOutcome::Applies), ("never-db2", false, 2, fails)]);
        assert_eq!(db1.policies[0].facts[0].to_string(), "context.ttl_seconds is 300");
        assert_eq!(db1.policies[0].title.as_deref(), Some("Databases"));

        let no = why(&["db"]);
        assert!(no.answer.unwrap_err().message.contains("never-db2"));
        assert_eq!(no.targets.iter().map(|target| target.is_permitted).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn it_says_what_a_decision_says() {
        let sample = Sample::new();
        for (who, role, targets) in [
            (identity("alice", &["dba"]), "db-admin", named(&["db1"])),
            (identity("alice", &[]), "db-admin", named(&["db1"])),
            (identity("alice", &["dba"]), "db-admin", RequestedTargets::All),
            (identity("alice", &["dba"]), "gone", named(&["db1"])),
            (identity("alice", &["dba"]), "db-admin", named(&["web1"])),
        ] {
            let mut request = crate::policy::sample::request(role, &["db1"]);
            request.targets = targets.clone();
            let decided = crate::policy::decide(sample.rules(), &who, &context(), &request, uuid::Uuid::nil()).into_grant();
            let why = why(sample.rules(), &who, &context(), &role.parse().unwrap(), certificate(&targets));
            assert_eq!(why.answer, decided.map(|grant| grant.explanation().clone()));
        }
    }

    #[test]
    fn a_session_is_accounted_for_too() {
        let sample = Sample::new();
        let (target, bastion) = ("db1".parse().unwrap(), "gate".parse().unwrap());
        let asked = Asked::Session { target: &target, bastion: &bastion, account: None };
        let why = why(sample.rules(), &identity("alice", &["dba"]), &context(), &"db-admin".parse().unwrap(), asked);
        assert!(why.answer.is_ok() && why.targets[0].policies[0].id == "dba-may-use-db-admin");
    }
}
