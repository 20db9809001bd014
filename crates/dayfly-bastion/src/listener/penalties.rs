//! What failing costs an address (as OpenSSH's PerSourcePenalties): each failure adds to how long it is turned away, and time takes it off again. Pure: the time
//! comes in.
//!
//! Small penalties that do not come together cost nothing, so a health check or one forgotten certificate does no harm.

use crate::{config::Penalties, serving::End};
use dayfly_core::address::allotment;
use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    time::{Duration, Instant},
};

/// How many addresses are remembered. Past that, those whose penalties end soonest are forgotten.
const MOST_ADDRESSES: usize = 65_536;

/// The addresses that have failed, and until when that counts.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    by_address: HashMap<IpAddr, Entry>,
    by_end: BTreeSet<(Instant, IpAddr)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    ends: Instant,
    /// Whether so much came together that it is enforced, until it ends.
    is_enforced: bool,
}

impl Ledger {
    /// A connection of `address` ended so. Whether that cost anything.
    pub(super) fn note(&mut self, tariff: &Penalties, address: IpAddr, end: End, now: Instant) -> bool {
        let cost = match end {
            // Whoever holds a certificate of ours is told why, and is no stranger.
            End::LoggedIn | End::Told => Duration::ZERO,
            End::Refused => tariff.failed_login,
            End::Left => tariff.no_login,
            End::TimedOut => tariff.grace_exceeded,
            End::Malformed => tariff.malformed,
        };
        if cost.is_zero() || tariff.exempt.iter().any(|network| network.contains(address)) {
            return false;
        }
        self.forget_ended(now);
        let address = allotment(address);
        let earlier = self.by_address.remove(&address);
        if let Some(entry) = earlier {
            self.by_end.remove(&(entry.ends, address));
        }
        let ends = (earlier.map_or(now, |entry| entry.ends) + cost).min(now + tariff.longest);
        let is_enforced = earlier.is_some_and(|entry| entry.is_enforced) || ends - now >= tariff.enforced_from;
        self.by_address.insert(address, Entry { ends, is_enforced });
        self.by_end.insert((ends, address));
        while self.by_end.len() > MOST_ADDRESSES
            && let Some((_, forgotten)) = self.by_end.pop_first()
        {
            self.by_address.remove(&forgotten);
        }
        true
    }

    /// Whether `address` is turned away now.
    pub(super) fn turns_away(&self, tariff: &Penalties, address: IpAddr, now: Instant) -> bool {
        let entry = self.by_address.get(&allotment(address));
        entry.is_some_and(|entry| entry.is_enforced && now < entry.ends) && !tariff.exempt.iter().any(|network| network.contains(address))
    }

    /// How many addresses are turned away now.
    pub(super) fn count(&self, now: Instant) -> usize {
        self.by_address.values().filter(|entry| entry.is_enforced && now < entry.ends).count()
    }

    fn forget_ended(&mut self, now: Instant) {
        while let Some((ends, address)) = self.by_end.first().copied()
            && ends <= now
        {
            self.by_end.remove(&(ends, address));
            self.by_address.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests;
