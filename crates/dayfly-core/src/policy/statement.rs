//! One statement of a policy file: where it stands, and whom and what it names.

use super::{
    load::{PolicyError, PolicySource},
    parts::Parts,
    schema::Vocabulary,
};
use crate::{
    context::{Country, NamedNetworks},
    role::Roles,
    target::{ALL, Inventory},
};
use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet};
use std::collections::{BTreeMap, BTreeSet};

/// A statement under its `@id`.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) file: String,
    /// The line it begins at, counted from 1.
    pub(super) line: usize,
    pub(super) policy: Policy,
    /// What it is made of.
    pub(super) parts: Option<Parts>,
    text: String,
}

impl Statement {
    pub(super) fn new(source: &PolicySource, line: usize, policy: &Policy, id: &str) -> Self {
        let text = policy.to_cedar().unwrap_or_default();
        Self { file: source.name.clone(), line, policy: policy.new_id(PolicyId::new(id)), parts: Parts::of(policy), text }
    }

    pub(super) fn id(&self) -> &str {
        self.policy.id().as_ref()
    }

    pub(super) fn mistake(&self, line: usize, cause: impl Into<String>, remedy: impl Into<String>) -> PolicyError {
        PolicyError { file: self.file.clone(), line, cause: cause.into(), remedy: remedy.into() }
    }

    /// The roles, targets, target groups and networks that it names and nobody has defined, and countries that there cannot be.
    pub(super) fn unknown_names(
        &self,
        vocabulary: &Vocabulary,
        roles: &Roles,
        inventory: Option<&Inventory>,
        networks: &NamedNetworks,
    ) -> Vec<PolicyError> {
        let names: BTreeSet<EntityUid> = self.policy.entity_literals().into_iter().collect();
        let unknown = names.iter().filter_map(|name| {
            let text = name.id().unescaped();
            let (known, remedy) = match name.type_name() {
                role if *role == vocabulary.role => (roles.get(text).is_some(), "correct the name, or define the role"),
                target if *target == vocabulary.target => {
                    (inventory.is_none_or(|inventory| inventory.get(text).is_some()), "correct the name, or add the target")
                }
                group if *group == vocabulary.target_group => {
                    (inventory.is_none_or(|inventory| is_target_group(inventory, text)), "correct the name, or put a target into it")
                }
                network if *network == vocabulary.network => {
                    (networks.contains(text), "correct the name, or define the network under [networks]")
                }
                _ => return None,
            };
            (!known).then(|| self.mistake(self.line_of(&name.to_string()), format!("{name} does not exist"), remedy))
        });
        unknown.chain(self.countries_that_are_none()).collect()
    }

    /// A country that is compared with what is no country's code never is that one.
    fn countries_that_are_none(&self) -> impl Iterator<Item = PolicyError> {
        let compared = self.parts.iter().flat_map(|parts| &parts.conditions).flat_map(|condition| &condition.countries);
        compared.filter_map(|text| {
            let error = text.parse::<Country>().err()?.to_string();
            let (cause, remedy) = error.split_once(": ").unwrap_or((&error, ""));
            Some(self.mistake(self.line_of(&format!("{text:?}")), cause, remedy))
        })
    }

    /// The line that holds `words` first, or else the statement's own.
    fn line_of(&self, words: &str) -> usize {
        let offset = self.text.find(words).unwrap_or(0);
        self.line + line_at(&self.text, offset) - 1
    }
}

fn is_target_group(inventory: &Inventory, name: &str) -> bool {
    name == ALL || inventory.iter().any(|target| target.groups.contains(name))
}

/// The line that each statement of a file begins at, by the id that Cedar numbers it with. Between two statements there is nothing but white
/// space and comments, so each begins where those end.
pub(super) fn lines(text: &str, set: &PolicySet) -> BTreeMap<String, usize> {
    let policies = set.policies().map(|policy| (policy.id().to_string(), policy.to_cedar().unwrap_or_default()));
    let templates = set.templates().map(|template| (template.id().to_string(), template.to_cedar()));
    let mut statements: Vec<(String, String)> = policies.chain(templates).collect();
    // Cedar numbers them in the order of the file: policy0, policy1, …, policy10.
    statements.sort_by_key(|(id, _)| id.trim_start_matches(char::is_alphabetic).parse::<usize>().unwrap_or(usize::MAX));
    let mut lines = BTreeMap::new();
    let mut rest = text;
    for (id, statement) in statements {
        rest = skip_blank(rest);
        lines.insert(id, line_at(text, text.len() - rest.len()));
        rest = rest.get(statement.len()..).unwrap_or_default();
    }
    lines
}

/// `text` from the first thing that is neither white space nor comment.
fn skip_blank(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("//") {
        rest = comment.split_once('\n').map_or("", |(_, after)| after).trim_start();
    }
    rest
}

/// The line that holds the byte at `offset`, counted from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
