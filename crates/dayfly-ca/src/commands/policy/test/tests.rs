//! Tables of cases, beside the example configuration and the example policies.

#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;
use tempfile::TempDir;

const CONFIG: &str = include_str!("../../../../../../ca-config.example.toml");
const EXAMPLE: &str = include_str!("../../../../../../policy-tests.example.toml");

/// The example configuration with the default policy's examples, or with these policies, and a file of cases.
fn written(policies: Option<&str>, cases: &str) -> (TempDir, PathBuf, PathBuf) {
    let examples: String = dayfly_core::policy::DEFAULT_POLICY
        .lines()
        .map(|line| line.strip_prefix("//").filter(|rest| !rest.starts_with(' ') || rest.starts_with("  ")).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("policy")).unwrap();
    fs::write(directory.path().join("policy/a.cedar"), policies.unwrap_or(&examples)).unwrap();
    let [config, file] = ["ca.toml", "cases.toml"].map(|name| directory.path().join(name));
    fs::write(&config, CONFIG).unwrap();
    fs::write(&file, cases).unwrap();
    (directory, config, file)
}

/// What a run prints, and whether it is content.
fn run(policies: Option<&str>, cases: &str, json: bool) -> (String, Result<(), String>) {
    let (_directory, config, file) = written(policies, cases);
    let mut out = Vec::new();
    let result = Test { file, json }.run(&config, &mut out).map_err(|error| format!("{error:#}"));
    (String::from_utf8(out).unwrap(), result)
}

#[test]
fn the_example_comes_out_as_expected_and_shows_every_key() {
    assert_eq!(run(None, EXAMPLE, false), ("6 of 6 cases as expected\n".to_owned(), Ok(())));
    let help = {
        use clap::Args;
        let command = Supposition::augment_args(clap::Command::new("why"));
        command.get_arguments().map(|argument| argument.get_id().to_string()).collect::<Vec<_>>()
    };
    for key in help.iter().map(|id| if id == "subject" { "as" } else { id }) {
        assert!(EXAMPLE.contains(&format!("\n{key} = ")), "the example does not show {key}");
    }
}

const FACTOR: &str = "@id(\"fresh\") @title(\"Databases want a second factor\") permit(principal in Group::\"dba\", action == Action::\"request\", \
                      resource == Role::\"db-admin\") when { context has second_factor && context.second_factor.age_seconds < 300 };";

fn case(more: &str) -> String {
    format!("\n[[case]]\nname = \"c\"\nas = \"alice\"\ngroups = [\"dba\"]\nrole = \"db-admin\"\ntarget = \"db1\"\n{more}\n")
}

#[test]
fn a_case_that_comes_out_otherwise_is_told_with_what_was_expected_what_came_and_why() {
    let cases = case("expect = \"granted\"") + &case("expect = \"granted\"\nfactors = [\"totp=1m\"]");
    let (told, result) = run(Some(FACTOR), &cases, false);
    assert_eq!(result, Err("1 of 2 cases did not come out as expected".to_owned()));
    for says in [
        "cases.toml:2: c: expected the answer granted, got missing",
        "missing: second_factor (by totp or webauthn or touch)",
        "permit fresh (Databases want a second factor): does not apply, since this does not hold: context has second_factor",
        "context.second_factor is absent",
        "a.cedar:1]",
    ] {
        assert!(told.contains(says), "{says:?} in {told}");
    }
}

#[test]
fn every_expectation_can_fail() {
    for (more, fails) in [
        ("expect = \"missing\"\nmissing = [\"second_factor\"]\npolicies = [\"fresh\"]\ncode = \"second_factor_required\"", false),
        ("expect = \"refused\"", true),
        ("expect = \"missing\"\nmissing = [\"approval\"]", true),
        ("expect = \"missing\"\nmissing = []", true),
        ("expect = \"missing\"\npolicies = [\"other\"]", true),
        ("expect = \"missing\"\ncode = \"policy_denied\"", true),
    ] {
        assert_eq!(run(Some(FACTOR), &case(more), false).1.is_err(), fails, "{more}");
    }
}

#[test]
fn programs_get_every_case() {
    let (told, result) = run(Some(FACTOR), &(case("expect = \"missing\"") + &case("expect = \"granted\"")), true);
    assert!(result.is_err());
    let outcomes: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&outcomes[0]["passed"], &outcomes[1]["passed"]), (&true.into(), &false.into()));
    assert_eq!(outcomes[1]["got"]["missing"][0], "second_factor");
    assert_eq!(outcomes[1]["got"]["targets"][0]["policies"][0]["facts"][0]["name"], "context.second_factor");
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_with_its_line() {
    for (cases, line, says) in [
        ("\n[[case]]\nname = \"c\"\n".to_owned(), 2, "missing field `expect`"),
        (case("expect = \"maybe\""), 2, "maybe"),
        (case("expect = \"granted\"\ncuntry = \"DE\""), 2, "cuntry"),
        (case("expect = \"granted\"\ncountry = \"Germany\""), 2, "two capital letters"),
        (case("expect = \"granted\"\nfactors = [\"sms=1m\"]"), 2, "totp, webauthn or touch"),
        (case("expect = \"granted\"\ncode = \"nonsense\""), 2, "no code"),
        (case("expect = \"granted\"\ndevice = [\"owner=alice\"]"), 2, "a device has an id"),
        (case("expect = \"granted\"\ndevice = [\"id=x\", \"colour=red\"]"), 2, "no fact of a device"),
        (case("expect = \"granted\"\nissuer = \"https://id.example.org\""), 2, "an enrolled key has no issuer"),
        ("case = 1\n".to_owned(), 1, "invalid type"),
        ("[[case]\n".to_owned(), 1, ""),
    ] {
        let error = run(Some(FACTOR), &cases, false).1.unwrap_err();
        assert!(error.contains(&format!("cases.toml:{line}: ")) && error.contains(says), "{says}: {error}");
    }
}
