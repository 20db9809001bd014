use super::*;
use crate::policy::{DEFAULT_POLICY, sample};

fn source(name: &str, text: &str) -> PolicySource {
    PolicySource { name: name.to_owned(), text: text.to_owned() }
}

/// The lines at which a file has mistakes, and what is said about each.
fn mistakes(text: &str) -> Vec<(usize, String)> {
    let errors = Policy::parse(&[source("a.cedar", text)]).unwrap_err();
    errors.into_iter().map(|error| (error.line, format!("{}: {}", error.cause, error.remedy))).collect()
}

#[track_caller]
fn one_mistake(text: &str, line: usize, says: &str) {
    let found = mistakes(text);
    assert!(matches!(found.as_slice(), [(at, message)] if *at == line && message.contains(says)), "{found:?}");
}

#[test]
fn a_syntax_error_names_its_line() {
    one_mistake("@id(\"a\")\npermit(principal, action,\n  resource;\n", 3, "unexpected token");
}

#[test]
fn every_statement_needs_an_id_that_is_a_name() {
    let review = "permit(principal, action == Action::\"review\", resource);";
    one_mistake(&format!("// A comment; with {review}\n\n@id(\"a\")\n{review}\n// More\n{review}"), 6, "no @id");
    one_mistake(&format!("\n@id(\"not a name\")\n{review}"), 2, "not a name");
    one_mistake(&format!("@id\n{review}"), 1, "not a name");
}

#[test]
fn an_id_is_used_once_in_all_files() {
    let statement = "\n@id(\"a\")\nforbid(principal, action, resource);";
    let errors = Policy::parse(&[source("a.cedar", statement), source("b.cedar", &format!("\n{statement}"))]).unwrap_err();
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!((error.file.as_str(), error.line), ("b.cedar", 3));
    assert!(error.cause.contains("a.cedar:2"), "{error}");
    assert_eq!(error.to_string(), format!("b.cedar:3: {}: {}", error.cause, error.remedy));
}

#[test]
fn what_does_not_fit_the_schema_is_refused_at_its_line() {
    let when =
        |condition: &str| format!("@id(\"a\")\npermit(principal, action == Action::\"request\", resource)\nwhen {{\n  {condition}\n}};");
    one_mistake(&when("context.targt.mode == \"record\""), 4, "targt");
    one_mistake(&when("context.target.mode == 1"), 4, "compat");
    one_mistake(&when("context.bastion == Bastion::\"gate\""), 4, "bastion");
    one_mistake(&when("principal in Grup::\"dba\""), 4, "Grup");
    assert!(!mistakes("@id(\"a\")\npermit(principal, action == Action::\"reqest\", resource);").is_empty());
}

#[test]
fn a_statement_that_can_never_apply_is_refused() {
    for scope in [
        "principal is Machine, action == Action::\"review\", resource",
        "principal, action == Action::\"review\", resource == Role::\"web\"",
    ] {
        let found = mistakes(&format!("\n@id(\"a\")\nforbid({scope});"));
        assert!(found.iter().any(|(_, says)| says.starts_with("policy is impossible")), "{found:?}");
        assert!(found.iter().all(|(line, _)| *line == 2), "{found:?}");
    }
}

#[test]
fn a_template_is_refused() {
    one_mistake(
        "@id(\"a\")\nforbid(principal, action, resource);\n\n@id(\"b\")\npermit(principal == ?principal, action == Action::\"review\", resource);",
        4,
        "template",
    );
}

#[test]
fn all_mistakes_of_all_files_are_found_at_once() {
    let first = "permit(principal, action == Action::\"review\", resource);\n@id(\"A\")\nforbid(principal, action, resource);";
    let errors = Policy::parse(&[source("a.cedar", first), source("b.cedar", "permit")]).unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| (error.file.as_str(), error.line)).collect();
    assert_eq!(places, [("a.cedar", 1), ("a.cedar", 2), ("b.cedar", 1)]);
}

#[test]
fn names_that_nobody_defined_are_found_at_their_lines() {
    let text = "@id(\"a\")\npermit(\n  principal in Group::\"anybody\",\n  action == Action::\"request\",\n  resource == Role::\"db-admn\"\n)\n\
                when { context.target in TargetGroup::\"db\" ||\n  context.target == Target::\"db3\" ||\n  context.target in TargetGroup::\"wbe\" ||\n  context.networks.contains(Network::\"ofice\") };\n\
                @id(\"b\") permit(principal, action == Action::\"review\", resource in TargetGroup::\"all\");\n\
                @id(\"c\") permit(principal, action == Action::\"review\", resource == Target::\"db1\");";
    let sample = sample::Sample::new();
    let unknown = sample::policy(text).unknown_names(&sample.roles, Some(&sample.inventory), &Default::default());
    let mut found: Vec<_> = unknown.iter().map(|error| (error.line, error.cause.as_str())).collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            (5, "Role::\"db-admn\" does not exist"),
            (8, "Target::\"db3\" does not exist"),
            (9, "TargetGroup::\"wbe\" does not exist"),
            (10, "Network::\"ofice\" does not exist")
        ]
    );
    assert!(sample.policy.unknown_names(&sample.roles, Some(&sample.inventory), &Default::default()).is_empty());
}

#[test]
fn ids_come_in_the_order_of_the_files() {
    let many: String = (0..12).map(|n| format!("@id(\"n{n}\")\nforbid(principal, action, resource);\n")).collect();
    let policy =
        Policy::parse(&[source("a.cedar", &many), source("b.cedar", "@id(\"last\") forbid(principal, action, resource);")]).unwrap();
    let expected: Vec<String> = (0..12).map(|n| format!("n{n}")).chain(["last".to_owned()]).collect();
    assert_eq!(policy.ids().collect::<Vec<_>>(), expected);
}

#[test]
fn the_default_policy_permits_nothing_and_its_examples_are_right() {
    let parsed = Policy::parse(&[source("default.cedar", DEFAULT_POLICY)]).unwrap();
    assert_eq!(parsed.ids().count(), 0);
    // Prose has one space after the slashes, examples have none, or their own indentation of two.
    let is_prose = |line: &str| line.starts_with("// ") && !line.starts_with("//  ");
    let examples: Vec<&str> =
        DEFAULT_POLICY.lines().filter(|line| !is_prose(line)).map(|line| line.strip_prefix("//").unwrap_or(line)).collect();
    let policy = Policy::parse(&[source("default.cedar", &examples.join("\n"))]).unwrap();
    assert_eq!(
        policy.ids().collect::<Vec<_>>(),
        ["dba-may-use-db-admin", "ci-deploys-to-web", "unrecorded-targets-ten-minutes", "reviewers-see-everything"]
    );
}

#[test]
fn a_country_that_is_none_is_a_mistake() {
    let text = "@id(\"a\")\nforbid(principal, action == Action::\"request\", resource)\nwhen { context has country && (\n  context.country == \"de\" ||\n  \
                \"DE\" == context.country ||\n  [\"AT\", \"Germany\"].contains(context.country)) };";
    let sample = sample::Sample::new();
    let unknown = sample::policy(text).unknown_names(&sample.roles, Some(&sample.inventory), &Default::default());
    let found: Vec<_> = unknown.iter().map(|error| (error.line, error.cause.as_str())).collect();
    assert_eq!(found, [(6, "\"Germany\" is not a country's code"), (4, "\"de\" is not a country's code")]);
}
