//! What a policy sees: from where, when, and how somebody proved who they are.

use super::*;
use crate::{
    device::{Device, Posture},
    identity::{Evidence, FactorMethod, Proof},
};

/// Whether a request from `context` by `who` meets `condition`.
fn meets(condition: &str, who: &Identity, context: &Context) -> bool {
    let permit = "@id(\"p\") permit(principal, action == Action::\"request\", resource) when";
    let sample = with_policy(&format!("{permit} {{ {condition} }};"));
    matches!(decide(sample.rules(), who, context, &request("web", &["web1"]), Uuid::nil()), Decision::Granted(_))
}

/// alice, of whom this is known.
fn with_evidence(change: impl FnOnce(&mut Evidence)) -> Identity {
    let mut who = alice();
    change(&mut who.evidence);
    who
}

#[test]
fn the_source_is_an_address_whatever_its_spelling() {
    let from = |address: &str| Context { source: address.parse().unwrap(), ..context() };
    let within = |network: &str, address: &str| meets(&format!("context.source.isInRange(ip(\"{network}\"))"), &alice(), &from(address));
    assert!(within("192.0.2.0/24", "192.0.2.9") && within("192.0.2.0/24", "::ffff:192.0.2.9"));
    assert!(!within("192.0.2.0/24", "192.0.3.9") && !within("192.0.2.0/24", "::192.0.2.9"));
    assert!(within("2001:db8::/32", "2001:db8::1") && !within("2001:db8::/32", "::1"));
    assert!(meets("context.source.isLoopback()", &alice(), &from("::1")));
}

#[test]
fn the_time_is_utc() {
    let at = |seconds: i64| Context { now: time::OffsetDateTime::from_unix_timestamp(seconds).unwrap(), ..context() };
    let noon = "context.now == datetime(\"2025-01-01T12:00:00Z\")";
    assert!(meets(noon, &alice(), &context()) && !meets(noon, &alice(), &at(1_735_732_801)));
    let offset = time::UtcOffset::from_hms(9, 0, 0).unwrap();
    assert!(meets(noon, &alice(), &Context { now: context().now.to_offset(offset), ..context() }));
    let office = "context.now.toTime() >= duration(\"9h\") && context.now.toTime() < duration(\"17h\")";
    assert!(meets(office, &alice(), &context()) && !meets(office, &alice(), &at(1_735_732_800 + 5 * 3600)));
}

#[test]
fn the_authentication_has_a_method_and_an_age() {
    assert!(meets("context.authentication.method == \"enrolled_key\"", &alice(), &context()));
    assert!(!meets("context.authentication.method == \"password\"", &alice(), &context()));
    let fresh = "context.authentication.age_seconds < 300";
    let proven = |seconds_ago: u64| with_evidence(|evidence| evidence.proven_at = context().unix_seconds() - seconds_ago);
    assert!(meets(fresh, &proven(299), &context()) && !meets(fresh, &proven(300), &context()));
}

#[test]
fn the_target_has_a_mode_and_groups() {
    for (condition, met) in [
        ("context.target.mode == \"passthrough\"", true),
        ("context.target.mode == \"record\"", false),
        ("context.target in TargetGroup::\"web\"", true),
        ("context.target in TargetGroup::\"all\"", true),
        ("context.target in TargetGroup::\"db\"", false),
        ("context.target == Target::\"web1\"", true),
    ] {
        assert_eq!(meets(condition, &alice(), &context()), met, "{condition}");
    }
}

#[test]
fn the_lifetime_is_the_one_that_would_be_granted() {
    let sample = with_policy("@id(\"p\") permit(principal, action == Action::\"request\", resource) when { context.ttl_seconds <= 600 };");
    let mut asked = request("web", &["web1"]);
    asked.ttl = Some("1h".parse().unwrap());
    // The role's ten minutes are what is asked about, not the hour.
    assert_eq!(decided(&sample, &alice(), &asked).unwrap().ttl().to_string(), "10m");
    let strict = with_policy("@id(\"p\") permit(principal, action == Action::\"request\", resource) when { context.ttl_seconds <= 60 };");
    refused(&strict, &alice(), &asked, Reason::PolicyDenied, "for 10m");
    asked.ttl = Some("1m".parse().unwrap());
    assert!(decided(&strict, &alice(), &asked).is_ok());
}

