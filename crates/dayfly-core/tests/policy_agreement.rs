//! Decisions beside plain Cedar: generated policies, people and conditions, judged by `decide` and `may_connect`, and by Cedar's own authorizer with all
//! policies, the schema, and the facts written out as JSON by this file. Whatever is said to be missing is then brought, and must make it a yes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use cedar_policy::{Authorizer, Decision as Plain, Entities, EntityUid, PolicySet, Request, Schema};
use dayfly_core::{
    context::Context,
    decision::Decision,
    device::{Device, Posture, Version},
    identity::{FactorMethod, Identity, Proof},
    name::RoleName,
    policy::{self, Policy, PolicySource, SCHEMA, sample},
    reason::{Missing, Reason, Refusal},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::LazyLock};
use uuid::Uuid;

#[path = "policy_agreement/generated.rs"]
mod generated;
use generated::{case, policies};

static SCHEMA_OF_OURS: LazyLock<Schema> = LazyLock::new(|| SCHEMA.parse().unwrap());

/// Who asks for what, from where and when.
#[derive(Debug, Clone)]
pub struct Case {
    identity: Identity,
    context: Context,
    role: &'static str,
    target: &'static str,
    is_session: bool,
}

/// What an answer comes to.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Yes(BTreeSet<String>),
    Forbidden(BTreeSet<String>),
    Denied,
    /// Some policy cannot be evaluated.
    Error,
}

/// Checking a policy against the schema takes longer than many decisions, so that each set of policies is asked about many times.
const CASES_OF_A_SET: usize = 16;

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn row_19_decide_says_what_plain_cedar_says(texts in policies(), cases in vec(case(), CASES_OF_A_SET)) {
        let kept = valid(&texts);
        let sample = sample::Sample { policy: parsed(&kept).unwrap(), ..sample::Sample::new() };
        let plain = PolicySet::from_policies(kept.iter().map(|(id, text)| {
            cedar_policy::Policy::parse(Some(cedar_policy::PolicyId::new(id)), text).unwrap()
        })).unwrap();
        for case in cases {
            agree(&sample, &plain, &case).map_err(|error| TestCaseError::fail(format!("{error}\n{kept:#?}\n{case:#?}")))?;
        }
    }
}

fn agree(sample: &sample::Sample, plain: &PolicySet, case: &Case) -> Result<(), TestCaseError> {
    let (ours, refusal) = by_us(sample, case);
    prop_assert_eq!(&ours, &by_cedar(plain, case));
    let Some(refusal) = refusal else { return Ok(()) };
    let missing = refusal.missing();
    let codes = [(Missing::SecondFactor, Reason::SecondFactorRequired), (Missing::Approval, Reason::ApprovalRequired)];
    prop_assert!(missing.first().is_none_or(|first| codes.contains(&(*first, refusal.reason))));
    // Every method that is said to do does, and where nothing is said to help nothing does.
    let ruling = refusal.ruling.as_deref().cloned().unwrap_or_default();
    for (method, approved) in every_remedy() {
        let is_enough = matches!(by_cedar(plain, &with(case, method, approved)), Answer::Yes(_));
        let is_said = !missing.is_empty()
            && missing.contains(&Missing::SecondFactor) == method.is_some()
            && missing.contains(&Missing::Approval) == approved
            && method.is_none_or(|method| ruling.methods.contains(&method));
        if is_said {
            prop_assert!(is_enough, "{method:?} {approved} does not do: {refusal:?}");
        }
        if missing.is_empty() && ours != Answer::Error {
            prop_assert!(!is_enough, "{method:?} {approved} would do: {refusal:?}");
        }
    }
    Ok(())
}

