//! Decisions that are only asked about: nothing is issued.

use crate::problem::Ruling;
use dayfly_core::{
    name::{RoleName, TargetName},
    request::RequestedTargets,
    validity::Ttl,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What would be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// The role.
    #[schema(value_type = String)]
    pub role: RoleName,
    /// The targets.
    #[schema(value_type = Object)]
    pub targets: RequestedTargets,
    /// The lifetime; the role's if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ttl: Option<Ttl>,
}

/// What the answer would be, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// `granted`, `missing` (not yet: see `missing`) or `refused`.
    pub decision: String,
    /// Who asks.
    pub subject: String,
    /// The stable code of a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The sentence of a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What would change a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// What policy had to do with it. Of a yes: the policies that permit.
    #[serde(flatten)]
    pub ruling: Ruling,
    /// What would be narrowed, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub narrowed: Vec<String>,
    /// What the role demands of the key besides, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub demands: Vec<String>,
    /// What policy says at each target, of the first ones.
    pub targets: Vec<TargetDecision>,
    /// How many targets more there are.
    #[serde(default)]
    pub left_out: usize,
}

/// What policy says at one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetDecision {
    /// The target.
    #[schema(value_type = String)]
    pub target: TargetName,
    /// Whether it is permitted there.
    pub permitted: bool,
    /// The policies that are about this question, in the order of their files.
    pub policies: Vec<PolicyDecision>,
}

/// What one policy had to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyDecision {
    /// Its `@id`.
    pub id: String,
    /// `permit` or `forbid`.
    pub effect: String,
    /// `applies`, `fails` (a condition does not hold) or `errs` (a condition cannot be evaluated, which refuses).
    pub outcome: String,
    /// The condition that fails or errs, as Cedar writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Its `@title`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its `@remedy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The file that it stands in. Told on the CA's own host only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line that it begins at, counted from 1. Told on the CA's own host only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The facts that its conditions looked at.
    pub facts: Vec<Fact>,
}

/// A fact that a policy looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fact {
    /// As policies write it: `context.country`.
    pub name: String,
    /// What it is, as Cedar writes it; null if it is absent.
    pub value: Option<String>,
}

/// For people, in lines.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            None => write!(f, "{}: {} may have it, by {}", self.decision, self.subject, self.ruling.policies.join(", "))?,
            Some(detail) => write!(f, "{}: {detail}", self.decision)?,
        }
        for (name, value) in [("code", &self.code), ("next", &self.remedy)] {
            if let Some(value) = value {
                write!(f, "\n  {name}:    {value}")?;
            }
        }
        if !self.ruling.missing.is_empty() {
            write!(f, "\n  missing: {}", self.ruling.missing.join(", "))?;
        }
        if !self.ruling.methods.is_empty() {
            write!(f, " (by {})", self.ruling.methods.join(" or "))?;
        }
        self.narrowed.iter().chain(&self.demands).try_for_each(|sentence| write!(f, "\n  note:    {sentence}"))?;
        self.targets.iter().try_for_each(|target| write!(f, "\n\n{target}"))?;
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} targets more"),
        }
    }
}

impl fmt::Display for TargetDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.target, if self.permitted { "permitted" } else { "not permitted" })?;
        if self.policies.is_empty() {
            write!(f, "\n  no policy is about this")?;
        }
        self.policies.iter().try_for_each(|policy| write!(f, "\n{policy}"))
    }
}

impl fmt::Display for PolicyDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {} {}", self.effect, self.id)?;
        if let Some(title) = &self.title {
            write!(f, " ({title})")?;
        }
        match (self.outcome.as_str(), &self.condition) {
            ("fails", Some(condition)) => write!(f, ": does not apply, since this does not hold: {condition}")?,
            ("errs", Some(condition)) => write!(f, ": refuses, since this cannot be evaluated: {condition}")?,
            _ => write!(f, ": applies")?,
        }
        if let (Some(file), Some(line)) = (&self.file, self.line) {
            write!(f, "  [{file}:{line}]")?;
        }
        self.facts.iter().try_for_each(|fact| write!(f, "\n    {fact}"))
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value}", self.name),
            None => write!(f, "{} is absent", self.name),
        }
    }
}