#[test]
fn what_is_not_known_is_absent_and_must_be_asked_for() {
    for attribute in ["country", "asn", "second_factor", "device", "client_version", "workload", "authentication.issuer"] {
        let has = format!("context has {attribute}");
        assert!(!meets(&has, &alice(), &context()) && meets(&format!("!({has})"), &alice(), &context()), "{attribute}");
    }
    for unguarded in [
        "context.country == \"DE\"",
        "context.second_factor.age_seconds < 300",
        "context has second_factor && context.second_factor.totp.age_seconds < 300",
        "context.device.enrolled",
        "context has workload && context.workload.getTag(\"ref\") == \"main\"",
    ] {
        let text = format!("@id(\"p\") permit(principal, action == Action::\"request\", resource) when {{ {unguarded} }};");
        let refused = Policy::parse(&[PolicySource { name: "p.cedar".to_owned(), text }]);
        assert!(refused.is_err(), "{unguarded}");
    }
}

#[test]
fn a_place_is_its_networks_its_country_and_who_announces_it() {
    let office: crate::name::NetworkName = "office".parse().unwrap();
    let place = Context { networks: BTreeSet::from([office]), country: Some("DE".parse().unwrap()), asn: Some(64_496), ..context() };
    let elsewhere = Context { networks: BTreeSet::new(), country: Some("FR".parse().unwrap()), asn: Some(64_497), ..place.clone() };
    for condition in [
        "context.networks.contains(Network::\"office\")",
        "context has country && [\"DE\", \"AT\"].contains(context.country)",
        "context has asn && context.asn == 64496",
    ] {
        assert!(meets(condition, &alice(), &place), "{condition}");
        assert!(!meets(condition, &alice(), &elsewhere) && !meets(condition, &alice(), &context()), "{condition}");
    }
}

#[test]
fn second_factors_have_a_method_and_an_age_each() {
    let now = context().unix_seconds();
    let who = with_evidence(|evidence| evidence.factors = [(FactorMethod::Totp, now - 400), (FactorMethod::Webauthn, now - 100)].into());
    for (condition, met) in [
        ("context has second_factor && context.second_factor.age_seconds == 100", true),
        ("context has second_factor.totp && context.second_factor.totp.age_seconds == 400", true),
        ("context has second_factor.webauthn && context.second_factor.webauthn.age_seconds < 100", false),
        ("context has second_factor.touch", false),
    ] {
        assert_eq!(meets(condition, &who, &context()), met, "{condition}");
    }
}

#[test]
fn row_37_what_was_proven_in_the_future_is_never_fresh() {
    let now = context().unix_seconds();
    let fresh = "context.authentication.age_seconds < 300";
    let proven = |at: u64| with_evidence(|evidence| evidence.proven_at = at);
    assert!(meets(fresh, &proven(now + 60), &context()) && !meets(fresh, &proven(now + 61), &context()));
    assert!(!meets("context.authentication.age_seconds < 0", &proven(now + 1), &context()));
}

#[test]
fn a_device_is_what_the_ca_knows_and_what_it_says_of_itself() {
    let now = context().unix_seconds();
    let posture = Posture {
        reported_at: now - 60,
        disk_encrypted: Some(true),
        os: Some("linux".to_owned()),
        os_version: Some("6.12".parse().unwrap()),
        ..Posture::default()
    };
    let device = Device {
        id: "laptop-7".parse().unwrap(),
        enrolled: true,
        owner: Some("alice".parse().unwrap()),
        last_seen: None,
        posture: Some(posture),
    };
    let who = with_evidence(|evidence| {
        evidence.device = Some(device);
        evidence.client_version = Some("1.2".parse().unwrap());
    });
    for (condition, met) in [
        ("context has device && context.device.enrolled && context.device.id == \"laptop-7\"", true),
        ("context has device.owner && context.device.owner == principal", true),
        ("context has device.last_seen_age_seconds", false),
        ("context has device.self_reported.disk_encrypted && context.device.self_reported.disk_encrypted", true),
        ("context has device.self_reported.firewall", false),
        ("context has device.self_reported.os_version && context.device.self_reported.os_version.minor >= 12", true),
        ("context has client_version && (context.client_version.major > 1 || context.client_version.minor >= 2)", true),
    ] {
        assert_eq!(meets(condition, &who, &context()), met, "{condition}");
    }
}

