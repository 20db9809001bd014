//! Which crate may depend on which.

use super::Violation;
use anyhow::{Context, Result};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path, process::Command};

/// `from` may depend on `to`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The crate that depends.
    pub from: String,
    /// The crate that it depends on.
    pub to: String,
}

/// A list of crates that a crate may depend on, as it is written down.
pub type Allowed<'a> = &'a [(&'a str, &'a [&'a str])];

/// What cargo knows of the workspace.
pub fn metadata(workspace: &Path) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--locked", "--offline"])
        .current_dir(workspace)
        .output()
        .context("cannot run cargo")?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("cargo metadata wrote no JSON")
}

/// The dependencies that `metadata` declares for what is shipped; those of tests alone are free.
pub fn shipped_edges(metadata: &Value) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if let (Some(from), Some(to), true) = (package["name"].as_str(), dependency["name"].as_str(), dependency["kind"] != "dev") {
                edges.insert(Edge { from: from.to_owned(), to: to.to_owned() });
            }
        }
    }
    edges
}

/// Edges between the workspace's own crates that `allowed` does not list, crates that it does not know, and entries that are not used.
pub fn crate_violations(metadata: &Value, allowed: Allowed<'_>) -> Vec<Violation> {
    let names: BTreeSet<&str> =
        metadata["packages"].as_array().into_iter().flatten().filter_map(|package| package["name"].as_str()).collect();
    let edges: BTreeSet<Edge> = shipped_edges(metadata).into_iter().filter(|edge| names.contains(edge.to.as_str())).collect();
    let listed: BTreeSet<Edge> =
        allowed.iter().flat_map(|(from, to)| to.iter().map(|to| Edge { from: (*from).to_owned(), to: (*to).to_owned() })).collect();
    let unknown = names.iter().filter(|name| !allowed.iter().any(|(from, _)| from == *name)).map(|name| Violation {
        place: (*name).to_owned(),
        message: "is not on the list of crates: add it with the crates that it may depend on".to_owned(),
    });
    let forbidden = edges.difference(&listed).map(|edge| violation(edge, "is an edge that the architecture does not have"));
    let unused = listed.difference(&edges).map(|edge| violation(edge, "is listed and not used: take it off the list"));
    unknown.chain(forbidden).chain(unused).collect()
}

/// Dependencies on crates of others that `forbidden` rules out, for each crate that it names.
pub fn dependency_violations(metadata: &Value, forbidden: Allowed<'_>) -> Vec<Violation> {
    let edges = shipped_edges(metadata);
    let hits = edges.iter().filter(|edge| forbidden.iter().any(|(from, to)| *from == edge.from && to.contains(&edge.to.as_str())));
    hits.map(|edge| violation(edge, "is a dependency that this crate does without")).collect()
}

fn violation(edge: &Edge, message: &str) -> Violation {
    Violation { place: format!("{} -> {}", edge.from, edge.to), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made_up() -> Value {
        json!({"packages": [
            {"name": "core", "dependencies": [{"name": "tokio", "kind": null}, {"name": "rand", "kind": "dev"}]},
            {"name": "ca", "dependencies": [{"name": "core", "kind": null}, {"name": "bastion", "kind": null}]},
            {"name": "bastion", "dependencies": [{"name": "core", "kind": null}, {"name": "ca", "kind": "dev"}]},
        ]})
    }

    fn places(violations: &[Violation]) -> Vec<&str> {
        violations.iter().map(|violation| violation.place.as_str()).collect()
    }

    #[test]
    fn a_made_up_edge_is_found_and_those_of_tests_are_free() {
        let allowed: Allowed<'_> = &[("core", &[]), ("ca", &["core"]), ("bastion", &["core"])];
        assert_eq!(places(&crate_violations(&made_up(), allowed)), ["ca -> bastion"]);
    }

    #[test]
    fn the_list_knows_every_crate_and_nothing_more() {
        let allowed: Allowed<'_> = &[("core", &["ca"]), ("ca", &["core", "bastion"])];
        assert_eq!(places(&crate_violations(&made_up(), allowed)), ["bastion", "bastion -> core", "core -> ca"]);
    }

    #[test]
    fn a_dependency_that_a_crate_does_without_is_found() {
        assert_eq!(places(&dependency_violations(&made_up(), &[("core", &["tokio", "rand"])])), ["core -> tokio"]);
        assert!(dependency_violations(&made_up(), &[("ca", &["tokio"])]).is_empty());
    }
}
