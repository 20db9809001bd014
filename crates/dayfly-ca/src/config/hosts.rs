//! `[hosts]`: what is asked of hosts.

use super::{
    HostRules,
    document::{Document, Table, take_table},
    span::Span,
};
use crate::mistake::Mistakes;
use serde::Deserialize;
use std::time::Duration;

const HOUR: u64 = 60 * 60;
pub(super) const DAY: u64 = 24 * HOUR;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    certificate_ttl: Span<HOUR, { 90 * DAY }>,
    stale_after: Span<60, { 7 * DAY }>,
}

impl Default for Written {
    fn default() -> Self {
        let HostRules { certificate_ttl, stale_after } = HostRules::default();
        Self { certificate_ttl: Span(certificate_ttl), stale_after: Span(stale_after) }
    }
}

/// A month outlives every holiday in which nobody mends a CA; a host that cannot renew for that long is noticed by its own timer long before.
impl Default for HostRules {
    fn default() -> Self {
        Self { certificate_ttl: Duration::from_secs(30 * DAY), stale_after: Duration::from_secs(HOUR) }
    }
}

/// Reads the table out of the whole file; what is left out has its default.
pub(super) fn read(document: &Document, whole: Table<'_>, mistakes: &mut Mistakes) -> Option<HostRules> {
    let mut whole = whole.into_inner();
    let Some(table) = take_table(&mut whole, "hosts") else { return Some(HostRules::default()) };
    let written: Written = document.read_table(table, "[hosts]", &[], mistakes)?.into_value();
    Some(HostRules { certificate_ttl: written.certificate_ttl.0, stale_after: written.stale_after.0 })
}
