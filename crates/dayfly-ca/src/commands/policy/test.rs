//! `dayfly-ca policy test`: a table of expected decisions.

use super::supposition::Supposition;
use crate::{
    config::RuleBook,
    mistake::{Mistake, Mistakes},
};
use anyhow::bail;
use clap::Args;
use dayfly_api::decision::Decision;
use dayfly_core::reason::Reason;
use serde::{Deserialize, Serialize};
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use time::OffsetDateTime;
use toml::Spanned;

/// What to try.
#[derive(Debug, Args)]
pub struct Test {
    /// The cases, TOML: see policy-tests.example.toml
    file: PathBuf,
    /// Print JSON: an array of all cases
    #[arg(long)]
    json: bool,
}

/// A case as it was read.
struct Case {
    line: usize,
    expected: Expected,
    supposition: Supposition,
}

/// What is expected of a case. What is left out may be anything.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    name: String,
    expect: Answer,
    #[serde(default)]
    code: Option<Code>,
    #[serde(default)]
    missing: Option<Vec<String>>,
    #[serde(default)]
    policies: Option<Vec<String>>,
}

/// The keys of [`Expected`]; every other key of a case supposes something.
const EXPECTED: [&str; 5] = ["name", "expect", "code", "missing", "policies"];

/// The answers that can be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Granted,
    Missing,
    Refused,
}

/// A reason's stable code, one that there is.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Code(Reason);

/// What became of a case.
#[derive(Serialize)]
struct Outcome {
    name: String,
    line: usize,
    passed: bool,
    /// What was expected otherwise, a sentence each.
    differences: Vec<String>,
    got: Decision,
}

impl Test {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let book = crate::commands::rules(config)?;
        let now = OffsetDateTime::now_utc();
        let outcomes = read(&self.file)?.iter().map(|case| case.run(&book, now, &self.file)).collect::<Result<Vec<_>, Mistake>>()?;
        let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&outcomes)?)?;
        } else {
            failed.iter().try_for_each(|outcome| self.tell(outcome, out))?;
        }
        match (failed.len(), outcomes.len()) {
            (0, _) if self.json => Ok(()),
            (0, all) => Ok(writeln!(out, "{all} of {all} cases as expected")?),
            (some, all) => bail!("{some} of {all} cases did not come out as expected"),
        }
    }

    fn tell(&self, outcome: &Outcome, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "{}:{}: {}: {}", self.file.display(), outcome.line, outcome.name, outcome.differences.join("; "))?;
        outcome.got.to_string().lines().try_for_each(|line| if line.is_empty() { writeln!(out) } else { writeln!(out, "  {line}") })?;
        writeln!(out)
    }
}

impl Case {
    fn run(&self, book: &RuleBook, now: OffsetDateTime, file: &Path) -> Result<Outcome, Mistake> {
        let Self { line, expected, supposition } = self;
        let got = supposition
            .decide(book, now)
            .map_err(|error| Mistake::new(file, format!("case {:?}: {error}", expected.name), SEE_EXAMPLE).at(*line))?;
        let differences = expected.differences(&got);
        Ok(Outcome { name: expected.name.clone(), line: *line, passed: differences.is_empty(), differences, got })
    }
}

impl Expected {
    fn differences(&self, got: &Decision) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: String, got: String| {
            if expected != got {
                differences.push(format!("expected {what} {expected}, got {got}"));
            }
        };
        compare("the answer", self.expect.as_str().to_owned(), got.decision.clone());
        if let Some(Code(reason)) = &self.code {
            compare("the code", reason.code().to_owned(), got.code.clone().unwrap_or_else(|| "none".to_owned()));
        }
        if let Some(missing) = &self.missing {
            compare("as missing", listed(missing), listed(&got.ruling.missing));
        }
        if let Some(policies) = &self.policies {
            compare("the policies", listed(policies), listed(&got.ruling.policies));
        }
        differences
    }
}

impl Answer {
    fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Missing => "missing",
            Self::Refused => "refused",
        }
    }
}

impl TryFrom<String> for Code {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|()| format!("{text:?} is no code of a refusal"))
    }
}

/// In one order, since the order says nothing.
fn listed(names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    format!("[{}]", names.join(", "))
}

const SEE_EXAMPLE: &str = "see policy-tests.example.toml, which shows every key";

/// Reads the cases; every one that cannot be read is a mistake of its own.
fn read(path: &Path) -> Result<Vec<Case>, Mistakes> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        case: Vec<Spanned<toml::Table>>,
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| Mistake::new(path, format!("cannot be read: {error}"), "name the file of the cases"))?;
    let line_at = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    let File { case: tables } = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(span.start));
        Mistake::new(path, error.message(), SEE_EXAMPLE).at(line)
    })?;
    let mut mistakes = Mistakes::default();
    let cases = tables.into_iter().filter_map(|table| {
        let line = line_at(table.span().start);
        let mistake = |error: toml::de::Error| Mistake::new(path, error.message(), SEE_EXAMPLE).at(line);
        mistakes.keep(case(table.into_inner(), line).map_err(mistake))
    });
    let cases = cases.collect();
    mistakes.or(cases)
}

fn case(table: toml::Table, line: usize) -> Result<Case, toml::de::Error> {
    let (expected, supposed): (toml::Table, toml::Table) = table.into_iter().partition(|(key, _)| EXPECTED.contains(&key.as_str()));
    Ok(Case { line, expected: expected.try_into()?, supposition: supposed.try_into()? })
}

#[cfg(test)]
mod tests;
