//! Policies that look at every attribute there is, and people and conditions for them.

use super::*;
use dayfly_core::identity::Evidence;
use proptest::{
    collection::vec,
    option,
    sample::{select, subsequence},
};
use std::net::IpAddr;

/// What a policy can ask. Each passes the check by itself; the last can never be evaluated.
const ATOMS: &[&str] = &[
    "context.networks.contains(Network::\"office\")",
    "context.networks.containsAny([Network::\"office\", Network::\"home\"])",
    "context has country && [\"DE\", \"AT\"].contains(context.country)",
    "context has asn && context.asn < 64500",
    "context.local.hour >= 9",
    "context.local.weekday <= 5 && context.local.minute < 30",
    "context.now < datetime(\"2025-01-03T00:00:00Z\")",
    "context.source.isInRange(ip(\"192.0.2.0/24\"))",
    "context.source.isIpv6()",
    "context.authentication.age_seconds < 3600",
    "context.authentication.method == \"enrolled_key\"",
    "context.authentication has issuer && context.authentication.issuer == \"https://id.example.org\"",
    "context has second_factor",
    "context has second_factor && context.second_factor.age_seconds < 300",
    "context has second_factor.webauthn && context.second_factor.webauthn.age_seconds < 300",
    "context has second_factor && (context.second_factor has totp || context.second_factor has touch)",
    "context has second_factor && !(context.second_factor has totp)",
    "context.approved",
    "context.approved",
    "context.approved",
    "context.approved && context has second_factor && context.second_factor.age_seconds < 60",
    "context.approved && context has second_factor.touch && context.second_factor.touch.age_seconds < 60",
    "context has device && context.device.enrolled",
    "context has device.owner && context.device.owner == Person::\"alice\"",
    "context has device.last_seen_age_seconds && context.device.last_seen_age_seconds < 86400",
    "context has device.self_reported.disk_encrypted && context.device.self_reported.disk_encrypted",
    "context has device.self_reported.os_version && context.device.self_reported.os_version.major >= 14",
    "context has device.self_reported.os && context.device.self_reported.os like \"lin*\"",
    "context has client_version && (context.client_version.major > 1 || context.client_version.minor > 2)",
    "context has workload && context.workload.hasTag(\"ref\") && context.workload.getTag(\"ref\") == \"main\"",
    "context.target == Target::\"db1\"",
    "context.target in TargetGroup::\"db\"",
    "context.target.mode == \"passthrough\"",
    "principal in Group::\"dba\"",
    "principal is Machine",
    "Target::\"web1\" in TargetGroup::\"web\"",
    "resource == Role::\"web\"",
    "true",
    "if context.approved then 1 * 9223372036854775807 > 0 else context.local.hour * 9223372036854775807 > 0",
];

const PRINCIPALS: &[&str] = &[
    "principal",
    "principal",
    "principal",
    "principal",
    "principal in Group::\"dba\"",
    "principal in Group::\"developers\"",
    "principal is Person",
    "principal is Machine",
    "principal is Person in Group::\"dba\"",
    "principal == Person::\"alice\"",
    "principal == Machine::\"ci\"",
    "principal in Person::\"bob\"",
];

const ACTIONS: &[&str] =
    &["action == Action::\"request\"", "action == Action::\"connect\"", "action in [Action::\"request\", Action::\"connect\"]"];

const RESOURCES: &[&str] = &[
    "resource",
    "resource",
    "resource",
    "resource",
    "resource is Role",
    "resource == Role::\"db-admin\"",
    "resource in Role::\"db-admin\"",
    "resource is Role in Role::\"web\"",
    "resource == Role::\"web\"",
];

/// A handful of policies. Not all of them pass the check: a condition on a session's action may speak of what only a request has.
pub(super) fn policies() -> impl Strategy<Value = Vec<String>> {
    vec(statement(), 1..8)
}

fn statement() -> impl Strategy<Value = String> {
    let scope = (select(&["permit", "permit", "forbid"][..]), select(PRINCIPALS), select(ACTIONS), select(RESOURCES));
    (scope, option::weighted(0.8, condition()), option::weighted(0.2, condition())).prop_map(
        |((effect, principal, action, resource), when, unless)| {
            let when = when.map(|condition| format!(" when {{ {condition} }}")).unwrap_or_default();
            let unless = unless.map(|condition| format!(" unless {{ {condition} }}")).unwrap_or_default();
            format!("{effect} ({principal}, {action}, {resource}){when}{unless};")
        },
    )
}

