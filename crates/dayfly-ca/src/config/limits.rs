//! `[limits]`: what callers may use up.

use super::{
    Limits,
    document::{Document, Table},
};
use crate::mistake::Mistakes;
use dayfly_core::validity::Ttl;
use serde::Deserialize;
use std::{num::NonZeroU32, time::Duration};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    connections: Within<1, 1_000_000>,
    connections_per_address: Within<1, 1_000_000>,
    requests_per_caller: Within<1, 1_000_000>,
    requests_in_flight: Within<1, 100_000>,
    request_timeout: Ttl,
    body_bytes: Within<16_384, 67_108_864>,
    challenge_lifetime: Ttl,
}

/// A whole number that is neither too small nor too large to serve anybody.
#[derive(Deserialize)]
#[serde(try_from = "i64")]
struct Within<const LEAST: usize, const MOST: usize>(usize);

impl<const LEAST: usize, const MOST: usize> TryFrom<i64> for Within<LEAST, MOST> {
    type Error = String;
    fn try_from(number: i64) -> Result<Self, String> {
        match usize::try_from(number) {
            Ok(number) if (LEAST..=MOST).contains(&number) => Ok(Self(number)),
            _ => Err(format!("{number} is out of bounds: write a number from {LEAST} to {MOST}")),
        }
    }
}

impl Default for Written {
    fn default() -> Self {
        let defaults = Limits::default();
        let seconds = |duration: Duration| Ttl::from_seconds(duration.as_secs()).unwrap_or(Ttl::DEFAULT);
        Self {
            connections: Within(defaults.connections),
            connections_per_address: Within(defaults.connections_per_address),
            requests_per_caller: Within(usize::try_from(defaults.requests_per_caller.get()).unwrap_or(usize::MAX)),
            requests_in_flight: Within(defaults.requests_in_flight),
            request_timeout: seconds(defaults.request_timeout),
            body_bytes: Within(defaults.body_bytes),
            challenge_lifetime: seconds(defaults.challenge_lifetime),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: 512,
            requests_per_caller: NonZeroU32::MIN.saturating_add(499),
            requests_in_flight: 1024,
            request_timeout: Duration::from_secs(10),
            body_bytes: 1024 * 1024,
            challenge_lifetime: Duration::from_secs(300),
        }
    }
}

/// Reads the table; what it leaves out has its default.
pub(super) fn read(document: &Document, table: Table<'_>, mistakes: &mut Mistakes) -> Option<Limits> {
    let written: Written = document.read_table(table, "[limits]", &[], mistakes)?.into_value();
    Some(Limits {
        connections: written.connections.0,
        connections_per_address: written.connections_per_address.0,
        requests_per_caller: u32::try_from(written.requests_per_caller.0).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN),
        requests_in_flight: written.requests_in_flight.0,
        request_timeout: Duration::from_secs(written.request_timeout.seconds()),
        body_bytes: written.body_bytes.0,
        challenge_lifetime: Duration::from_secs(written.challenge_lifetime.seconds()),
    })
}
