//! The schema by itself, and beside its documentation.

#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_built_in_schema_holds_every_word() {
    let vocabulary = vocabulary().unwrap();
    let schema = vocabulary.validator.schema();
    let Vocabulary { person, machine, group, role, target, target_group, bastion, network, workload, .. } = vocabulary;
    for entity_type in [person, machine, group, role, target, target_group, bastion, network, workload] {
        assert!(schema.entity_types().any(|known| known == entity_type), "{entity_type}");
    }
    let actions: Vec<_> = ACTIONS.map(|(name, _)| vocabulary.action(name)).into();
    assert!(actions.iter().all(|action| schema.actions().any(|known| known == action)));
    assert_eq!(schema.actions().count(), actions.len());
}

/// The actions, as the table of `docs/conditions.md` abbreviates them.
const ACTIONS: [(&str, &str); 5] = [("request", "R"), ("connect", "C"), ("approve", "A"), ("review", "V"), ("administer", "M")];

/// Type and actions of an attribute, by its path with the question mark of its last part.
type Attributes = BTreeMap<String, (String, BTreeSet<String>)>;

#[test]
fn the_table_of_conditions_and_the_schema_say_the_same() {
    let (written, schema) = (table(), schema());
    for (path, told) in &schema {
        assert_eq!(written.get(path), Some(told), "docs/conditions.md on {path}");
    }
    for path in written.keys() {
        assert!(schema.contains_key(path), "docs/conditions.md has {path}, and the schema has not");
    }
}

/// What `docs/conditions.md` says. Every cell of a row is filled in, but for values and sources that are plain from the row above.
fn table() -> Attributes {
    let page = include_str!("../../../../../docs/conditions.md");
    let rows = page.lines().filter(|line| line.starts_with("| `context."));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [path, kind, _, actions, _, absent] = cells.as_slice() else { unreachable!("six cells: {row}") };
        assert_eq!(path.contains("?`"), !absent.starts_with("never absent"), "{row}");
        let actions = actions.split(' ').map(str::to_owned).collect();
        (path.trim_matches('`').to_owned(), ((*kind).to_owned(), actions))
    })
    .collect()
}

/// What the schema says.
fn schema() -> Attributes {
    let schema = cedar_policy::SchemaFragment::from_cedarschema_str(SCHEMA).unwrap().0.to_json_value().unwrap();
    let types = &schema[""]["commonTypes"];
    let mut attributes = Attributes::new();
    for (action, letter) in ACTIONS {
        let context = &schema[""]["actions"][action]["appliesTo"]["context"];
        note(&mut attributes, "context", context, types, letter);
    }
    attributes
}

fn note(attributes: &mut Attributes, path: &str, record: &Value, types: &Value, action: &str) {
    for (name, attribute) in record["attributes"].as_object().unwrap() {
        let named = attribute["name"].as_str().unwrap_or_default();
        let resolved = if types[named].is_object() { &types[named] } else { attribute };
        let kind = match (resolved["type"].as_str().unwrap(), resolved["name"].as_str()) {
            ("Record", _) => "{…}".to_owned(),
            ("Set", _) => format!("Set of {}", resolved["element"]["name"].as_str().unwrap()),
            (_, Some(name)) => name.trim_start_matches("__cedar::").to_owned(),
            (kind, None) => kind.to_owned(),
        };
        let mark = if attribute["required"] == Value::Bool(false) { "?" } else { "" };
        let inner = format!("{path}.{name}");
        attributes.entry(format!("{inner}{mark}")).or_insert_with(|| (kind, BTreeSet::new())).1.insert(action.to_owned());
        if resolved["type"] == "Record" {
            note(attributes, &inner, resolved, types, action);
        }
    }
}
