//! Policy files → [`Policy`]: parsed, strictly validated against the schema, every statement with a name of its own.

use super::{
    schema::{self, Vocabulary, vocabulary},
    slices::Slices,
    statement::{self, Statement},
};
use crate::{context::NamedNetworks, name::is_name, role::Roles, target::Inventory};
use cedar_policy::{PolicySet, ValidationMode, ffi::DetailedError};
use std::{collections::BTreeMap, sync::Arc};

/// A policy file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// The file's name, for messages.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// A mistake in a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {cause}: {remedy}")]
pub struct PolicyError {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

/// All policies of an installation. What none of them permits is refused.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(super) slices: Slices,
    statements: Vec<Arc<Statement>>,
}

impl Policy {
    /// No policies at all: permits nothing.
    pub fn deny_all() -> Self {
        Self::default()
    }

    /// Reads policy files. Returns all mistakes of all files, not the first. A policy that Cedar's strict validation warns of, since it can
    /// never apply, is a mistake too: a `forbid` like that forbids nothing.
    pub fn parse(sources: &[PolicySource]) -> Result<Self, Vec<PolicyError>> {
        let vocabulary = vocabulary().map_err(|cause| vec![built_in_schema(cause)])?;
        let mut statements: Vec<Statement> = Vec::new();
        let mut errors = Vec::new();
        for source in sources {
            match read(source, vocabulary) {
                Ok(read) => statements.extend(read),
                Err(found) => errors.extend(found),
            }
        }
        errors.extend(repeated_ids(&statements));
        if !errors.is_empty() {
            return Err(errors);
        }
        let statements: Vec<Arc<Statement>> = statements.into_iter().map(Arc::new).collect();
        let slices = Slices::new(&statements, vocabulary).map_err(|error| vec![built_in_schema(&error.to_string())])?;
        Ok(Self { slices, statements })
    }

    /// The `@id`s of the policies, in the order of their files.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().map(|statement| statement.id())
    }

    /// The roles, targets, target groups and networks that policies name and nobody has defined, and countries that there cannot be: most often a typo, and
    /// then the policy says nothing. Where targets come and go there is no inventory to hold them against.
    pub fn unknown_names(&self, roles: &Roles, inventory: Option<&Inventory>, networks: &NamedNetworks) -> Vec<PolicyError> {
        match vocabulary() {
            Ok(vocabulary) => self.statements.iter().flat_map(|one| one.unknown_names(vocabulary, roles, inventory, networks)).collect(),
            Err(cause) => vec![built_in_schema(cause)],
        }
    }
}

/// The statements of one file, each with its `@id` as its identity.
fn read(source: &PolicySource, vocabulary: &Vocabulary) -> Result<Vec<Statement>, Vec<PolicyError>> {
    let set: PolicySet = source.text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        let syntax = "correct the Cedar syntax";
        errors.iter().map(|error| located(source, 1, &DetailedError::from(error), syntax)).collect::<Vec<_>>()
    })?;
    let lines = statement::lines(&source.text, &set);
    let line_of = |id: &str| lines.get(id).copied().unwrap_or(1);
    let mut errors: Vec<PolicyError> = set
        .templates()
        .map(|template| {
            let remedy = "write the statement out, once for each principal or resource";
            source.mistake(line_of(template.id().as_ref()), "a template cannot be used here", remedy)
        })
        .collect();
    let judgement = vocabulary.validator.validate(&set, ValidationMode::Strict);
    let fits_schema = "see policy.cedarschema for what a policy can speak about";
    errors.extend(judgement.validation_errors().map(|error| {
        let line = line_of(error.policy_id().as_ref());
        located(source, line, &DetailedError::from(error), fits_schema)
    }));
    errors.extend(judgement.validation_warnings().map(|warning| {
        let line = line_of(warning.policy_id().as_ref());
        located(source, line, &DetailedError::from(warning), "correct the statement, or remove it")
    }));
    let mut statements = Vec::new();
    for policy in set.policies() {
        let line = line_of(policy.id().as_ref());
        match policy.annotation("id") {
            Some(id) if is_name(id) => statements.push(Statement::new(source, line, policy, id)),
            Some(id) => {
                let remedy = "use a-z, 0-9, '.', '_' and '-', beginning with a letter or digit, at most 64 characters";
                errors.push(source.mistake(line, format!("@id({:?}) is not a name", id.chars().take(64).collect::<String>()), remedy));
            }
            None => errors.push(source.mistake(
                line,
                "the statement has no @id",
                "write @id(\"some-name\") above it, which refusals and the log will quote",
            )),
        }
    }
    statements.sort_by_key(|statement| statement.line);
    if errors.is_empty() { Ok(statements) } else { Err(errors) }
}

fn repeated_ids(statements: &[Statement]) -> Vec<PolicyError> {
    let mut seen: BTreeMap<&str, &Statement> = BTreeMap::new();
    let mut errors = Vec::new();
    for statement in statements {
        if let Some(first) = seen.insert(statement.id(), statement) {
            let cause = format!("@id(\"{}\") is used already, at {}:{}", statement.id(), first.file, first.line);
            errors.push(statement.mistake(statement.line, cause, "give each statement a name of its own"));
        }
    }
    errors
}

/// A mistake that Cedar found, at the line that it points at. `line` stands in where it points at none, `remedy` where it proposes none.
fn located(source: &PolicySource, line: usize, error: &DetailedError, remedy: &str) -> PolicyError {
    let label = error.source_locations.first();
    let line = label.map_or(line, |label| statement::line_at(&source.text, label.loc.start));
    // The number that Cedar gave the statement says nothing to who wrote it; the line does.
    let message =
        error.message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")).map_or(&*error.message, |(_, rest)| rest);
    let cause = match label.and_then(|label| label.label.as_deref()) {
        Some(more) => format!("{message} ({more})"),
        None => message.to_owned(),
    };
    source.mistake(line, cause, error.help.as_deref().unwrap_or(remedy))
}

impl PolicySource {
    fn mistake(&self, line: usize, cause: impl Into<String>, remedy: impl Into<String>) -> PolicyError {
        PolicyError { file: self.name.clone(), line, cause: cause.into(), remedy: remedy.into() }
    }
}

fn built_in_schema(cause: &str) -> PolicyError {
    let line = schema::SCHEMA.lines().count();
    let remedy = "this is a defect of the program: please report it".to_owned();
    PolicyError { file: "policy.cedarschema".to_owned(), line, cause: cause.to_owned(), remedy }
}

#[cfg(test)]
mod tests;
