//! `[[federation]]`: which workloads of which issuers are which machines.

use super::{
    document::{Document, Table, take_tables},
    issuer::{self, Algorithms},
    span::Span,
};
use crate::{identity::token::Algorithm, mistake::Mistakes};
use dayfly_core::{identity::Subject, name::SubjectName};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

const HOUR: u64 = 60 * 60;

/// A workload that is a machine here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationSettings {
    /// Whose tokens.
    pub issuer: String,
    /// For whom they must be made: this CA.
    pub audience: String,
    /// What they must say, exactly. Nested claims are named with dots.
    pub claims: BTreeMap<String, String>,
    /// Which machine that is.
    pub machine: Subject,
    /// The issuer's keys, where they are not to be fetched.
    pub jwks_file: Option<PathBuf>,
    /// How tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The longest life of a token that is taken.
    pub max_lifetime: Duration,
    /// The entry's line in the file, counted from 1.
    pub line: usize,
}

/// Claims that name something which can be given to somebody else later, and what stands for it for good.
const RECYCLED: [(&str, &str); 7] = [
    ("repository", "repository_id"),
    ("repository_owner", "repository_owner_id"),
    ("actor", "actor_id"),
    ("project_path", "project_id"),
    ("namespace_path", "namespace_id"),
    ("user_login", "user_id"),
    ("email", "sub"),
];

impl FederationSettings {
    /// What should be looked at: names that can be recycled where the id that cannot is not asked for.
    pub fn warnings(&self) -> Vec<String> {
        let is_asked = |claim: &str| self.claims.contains_key(claim);
        let recycled = RECYCLED.iter().filter(|(name, id)| is_asked(name) && !is_asked(id));
        let mut warnings: Vec<String> = recycled
            .map(|(name, id)| format!("`{name}` is a name that somebody else can be given later: ask for `{id}` too, which stays"))
            .collect();
        if self.claims.get("sub").is_some_and(|sub| sub.starts_with("repo:") || sub.starts_with("project_path:")) {
            let ids = ["repository_id", "project_id", "repository_owner_id", "namespace_id"];
            if !ids.into_iter().any(is_asked) {
                warnings.push("this `sub` is made of names that somebody else can be given later: ask for a numeric id too".to_owned());
            }
        }
        warnings
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: issuer::Issuer,
    audience: String,
    claims: Claims,
    machine: Machine,
    jwks_file: Option<String>,
    #[serde(default)]
    allowed_algorithms: Algorithms,
    #[serde(default = "usual_lifetime")]
    max_lifetime: Span<60, { 24 * HOUR }>,
}

fn usual_lifetime() -> Span<60, { 24 * HOUR }> {
    Span(Duration::from_secs(HOUR))
}

/// At least one claim: an issuer's every token would be the machine otherwise.
#[derive(Deserialize)]
#[serde(try_from = "BTreeMap<String, Wanted>")]
struct Claims(BTreeMap<String, String>);

/// What a claim must be. Issuers write ids as texts or as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Text(String),
    Number(i64),
    Truth(bool),
}

impl TryFrom<BTreeMap<String, Wanted>> for Claims {
    type Error = String;
    fn try_from(claims: BTreeMap<String, Wanted>) -> Result<Self, String> {
        if claims.is_empty() {
            return Err("no claim is asked for: write those that only this workload's tokens have, such as repository_id".to_owned());
        }
        let text = |wanted| match wanted {
            Wanted::Text(text) => text,
            Wanted::Number(number) => number.to_string(),
            Wanted::Truth(truth) => truth.to_string(),
        };
        Ok(Self(claims.into_iter().map(|(name, wanted)| (name, text(wanted))).collect()))
    }
}

/// A machine's name, with or without `machine:` before it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Machine(Subject);

impl TryFrom<String> for Machine {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let name = SubjectName::new(text.strip_prefix("machine:").unwrap_or(&text)).map_err(|error| error.to_string())?;
        Ok(Self(Subject::Machine(name)))
    }
}

/// Reads all entries of the whole file.
pub(super) fn read(document: &Document, whole: Table<'_>, mistakes: &mut Mistakes) -> Option<Vec<FederationSettings>> {
    let tables = take_tables(&mut whole.into_inner(), "federation");
    let required = ["issuer", "audience", "claims", "machine"];
    let read: Vec<_> = tables
        .into_iter()
        .map(|table| {
            let placed = document.read_table::<Written>(table, "[[federation]]", &required, mistakes)?;
            let line = placed.line_of("issuer");
            let written = placed.into_value();
            if written.audience.is_empty() {
                mistakes.0.push(document.mistake(None, "the audience is empty: write the CA's URL, and have tokens made for it").at(line));
            }
            Some(FederationSettings {
                issuer: written.issuer.0,
                audience: written.audience,
                claims: written.claims.0,
                machine: written.machine.0,
                jwks_file: written.jwks_file.map(|path| document.beside(Path::new(&path))),
                algorithms: written.allowed_algorithms.0,
                max_lifetime: written.max_lifetime.0,
                line,
            })
        })
        .collect();
    read.into_iter().collect()
}