#[test]
fn a_workload_shows_the_claims_of_its_token() {
    let mut ci = with_evidence(|evidence| evidence.claims = [("repository_id".to_owned(), "1296269".to_owned())].into());
    ci.subject = "machine:ci".parse().unwrap();
    let claim = |name: &str, value: &str| {
        format!("context has workload && context.workload.hasTag(\"{name}\") && context.workload.getTag(\"{name}\") == \"{value}\"")
    };
    assert!(meets(&claim("repository_id", "1296269"), &ci, &context()));
    assert!(!meets(&claim("repository_id", "1296270"), &ci, &context()) && !meets(&claim("ref", "main"), &ci, &context()));
}

#[test]
fn a_sign_in_tells_who_vouches_for_it() {
    let proof =
        Proof::SignIn { issuer: "https://id.example.org".to_owned(), subject: "8c1e".to_owned(), fingerprint: "SHA256:key".to_owned() };
    let who = with_evidence(|evidence| evidence.proof = proof);
    let condition = "context.authentication.method == \"sign_in\" && context.authentication has issuer && context.authentication.issuer == \"https://id.example.org\"";
    assert!(meets(condition, &who, &context()) && !meets(condition, &alice(), &context()));
}

#[test]
fn the_hour_is_that_of_the_role() {
    let role = |zone: &str| {
        let mut sample = with_role(&format!("{DB_ADMIN}{zone}"));
        sample.policy = policy(
            "@id(\"p\") permit(principal, action == Action::\"request\", resource) when { context.local.hour == 13 && context.local.minute == 0 && \
             context.local.weekday == 3 };",
        );
        decided(&sample, &alice(), &request("r", &["db1"])).is_ok()
    };
    assert!(role("time_zone = \"Europe/Berlin\"") && !role("time_zone = \"UTC\"") && !role(""));
}

/// Decisions hand Cedar no more than policies look at, and so cannot have it checked each time.
#[test]
fn the_facts_fit_the_schema_whether_all_or_nothing_is_known() {
    let words = schema::vocabulary().unwrap();
    let now = context().unix_seconds();
    let posture = Posture {
        reported_at: now,
        disk_encrypted: Some(true),
        os: Some("linux".to_owned()),
        os_version: Some("6.12".parse().unwrap()),
        screen_lock: Some(true),
        firewall: Some(false),
    };
    let everything = with_evidence(|evidence| {
        let (issuer, subject) = ("https://id.example.org".to_owned(), "8c1e".to_owned());
        *evidence = Evidence {
            factors: FactorMethod::ALL.map(|method| (method, now)).into(),
            device: Some(Device {
                id: "laptop-7".parse().unwrap(),
                enrolled: true,
                owner: Some("alice".parse().unwrap()),
                last_seen: Some(now),
                posture: Some(posture),
            }),
            client_version: Some("1.2.3".parse().unwrap()),
            claims: [("ref".to_owned(), "main".to_owned())].into(),
            ..Evidence::new(Proof::SignIn { issuer, subject, fingerprint: "SHA256:key".to_owned() }, now)
        };
    });
    let somewhere =
        Context { networks: ["office".parse().unwrap()].into(), country: Some("DE".parse().unwrap()), asn: Some(1), ..context() };
    let sample = Sample::new();
    let (role, target) = (sample.roles.get("web").unwrap(), sample.inventory.get("web1").unwrap());
    for (who, context) in [(&everything, &somewhere), (&alice(), &context())] {
        let shared = facts::conditions(words, who, context);
        let of_role = shared.clone().into_iter().chain(facts::of_role(role, context));
        let of_request: facts::Facts = of_role.chain(facts::of_request(words, who, context)).collect();
        let target = facts::Fact::Entity(schema::uid(&words.target, target.name.as_str()));
        let bastion = facts::Fact::Entity(schema::uid(&words.bastion, "gate"));
        let own: [(&str, facts::Facts); 2] = [
            ("request", [("target", target.clone()), ("ttl_seconds", facts::Fact::Number(300))].into()),
            ("connect", [("target", target), ("bastion", bastion), ("account", facts::Fact::Text("deploy".to_owned()))].into()),
        ];
        for (action, own) in own {
            let all: facts::Facts = of_request.clone().into_iter().chain(own).collect();
            let pairs = facts::pairs(&all, |_| true).unwrap();
            let context = cedar_policy::Context::from_pairs(pairs).unwrap();
            let (principal, resource) = (schema::uid(&words.person, "alice"), schema::uid(&words.role, "web"));
            let schema = Some(words.validator.schema());
            let request = cedar_policy::Request::new(principal, words.action(action), resource, context, schema);
            assert!(request.is_ok(), "{action}: {request:?}");
        }
    }
}
