//! How many connections there may be: in all, and not logged in yet, in all and of one address.

use crate::config::Limits;
use dayfly_core::address::allotment;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts connections in.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    limits: Limits,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    unauthenticated: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Doors {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), counts: Arc::default() }
    }

    /// Lets one more connection in, unless there are too many.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Waiting> {
        let address = allotment(address);
        let mut counts = lock(&self.counts);
        let of_address = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.open >= self.limits.max_connections
            || counts.unauthenticated >= self.limits.max_unauthenticated
            || of_address >= self.limits.max_unauthenticated_per_address
        {
            return None;
        }
        counts.open += 1;
        counts.unauthenticated += 1;
        counts.by_address.insert(address, of_address + 1);
        Some(Waiting { counts: self.counts.clone(), address: Some(address) })
    }
}

/// A connection that was let in. Dropping it counts it out.
#[derive(Debug)]
pub(super) struct Waiting {
    counts: Arc<Mutex<Counts>>,
    /// The address, as long as nobody is logged in.
    address: Option<IpAddr>,
}

impl Waiting {
    /// Somebody is logged in: it counts among those no more.
    pub(super) fn logged_in(&mut self) {
        let Some(address) = self.address.take() else { return };
        let mut counts = lock(&self.counts);
        counts.unauthenticated = counts.unauthenticated.saturating_sub(1);
        if let Some(of_address) = counts.by_address.get_mut(&address) {
            *of_address = of_address.saturating_sub(1);
            if *of_address == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.logged_in();
        let mut counts = lock(&self.counts);
        counts.open = counts.open.saturating_sub(1);
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn doors() -> Doors {
        Doors::new(&Limits { max_unauthenticated: 3, max_unauthenticated_per_address: 2, max_connections: 5, ..Limits::default() })
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn row_10_one_address_cannot_keep_others_out() {
        let doors = doors();
        let _first = doors.enter(address(1)).unwrap();
        let second = doors.enter(address(1)).unwrap();
        assert!(doors.enter(address(1)).is_none());
        let _other = doors.enter(address(2)).unwrap();
        assert!(doors.enter(address(3)).is_none());
        drop(second);
        assert!(doors.enter(address(1)).is_some());
    }

    #[test]
    fn row_10_who_is_logged_in_makes_room_for_those_who_are_not() {
        let doors = doors();
        let mut inside: Vec<_> = (0..5)
            .map(|last| {
                let mut waiting = doors.enter(address(last)).unwrap();
                waiting.logged_in();
                waiting
            })
            .collect();
        assert!(doors.enter(address(9)).is_none(), "five connections are all there may be");
        inside.pop();
        assert!(doors.enter(address(9)).is_some());
        drop(inside);
        assert!(lock(&doors.counts).by_address.is_empty() && lock(&doors.counts).open == 0);
    }
}
