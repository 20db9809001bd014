//! A no names the policy, the condition and the fact, and what would make it a yes.

use super::*;
use crate::{
    identity::FactorMethod::{self, Totp, Touch, Webauthn},
    reason::Missing::{Approval, SecondFactor},
};
use std::cell::Cell;

const PERMIT: &str = "@id(\"p\") permit(principal in Group::\"dba\", action in [Action::\"request\", Action::\"connect\"], resource)";

/// What alice is answered under these policies for `db-admin` at `db1`, in this context.
fn answer(policies: &str, who: &Identity, context: &Context) -> Decision {
    decide(with_policy(policies).rules(), who, context, &request("db-admin", &["db1"]), Uuid::nil())
}

#[track_caller]
fn no(policies: &str, who: &Identity, context: &Context) -> Refusal {
    answer(policies, who, context).into_grant().unwrap_err()
}

/// alice, who proved these second factors so many seconds ago.
fn with_factors(factors: &[(FactorMethod, u64)]) -> Identity {
    let mut who = alice();
    who.evidence.factors = factors.iter().map(|(method, ago)| (*method, context().unix_seconds() - ago)).collect();
    who
}

#[track_caller]
fn missing(policies: &str, who: &Identity, expected: (&[crate::reason::Missing], &[FactorMethod])) {
    let decision = answer(policies, who, &context());
    let Decision::Missing(refusal) = &decision else { panic!("{decision:?}") };
    let ruling = refusal.ruling.as_deref().unwrap();
    assert_eq!((ruling.missing.as_slice(), ruling.methods.as_slice()), expected, "{refusal:?}");
    let reason = if expected.0.contains(&SecondFactor) { Reason::SecondFactorRequired } else { Reason::ApprovalRequired };
    assert_eq!(refusal.reason, reason);
    let names_all = expected.1.iter().all(|method| refusal.remedy.contains(method.as_str()));
    assert!(names_all && refusal.remedy.contains("approve") == expected.0.contains(&Approval), "{}", refusal.remedy);
}

#[test]
fn a_forbid_is_named_with_its_annotations_and_its_facts() {
    let policies = format!(
        "{PERMIT};\n@id(\"abroad\") @title(\"Work from Germany only\") @remedy(\"use the VPN\") forbid(principal, action == Action::\"request\", resource) \
         unless {{ context has country && context.country == \"DE\" }};"
    );
    let refusal = no(&policies, &alice(), &Context { country: Some("FR".parse().unwrap()), ..context() });
    assert_eq!(refusal.reason, Reason::PolicyForbidden);
    let start = "policy abroad forbids alice to have role db-admin at db1 for 5m: Work from Germany only; context.country is \"FR\"";
    assert_eq!((refusal.message.as_str(), refusal.remedy.as_str()), (start, "use the VPN"));
    let ruling = refusal.ruling.unwrap();
    assert_eq!((ruling.policies, ruling.facts), (vec!["abroad".to_owned()], vec!["context.country is \"FR\"".to_owned()]));
    assert!(ruling.missing.is_empty() && ruling.methods.is_empty());
    assert!(no(&policies, &alice(), &context()).message.ends_with("context.country is absent"));
}

#[test]
fn a_permit_that_almost_applies_is_named_with_the_condition_that_failed() {
    let policies = format!("{PERMIT} when {{ context.networks.contains(Network::\"office\") && context.local.hour >= 14 }};");
    let office = Context { networks: BTreeSet::from(["office".parse().unwrap()]), ..context() };
    let elsewhere = no(&policies, &alice(), &context());
    assert_eq!(elsewhere.reason, Reason::PolicyDenied);
    let expected = "no policy permits alice to have role db-admin at db1 for 5m: policy p would, but context.networks.contains(Network::\"office\") \
                    does not hold (context.networks is [])";
    assert_eq!(elsewhere.message, expected);
    let early = no(&policies, &alice(), &office);
    assert!(
        early.message.ends_with("policy p would, but context.local.hour >= 14 does not hold (context.local.hour is 12)"),
        "{}",
        early.message
    );
    assert_eq!(early.ruling.unwrap().policies, ["p"]);
}

#[test]
fn who_is_outside_every_scope_is_told_of_no_policy() {
    let refusal = no(&format!("{PERMIT};"), &identity("bob", &[]), &context());
    assert_eq!(refusal.message, "no policy permits bob to have role db-admin at db1 for 5m");
    assert!(refusal.ruling.unwrap().policies.is_empty());
}

#[test]
fn a_second_factor_that_is_absent_or_too_old_is_missing() {
    let fresh = format!("{PERMIT} when {{ context has second_factor && context.second_factor.age_seconds < 300 }};");
    missing(&fresh, &alice(), (&[SecondFactor], &FactorMethod::ALL));
    missing(&fresh, &with_factors(&[(Totp, 300)]), (&[SecondFactor], &FactorMethod::ALL));
    assert!(matches!(answer(&fresh, &with_factors(&[(Totp, 299)]), &context()), Decision::Granted(_)));
    let forbids =
        format!("{PERMIT};\n@id(\"f\") forbid(principal, action, resource == Role::\"db-admin\") unless {{ context has second_factor }};");
    missing(&forbids, &alice(), (&[SecondFactor], &FactorMethod::ALL));
    let said = no(&forbids, &alice(), &context());
    assert!(said.message.starts_with("a second factor is missing: policy f forbids alice"), "{}", said.message);
}

