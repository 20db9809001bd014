//! `[[device_rule]]`: which devices are approved without anybody being asked.

use super::{
    document::{Document, Placed},
    span::Span,
};
use crate::mistake::Mistakes;
use dayfly_core::{
    context::NamedNetworks,
    device::ApprovalRule,
    name::{GroupName, NetworkName},
};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The longest that a second factor may be ago, in seconds.
const LONGEST: u64 = 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    groups: BTreeSet<GroupName>,
    #[serde(default)]
    networks: BTreeSet<NetworkName>,
    #[serde(default)]
    second_factor_within: Option<Span<1, LONGEST>>,
}

/// A rule for nobody, and a network that is not there, are mistakes.
pub(super) fn check(document: &Document, written: Vec<Placed<Written>>, networks: &NamedNetworks) -> Result<Vec<ApprovalRule>, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut rules = Vec::new();
    for placed in written {
        let line = |key: &str| placed.line_of(key);
        if placed.value.groups.is_empty() {
            mistakes.0.push(document.mistake(None, "a rule without groups approves nothing: name one at least").at(line("groups")));
        }
        for unknown in placed.value.networks.iter().filter(|name| !networks.contains(name.as_str())) {
            let text = format!("there is no network {unknown}: name it in [networks]");
            mistakes.0.push(document.mistake(None, &text).at(line("networks")));
        }
        let Written { groups, networks, second_factor_within } = placed.into_value();
        rules.push(ApprovalRule { groups, networks, second_factor_within: second_factor_within.map(|within| within.0.as_secs()) });
    }
    mistakes.or(rules)
}
