//! What claims say: nested ones, and the groups in them.

use dayfly_core::name::GroupName;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The most groups that are taken from one token. A policy names a few.
const MOST_GROUPS: usize = 500;

/// The longest text of a provider's that is kept to be shown, in characters.
const LONGEST_SHOWN: usize = 128;

/// The claim of this name; parts of a nested one are joined by dots. A claim whose own name holds dots comes first.
pub fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut dots = name.match_indices('.');
    dots.find_map(|(at, _)| {
        let (outer, inner) = (name.get(..at)?, name.get(at + 1..)?);
        claim(claims.get(outer)?.as_object()?, inner)
    })
}

/// A claim as text, if it is one value: issuers write ids as texts or as numbers.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The groups at `name`. With a map, those that it knows; without, those whose name is one of a group here.
pub fn groups(claims: &Map<String, Value>, name: &str, map: Option<&BTreeMap<String, GroupName>>) -> BTreeSet<GroupName> {
    let said: Vec<&str> = match claim(claims, name) {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let ours = |group: &&str| match map {
        Some(map) => map.get(*group).cloned(),
        None => GroupName::new(*group).ok(),
    };
    said.iter().take(MOST_GROUPS).filter_map(ours).collect()
}

/// How the provider calls the person. It decides nothing; an address that was not verified is not shown.
pub fn shown(claims: &Map<String, Value>) -> Option<String> {
    let said = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let is_verified = matches!(claims.get("email_verified"), Some(Value::Bool(true))) || said("email_verified") == Some("true");
    let address = said("email").filter(|_| is_verified);
    // People often choose these themselves: what looks like an address is none.
    let chosen = |name| said(name).filter(|text| !text.contains('@'));
    let shown = address.or_else(|| chosen("preferred_username")).or_else(|| chosen("name"))?;
    let is_plain = |c: &char| c.is_alphanumeric() || " .,-_'@+".contains(*c);
    Some(shown.chars().filter(is_plain).take(LONGEST_SHOWN).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn nested_claims_are_found_and_what_is_not_there_is_not() {
        let claims = object(json!({
            "realm_access": {"roles": ["dba"]}, "https://example.org/roles": ["web"], "a.b": 1, "a": {"b": 2, "c.d": {"e": 3}}
        }));
        assert_eq!(claim(&claims, "realm_access.roles"), Some(&json!(["dba"])));
        assert_eq!(claim(&claims, "https://example.org/roles"), Some(&json!(["web"])));
        assert_eq!(claim(&claims, "a.b"), Some(&json!(1)), "a name of its own comes first");
        assert_eq!(claim(&claims, "a.c.d.e"), Some(&json!(3)));
        for absent in ["", ".", "realm_access", "realm_access.", "realm_access.roles.0", "b", "a.b.c"] {
            assert!(claim(&claims, absent).is_none_or(|value| absent == "realm_access" && value.is_object()), "{absent}");
        }
    }

    #[test]
    fn row_15_a_provider_gives_the_groups_that_it_is_let() {
        let claims = object(json!({"groups": ["idp-admins", "dba", "Not A Name", "-x", 7], "one": "dba"}));
        let names = |groups: BTreeSet<GroupName>| groups.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(groups(&claims, "groups", None)), ["dba", "idp-admins"]);
        let map = [("idp-admins".to_owned(), "reviewers".parse().unwrap())].into();
        assert_eq!(names(groups(&claims, "groups", Some(&map))), ["reviewers"], "what the map does not know is nothing");
        assert_eq!(names(groups(&claims, "one", None)), ["dba"]);
        assert!(groups(&claims, "none", None).is_empty());
        let many = object(json!({"groups": (0..10_000).map(|n| format!("g{n}")).collect::<Vec<_>>()}));
        assert_eq!(groups(&many, "groups", None).len(), MOST_GROUPS);
    }

    #[test]
    fn row_15_an_address_that_was_not_verified_is_not_shown() {
        let shown = |value| shown(&object(value));
        assert_eq!(shown(json!({"email": "a@example.org", "preferred_username": "a"})), Some("a".to_owned()));
        assert_eq!(shown(json!({"email": "a@example.org", "email_verified": false})), None);
        assert_eq!(shown(json!({"email": "a@example.org", "email_verified": true})), Some("a@example.org".to_owned()));
        assert_eq!(shown(json!({"name": "a\u{1b}[31m\n"})), Some("a31m".to_owned()));
        assert_eq!(
            shown(json!({"preferred_username": "alice@example.org", "name": "mallory\u{202e}\u{200b}"})),
            Some("mallory".to_owned())
        );
    }
}
