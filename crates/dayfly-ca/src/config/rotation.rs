//! `[rotation]`: how keys give way to others.

use super::{
    Limits, RotationRules,
    document::{Document, Table},
    hosts::DAY,
    span::Span,
};
use crate::mistake::Mistakes;
use serde::Deserialize;
use std::time::Duration;

/// What may be under way beside a request: that the other processes of this CA have not yet heard.
const MARGIN: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    people_told_after: Span<0, { 365 * DAY }>,
}

/// A week: whoever works gets a certificate in it, and with it the keys.
impl Default for Written {
    fn default() -> Self {
        Self { people_told_after: Span(Duration::from_secs(7 * DAY)) }
    }
}

/// Reads the table; what it leaves out has its default.
pub(super) fn read(document: &Document, table: Table<'_>, mistakes: &mut Mistakes) -> Option<Written> {
    Some(document.read_table::<Written>(table, "[rotation]", &[], mistakes)?.into_value())
}

/// What is written, beside the limits that say how long a request takes.
pub(super) fn rules(written: Written, limits: &Limits) -> RotationRules {
    RotationRules { people_told_after: written.people_told_after.0, in_flight: limits.request_timeout.saturating_add(MARGIN) }
}
