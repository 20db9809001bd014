//! What a policy sees: from where, when, and how somebody proved who they are.

use super::*;

/// Whether a request from `context` by `who` meets `condition`.
fn meets(condition: &str, who: &Identity, context: &Context) -> bool {
    let permit = "@id(\"p\") permit(principal, action == Action::\"request\", resource) when";
    let sample = with_policy(&format!("{permit} {{ {condition} }};"));
    matches!(decide(sample.rules(), who, context, &request("web", &["web1"]), Uuid::nil()), Decision::Granted(_))
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
    let proven = |seconds_ago: u64| Identity { proven_at: context().unix_seconds() - seconds_ago, ..alice() };
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