/// That agreement is not agreement on one answer alone.
#[test]
fn the_generated_cases_come_out_in_every_way() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut seen = [0; 6];
    for _ in 0..32 {
        let (texts, cases) = (policies(), vec(case(), CASES_OF_A_SET)).new_tree(&mut runner).unwrap().current();
        let sample = sample::Sample { policy: parsed(&valid(&texts)).unwrap(), ..sample::Sample::new() };
        for case in cases {
            let (answer, refusal) = by_us(&sample, &case);
            let kind = match (answer, refusal.as_ref().map_or(&[][..], |refusal| refusal.missing())) {
                (Answer::Yes(_), _) => 0,
                (Answer::Error, _) => 1,
                (_, [Missing::SecondFactor]) => 2,
                (_, [Missing::Approval]) => 3,
                (_, [_, _]) => 4,
                _ => 5,
            };
            seen[kind] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

/// Those that pass the check that is made of every policy before it is used, by id.
fn valid(texts: &[String]) -> Vec<(String, String)> {
    let numbered: Vec<(String, String)> = texts.iter().enumerate().map(|(number, text)| (format!("p{number}"), text.clone())).collect();
    if parsed(&numbered).is_some() {
        return numbered;
    }
    numbered.into_iter().filter(|one| parsed(std::slice::from_ref(one)).is_some()).collect()
}

fn parsed(policies: &[(String, String)]) -> Option<Policy> {
    let text = policies.iter().map(|(id, text)| format!("@id(\"{id}\")\n{text}\n")).collect();
    Policy::parse(&[PolicySource { name: "generated.cedar".to_owned(), text }]).ok()
}

fn by_us(sample: &sample::Sample, case: &Case) -> (Answer, Option<Refusal>) {
    let result = if case.is_session {
        let (role, target, bastion): (RoleName, _, _) = (case.role.parse().unwrap(), case.target.parse().unwrap(), "gate".parse().unwrap());
        let account = "deploy".parse().unwrap();
        policy::may_connect(sample.rules(), &case.identity, &case.context, &role, &target, &bastion, Some(&account))
    } else {
        let request = sample::request(case.role, &[case.target]);
        let decision = policy::decide(sample.rules(), &case.identity, &case.context, &request, Uuid::nil());
        let is_missing = matches!(decision, Decision::Missing(_));
        let answer = decision.into_grant().map(|grant| grant.explanation().clone());
        assert_eq!(is_missing, answer.as_ref().is_err_and(|refusal| !refusal.missing().is_empty()));
        answer
    };
    match result {
        Ok(explanation) => (Answer::Yes(explanation.policies), None),
        Err(refusal) if refusal.reason == Reason::PolicyError => (Answer::Error, Some(refusal)),
        Err(refusal) => {
            let forbids: BTreeSet<String> = match refusal.message.contains(" forbid") {
                true => refusal.ruling.as_deref().unwrap().policies.iter().cloned().collect(),
                false => BTreeSet::new(),
            };
            (if forbids.is_empty() { Answer::Denied } else { Answer::Forbidden(forbids) }, Some(refusal))
        }
    }
}

/// All policies, nothing sliced, every entity and attribute from JSON and checked against the schema.
fn by_cedar(policies: &PolicySet, case: &Case) -> Answer {
    let schema = &*SCHEMA_OF_OURS;
    let action: EntityUid = format!("Action::\"{}\"", if case.is_session { "connect" } else { "request" }).parse().unwrap();
    let context = cedar_policy::Context::from_json_value(context(case), Some((schema, &action))).unwrap();
    let uid = |text: String| text.parse::<EntityUid>().unwrap();
    let who = &case.identity.subject;
    let kind = if who.to_string().starts_with("machine:") { "Machine" } else { "Person" };
    let principal = uid(format!("{kind}::\"{}\"", who.name()));
    let request = Request::new(principal, action, uid(format!("Role::\"{}\"", case.role)), context, Some(schema)).unwrap();
    let entities = Entities::from_json_value(entities(case, kind), Some(schema)).unwrap();
    let response = Authorizer::new().is_authorized(&request, policies, &entities);
    let reasons = response.diagnostics().reason().map(ToString::to_string).collect();
    match (response.diagnostics().errors().count(), response.decision()) {
        (1.., _) => Answer::Error,
        (0, Plain::Allow) => Answer::Yes(reasons),
        (0, Plain::Deny) if reasons.is_empty() => Answer::Denied,
        (0, Plain::Deny) => Answer::Forbidden(reasons),
    }
}

fn entities(case: &Case, kind: &str) -> Value {
    let group = |name: &str| json!({"type": "TargetGroup", "id": name});
    let target = |name: &str, groups: &[&str], mode: &str| {
        let parents: Vec<Value> = groups.iter().map(|name| group(name)).collect();
        json!({"uid": {"type": "Target", "id": name}, "attrs": {"mode": mode}, "parents": parents})
    };
    let member_of = |name: &str| json!({"uid": group(name), "attrs": {}, "parents": [group("all")]});
    let groups: Vec<Value> = case.identity.groups.iter().map(|name| json!({"type": "Group", "id": name})).collect();
    let mut entities = vec![
        json!({"uid": {"type": kind, "id": case.identity.subject.name()}, "attrs": {}, "parents": groups}),
        target("db1", &["db", "all"], "record"),
        target("db2", &["db", "all"], "record"),
        target("web1", &["web", "all"], "passthrough"),
        member_of("db"),
        member_of("web"),
    ];
    let claims = &case.identity.evidence.claims;
    if !claims.is_empty() {
        entities.push(json!({"uid": {"type": "Workload", "id": "claims"}, "attrs": {}, "parents": [], "tags": claims}));
    }
    Value::Array(entities)
}

/// The context as `docs/conditions.md` describes it.
fn context(case: &Case) -> Value {
    let (now, evidence) = (case.context.unix_seconds(), &case.identity.evidence);
    let utc = case.context.now;
    let mut context = Map::new();
    let mut put = |name: &str, value: Value| context.insert(name.to_owned(), value);
    put("target", json!({"__entity": {"type": "Target", "id": case.target}}));
    match case.is_session {
        true => {
            put("bastion", json!({"__entity": {"type": "Bastion", "id": "gate"}}));
            put("account", json!("deploy"));
        }
        false => {
            put("ttl_seconds", json!(if case.role == "web" { 600 } else { 300 }));
        }
    }
    put("source", json!({"__extn": {"fn": "ip", "arg": case.context.source.to_string()}}));
    let networks: Vec<Value> = case.context.networks.iter().map(|name| json!({"__entity": {"type": "Network", "id": name}})).collect();
    put("networks", json!(networks));
    put(
        "now",
        json!({"__extn": {"fn": "datetime", "arg": format!("{}T{:02}:{:02}:{:02}Z", utc.date(), utc.hour(), utc.minute(), utc.second())}}),
    );
    put("local", json!({"hour": utc.hour(), "minute": utc.minute(), "weekday": utc.weekday().number_from_monday()}));
    put("approved", json!(case.context.approved));
    if let Some(country) = case.context.country {
        put("country", json!(country.as_str()));
    }
    if let Some(asn) = case.context.asn {
        put("asn", json!(asn));
    }
    let mut authentication = json!({"method": evidence.proof.method(), "age_seconds": now - evidence.proven_at});
    if let Proof::SignIn { issuer, subject, .. } = &evidence.proof {
        authentication["issuer"] = json!(issuer);
        authentication["subject"] = json!(subject);
    }
    put("authentication", authentication);
    if let Some(newest) = evidence.factors.values().max() {
        let mut factor = json!({"age_seconds": now - newest});
        for (method, proven_at) in &evidence.factors {
            factor[method.as_str()] = json!({"age_seconds": now - proven_at});
        }
        put("second_factor", factor);
    }
    if let Some(known) = &evidence.device {
        put("device", device(known, now));
    }
    if let Some(told) = evidence.client_version {
        put("client_version", version(told));
    }
    if !evidence.claims.is_empty() {
        put("workload", json!({"__entity": {"type": "Workload", "id": "claims"}}));
    }
    Value::Object(context)
}

fn device(device: &Device, now: u64) -> Value {
    let mut written = json!({"id": device.id, "enrolled": device.enrolled});
    if let Some(owner) = &device.owner {
        written["owner"] = json!({"__entity": {"type": "Person", "id": owner}});
    }
    if let Some(seen) = device.last_seen {
        written["last_seen_age_seconds"] = json!(now - seen);
    }
    if let Some(Posture { reported_at, disk_encrypted, os, os_version, screen_lock, firewall }) = &device.posture {
        let mut told = json!({"age_seconds": now - reported_at});
        for (name, value) in [("disk_encrypted", disk_encrypted), ("screen_lock", screen_lock), ("firewall", firewall)] {
            if let Some(value) = value {
                told[name] = json!(value);
            }
        }
        if let Some(os) = os {
            told["os"] = json!(os);
        }
        if let Some(os_version) = os_version {
            told["os_version"] = version(*os_version);
        }
        written["self_reported"] = told;
    }
    written
}

fn version(version: Version) -> Value {
    json!({"major": version.major, "minor": version.minor, "patch": version.patch})
}

/// Everything that a person could bring, and bring together.
fn every_remedy() -> impl Iterator<Item = (Option<FactorMethod>, bool)> {
    let methods = FactorMethod::ALL.into_iter().map(Some).chain([None]);
    methods.flat_map(|method| [(method, false), (method, true)])
}

/// The case with that brought.
fn with(case: &Case, method: Option<FactorMethod>, approved: bool) -> Case {
    let mut case = case.clone();
    case.identity.evidence.factors.extend(method.map(|method| (method, case.context.unix_seconds())));
    case.context.approved |= approved;
    case
}
