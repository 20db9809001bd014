//! `[[target]]`, `[[inventory]]`, `[[role]]`, `[[device_rule]]`, `[networks]`, `[geo]` and the policy directory → a checked [`RuleBook`].

use super::{
    RuleBook, SourceSettings, devices,
    document::{Document, Placed, take_tables},
    inventory, surroundings,
};
use crate::mistake::{Mistake, Mistakes};
use dayfly_core::{
    policy::{Policy, PolicySource},
    role::{Role, RoleError, Roles},
    target::{ALL, Inventory, InventoryError, Target},
};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::{Spanned, de::DeTable};

/// The rules, and the places where further targets are listed.
pub(super) type Read = (RuleBook, Vec<SourceSettings>);

/// Reads the rules from the whole table. What refers to something that is wrong itself is not looked at: it would only add noise. Where targets are listed
/// elsewhere, what roles and policies name may be there.
pub(super) fn read<'t>(document: &Document, top: &Spanned<DeTable<'t>>, mistakes: &mut Mistakes) -> Option<Read> {
    let targets = entries(document, top, "target", &["name", "address", "mode"], mistakes);
    let roles = entries(document, top, "role", &["name", "principals", "targets"], mistakes);
    let policy = directory(document, top, mistakes).and_then(|directory| mistakes.keep(parse_policies(&directory)));
    let networks = surroundings::networks(document, top.clone(), mistakes);
    let geography = surroundings::geography(document, top.clone(), mistakes);
    let sources = entries(document, top, "inventory", &["name"], mistakes);
    let sources = sources.and_then(|sources| mistakes.keep(inventory::check(document, sources)))?;
    let inventory = targets.and_then(|targets| mistakes.keep(check_targets(document, &targets)))?;
    let roles = roles.and_then(|roles| mistakes.keep(check_roles(document, &roles, &inventory, sources.is_empty())))?;
    let (policy, networks, geography) = (policy?, networks?, geography?);
    let device_rules = entries(document, top, "device_rule", &["groups"], mistakes)?;
    let device_rules = mistakes.keep(devices::check(document, device_rules, &networks))?;
    let unknown = policy.unknown_names(&roles, sources.is_empty().then_some(&inventory), &networks);
    mistakes.0.extend(unknown.into_iter().map(Mistake::from));
    Some((RuleBook { roles, inventory, policy, networks, geography, device_rules }, sources))
}

/// All tables of one name; `None` if one of them cannot be read.
pub(super) fn entries<'t, T: Deserialize<'t>>(
    document: &Document,
    top: &Spanned<DeTable<'t>>,
    name: &str,
    required: &[&str],
    mistakes: &mut Mistakes,
) -> Option<Vec<Placed<T>>> {
    let tables = take_tables(&mut top.get_ref().clone(), name);
    let read: Vec<_> = tables.into_iter().map(|table| document.read_table(table, &format!("[[{name}]]"), required, mistakes)).collect();
    read.into_iter().collect()
}

pub(super) fn check_targets(document: &Document, targets: &[Placed<Target>]) -> Result<Inventory, Mistakes> {
    Inventory::new(targets.iter().map(|target| target.value.clone())).map_err(|errors| {
        let mistakes = errors.iter().map(|error| document.mistake(None, &error.to_string()).at(line_of_target(error, targets)));
        Mistakes(mistakes.collect())
    })
}

/// The line that has to be corrected: of two that clash, the second.
fn line_of_target(error: &InventoryError, targets: &[Placed<Target>]) -> usize {
    let (name, key) = match error {
        InventoryError::DuplicateName(name) | InventoryError::NameIsAlsoGroup(name) | InventoryError::NoHostKey(name) => {
            (name.as_str(), "name")
        }
        InventoryError::ReservedName(target) => match target.trim_start_matches("target ") {
            ALL => (ALL, "name"),
            other => (other, "groups"),
        },
        InventoryError::SameAddressTwoModes { second, .. } | InventoryError::OneHostTwice { second, .. } => (second.as_str(), "address"),
        InventoryError::SameKeyTwoModes { second, .. } => (second.as_str(), "host_keys"),
        InventoryError::BadKey { target, key } => {
            let is_host_ca = |one: &&Placed<Target>| one.value.name == *target && one.value.host_ca.iter().any(|ca| ca.starts_with(key));
            (target.as_str(), if targets.iter().any(|one| is_host_ca(&one)) { "host_ca" } else { "host_keys" })
        }
        InventoryError::BadAddress(name) => (name.as_str(), "address"),
        InventoryError::LimitsNobody(name) => (name.as_str(), "session"),
    };
    targets.iter().rfind(|target| target.value.name.as_str() == name).map_or(1, |target| target.line_of(key))
}

fn check_roles(document: &Document, roles: &[Placed<Role>], inventory: &Inventory, is_complete: bool) -> Result<Roles, Mistakes> {
    let check = if is_complete { Roles::new } else { Roles::expecting_targets };
    check(roles.iter().map(|role| role.value.clone()).collect::<Vec<_>>(), inventory).map_err(|errors| {
        let line = |error: &RoleError| {
            let key = match error {
                RoleError::DuplicateName(_) => "name",
                RoleError::NoPrincipals(_) | RoleError::AdmitsNowhere { .. } => "principals",
                RoleError::ForwardsNothing { .. } => "extensions",
                RoleError::NoTargets(_) | RoleError::UnknownTarget { .. } => "targets",
                RoleError::VerifiedWhileRecorded { .. } => "verify_required",
            };
            roles.iter().rfind(|role| role.value.name == *error.role()).map_or(1, |role| role.line_of(key))
        };
        Mistakes(errors.iter().map(|error| document.mistake(None, &error.to_string()).at(line(error))).collect())
    })
}

/// The policy directory. That it is not named is told with the other settings.
fn directory(document: &Document, top: &Spanned<DeTable<'_>>, mistakes: &mut Mistakes) -> Option<PathBuf> {
    let written = top.get_ref().get("policy")?;
    let directory = document.beside(Path::new(written.get_ref().as_str()?));
    if directory.is_dir() {
        return Some(directory);
    }
    let cause = format!("the policy directory {} does not exist", directory.display());
    mistakes.0.push(document.mistake(Some(written.span()), &format!("{cause}: make it, or correct the path")));
    None
}

/// Every `*.cedar` file of the directory, by name.
fn parse_policies(directory: &Path) -> Result<Policy, Mistakes> {
    let unreadable =
        |error: std::io::Error| Mistake::new(directory, format!("cannot be read: {error}"), "check who may read the directory");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "cedar") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        let remedy = "write one; a file with nothing but comments permits nothing";
        return Err(Mistake::new(directory, "holds no *.cedar file", remedy).into());
    }
    let mut mistakes = Mistakes::default();
    let sources: Vec<_> = files.iter().filter_map(|path| mistakes.keep(read_policy(path))).collect();
    let policy = Policy::parse(&sources).map_err(|errors| Mistakes(errors.into_iter().map(Mistake::from).collect()));
    match mistakes.keep(policy) {
        Some(policy) => mistakes.or(policy),
        None => Err(mistakes),
    }
}

fn read_policy(path: &Path) -> Result<PolicySource, Mistake> {
    let text = std::fs::read_to_string(path);
    let text =
        text.map_err(|error| Mistake::new(path, format!("cannot be read: {error}"), "check who may read the file, and that it is UTF-8"))?;
    Ok(PolicySource { name: path.display().to_string(), text })
}