#[test]
fn only_the_methods_that_would_do_are_named() {
    let strong = format!("{PERMIT} when {{ context has second_factor.webauthn && context.second_factor.webauthn.age_seconds < 300 }};");
    missing(&strong, &with_factors(&[(Totp, 1)]), (&[SecondFactor], &[Webauthn]));
    let no_codes = format!("{PERMIT} when {{ context has second_factor && !(context.second_factor has totp) }};");
    missing(&no_codes, &alice(), (&[SecondFactor], &[Webauthn, Touch]));
    // Whoever has given a code cannot take it back.
    assert!(matches!(answer(&no_codes, &with_factors(&[(Totp, 1)]), &context()), Decision::Refused(_)));
}

#[test]
fn an_approval_is_missing_by_itself_or_beside_a_second_factor() {
    let approved = format!("{PERMIT} when {{ context.approved }};");
    missing(&approved, &alice(), (&[Approval], &[]));
    assert!(matches!(answer(&approved, &alice(), &Context { approved: true, ..context() }), Decision::Granted(_)));
    let both = format!("{PERMIT} when {{ context.approved && context has second_factor }};");
    missing(&both, &alice(), (&[SecondFactor, Approval], &FactorMethod::ALL));
    missing(&both, &with_factors(&[(Touch, 5)]), (&[Approval], &[]));
    let either = format!("{PERMIT} when {{ context.approved || context has second_factor }};");
    missing(&either, &alice(), (&[SecondFactor], &FactorMethod::ALL));
}

#[test]
fn a_forbid_that_nothing_moves_wins() {
    let policies = format!(
        "{PERMIT} when {{ context has second_factor && context.approved }};\n@id(\"never\") forbid(principal, action == Action::\"request\", resource) when \
         {{ context.local.weekday == 3 }};"
    );
    let decision = answer(&policies, &alice(), &context());
    assert!(
        matches!(&decision, Decision::Refused(refusal) if refusal.reason == Reason::PolicyForbidden && refusal.missing().is_empty()),
        "{decision:?}"
    );
}

#[test]
fn all_targets_are_looked_at_as_if_it_were_there() {
    let policies = format!(
        "{PERMIT} when {{ context.target == Target::\"db1\" || context has second_factor }};\n@id(\"f\") forbid(principal, action == Action::\"request\", resource) when {{ context.target == \
         Target::\"db2\" && !context.approved }};"
    );
    let sample = with_policy(&policies);
    let both = decide(sample.rules(), &alice(), &context(), &request("db-admin", &["db"]), Uuid::nil()).into_grant().unwrap_err();
    assert_eq!(both.missing(), [SecondFactor, Approval]);
    // Of all, what is permitted now is enough.
    assert_eq!(names(decided(&sample, &alice(), &request("db-admin", &[])).unwrap().targets()), ["db1"]);
}

#[test]
fn a_session_is_told_what_is_missing_too() {
    let sample = with_policy(&format!("{PERMIT} when {{ context has second_factor && context.second_factor.age_seconds < 60 }};"));
    let (role, target, bastion) = ("db-admin".parse().unwrap(), "db1".parse().unwrap(), "gate".parse().unwrap());
    let connect = |who: &Identity| may_connect(sample.rules(), who, &context(), &role, &target, &bastion, None);
    assert_eq!(connect(&with_factors(&[(Totp, 90)])).unwrap_err().missing(), [SecondFactor]);
    assert!(connect(&with_factors(&[(Totp, 30)])).is_ok());
}

#[test]
fn nothing_is_tried_that_no_policy_looks_at_and_never_more_than_seven_cases() {
    let asked = |second_factor, methods, approval| {
        let (remedies, count) = (slices::Remedies { second_factor, methods, approval }, Cell::new(0));
        let found = counterfactual::missing(remedies, &alice(), &context(), |_, _| {
            count.set(count.get() + 1);
            false
        });
        assert_eq!(found, (vec![], vec![]));
        count.get()
    };
    assert_eq!([asked(false, false, false), asked(false, false, true), asked(true, false, false)], [0, 1, 1]);
    assert_eq!([asked(true, false, true), asked(true, true, true)], [3, 7]);
}

#[test]
fn what_policies_look_at_is_known_by_role() {
    let sample = with_policy(
        "@id(\"a\") permit(principal, action, resource == Role::\"web\") when { context has second_factor };\n\
         @id(\"b\") permit(principal, action == Action::\"request\", resource == Role::\"db-admin\") when { context.approved };\n\
         @id(\"c\") permit(principal, action, resource == Role::\"db-tunnel\") when { context has second_factor && context.second_factor has touch };",
    );
    let remedies = |role: &str| sample.policy.slices.of_role(&role.parse().unwrap()).remedies;
    let known = |second_factor, methods, approval| slices::Remedies { second_factor, methods, approval };
    assert_eq!(remedies("web"), known(true, false, false));
    assert_eq!(remedies("db-admin"), known(false, false, true));
    assert_eq!(remedies("db-tunnel"), known(true, true, false));
    assert_eq!(remedies("other"), known(false, false, false));
}