fn condition() -> impl Strategy<Value = String> {
    select(ATOMS).prop_map(|atom| format!("({atom})")).prop_recursive(3, 8, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(left, right)| format!("({left} && {right})")),
            two.prop_map(|(left, right)| format!("({left} || {right})")),
            inner.clone().prop_map(|part| format!("(!{part})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
        ]
    })
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let asked = (select(&[("db-admin", "db1"), ("db-admin", "db2"), ("web", "web1"), ("db-tunnel", "db1")][..]), any::<bool>());
    (identity(), context(), asked).prop_map(|(identity, context, ((role, target), is_session))| Case {
        identity,
        context,
        role,
        target,
        is_session,
    })
}

fn identity() -> impl Strategy<Value = Identity> {
    let subject = select(&["alice", "bob", "machine:ci"][..]);
    let groups = subsequence(vec!["dba", "developers", "reviewers"], 0..=3);
    (subject, groups, evidence()).prop_map(|(subject, groups, evidence)| Identity { evidence, ..sample::identity(subject, &groups) })
}

/// How long ago things are, around the bounds that the policies have.
fn age() -> impl Strategy<Value = u64> {
    select(&[0, 60, 299, 300, 3599, 3600, 90_000][..])
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let factors = subsequence(FactorMethod::ALL.to_vec(), 0..=2);
    let proofs = (any::<bool>(), age());
    let claims = subsequence(vec![("ref", "main"), ("ref", "other"), ("repository_id", "7")], 0..=2);
    (proofs, factors, age(), option::of(device()), option::of((0_u32..3, 0_u32..5)), claims).prop_map(
        |((is_sign_in, proven), factors, ago, device, version, claims)| {
            let (now, fingerprint) = (sample::context().unix_seconds(), "SHA256:key".to_owned());
            let (issuer, subject) = ("https://id.example.org".to_owned(), "8c1e".to_owned());
            let proof = if is_sign_in { Proof::SignIn { issuer, subject, fingerprint } } else { Proof::EnrolledKey { fingerprint } };
            Evidence {
                factors: factors.iter().map(|method| (*method, now - ago)).collect(),
                device,
                client_version: version.map(|(major, minor)| Version { major, minor, patch: 0 }),
                claims: claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
                ..Evidence::new(proof, now - proven)
            }
        },
    )
}

fn device() -> impl Strategy<Value = Device> {
    let known = (any::<bool>(), option::of(select(&["alice", "bob"][..])), option::of(age()));
    let told = (option::of(any::<bool>()), option::of(select(&["linux", "macos"][..])), option::of(13_u32..16), option::of(any::<bool>()));
    (known, option::of((age(), told))).prop_map(|((enrolled, owner, seen), posture)| {
        let now = sample::context().unix_seconds();
        Device {
            id: "laptop-7".parse().unwrap(),
            enrolled,
            owner: owner.map(|owner| owner.parse().unwrap()),
            last_seen: seen.map(|ago| now - ago),
            posture: posture.map(|(ago, (disk_encrypted, os, major, firewall))| Posture {
                reported_at: now - ago,
                disk_encrypted,
                os: os.map(str::to_owned),
                os_version: major.map(|major| Version { major, minor: 2, patch: 0 }),
                screen_lock: None,
                firewall,
            }),
        }
    })
}

fn context() -> impl Strategy<Value = Context> {
    let place = (
        select(&["192.0.2.7", "198.51.100.7", "2001:db8::1"][..]),
        subsequence(vec!["office", "home", "cafe"], 0..=3),
        option::of(select(&["DE", "AT", "FR"][..])),
        option::of(64_498_u32..64_502),
    );
    // Ages are counted from the sample's time, so that time only goes on.
    (place, 0_i64..300_000, any::<bool>()).prop_map(|((source, networks, country, asn), later, approved)| Context {
        networks: networks.into_iter().map(|name| name.parse().unwrap()).collect(),
        country: country.map(|country| country.parse().unwrap()),
        asn,
        approved,
        ..Context::new(sample::context().now + time::Duration::seconds(later), source.parse::<IpAddr>().unwrap())
    })
}
