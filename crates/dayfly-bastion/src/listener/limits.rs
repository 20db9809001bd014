//! How many connections there may be: in all, and not logged in yet, in all and of one address; and who is turned away for having failed.

use super::{early_drop, penalties::Ledger};
use crate::{
    metrics::Arrival,
    serving::End,
    settings::{CurrentSettings, Settings},
};
use dayfly_core::address::allotment;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Counts connections in.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    settings: CurrentSettings,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    unauthenticated: usize,
    by_address: HashMap<IpAddr, usize>,
    ledger: Ledger,
}

impl Doors {
    pub(super) fn new(settings: CurrentSettings) -> Self {
        Self { settings, counts: Arc::default() }
    }

    /// Lets one more connection in, or tells why not. `dice`: from 0 up to, not including, 1.
    pub(super) fn enter(&self, address: IpAddr, now: Instant, dice: f64) -> Result<Waiting, Arrival> {
        let settings = self.settings.borrow().clone();
        let place = allotment(address);
        let mut counts = lock(&self.counts);
        counts.judge(&settings, address, now, dice)?;
        counts.open += 1;
        counts.unauthenticated += 1;
        *counts.by_address.entry(place).or_default() += 1;
        Ok(Waiting { counts: self.counts.clone(), address: Some(place) })
    }

    /// A connection of `address` ended so. Whether that cost it anything.
    pub(super) fn note(&self, address: IpAddr, end: End, now: Instant) -> bool {
        let settings = self.settings.borrow().clone();
        lock(&self.counts).ledger.note(&settings.penalties, address, end, now)
    }

    /// How many connections are open, how many of them wait to be logged in, and how many addresses are turned away.
    pub(super) fn count(&self, now: Instant) -> (usize, usize, usize) {
        let counts = lock(&self.counts);
        (counts.open, counts.unauthenticated, counts.ledger.count(now))
    }
}

impl Counts {
    fn judge(&self, Settings { limits, penalties, .. }: &Settings, address: IpAddr, now: Instant, dice: f64) -> Result<(), Arrival> {
        let of_address = self.by_address.get(&allotment(address)).copied().unwrap_or(0);
        if self.ledger.turns_away(penalties, address, now) {
            Err(Arrival::Penalised)
        } else if self.open >= limits.max_connections {
            Err(Arrival::TooMany)
        } else if of_address >= limits.max_unauthenticated_per_address {
            Err(Arrival::TooManyOfAddress)
        } else if self.unauthenticated >= limits.max_unauthenticated {
            Err(Arrival::TooManyWaiting)
        } else if early_drop::drops(limits, self.unauthenticated, dice) {
            Err(Arrival::DroppedEarly)
        } else {
            Ok(())
        }
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
    use crate::config::Limits;
    use tokio::sync::watch;

    fn limits() -> Limits {
        Limits { max_unauthenticated: 3, early_drop_from: 3, max_unauthenticated_per_address: 2, max_connections: 5, ..Limits::default() }
    }

    fn doors(limits: Limits) -> (watch::Sender<Arc<Settings>>, Doors) {
        let (sender, settings) = watch::channel(Arc::new(Settings { limits, ..Settings::default() }));
        (sender, Doors::new(settings))
    }

    fn enter(doors: &Doors, last: u8) -> Result<Waiting, Arrival> {
        doors.enter(IpAddr::from([192, 0, 2, last]), Instant::now(), 0.5)
    }

    #[test]
    fn row_10_one_address_cannot_keep_others_out() {
        let (_sender, doors) = doors(limits());
        let _first = enter(&doors, 1).unwrap();
        let second = enter(&doors, 1).unwrap();
        assert_eq!(enter(&doors, 1).unwrap_err(), Arrival::TooManyOfAddress);
        let _other = enter(&doors, 2).unwrap();
        assert_eq!(enter(&doors, 3).unwrap_err(), Arrival::TooManyWaiting);
        drop(second);
        assert!(enter(&doors, 1).is_ok());
    }

    #[test]
    fn row_10_who_is_logged_in_makes_room_for_those_who_are_not() {
        let (_sender, doors) = doors(limits());
        let mut inside: Vec<_> = (0..5)
            .map(|last| {
                let mut waiting = enter(&doors, last).unwrap();
                waiting.logged_in();
                waiting
            })
            .collect();
        assert_eq!(enter(&doors, 9).unwrap_err(), Arrival::TooMany, "five connections are all there may be");
        inside.pop();
        assert!(enter(&doors, 9).is_ok());
        drop(inside);
        assert!(lock(&doors.counts).by_address.is_empty());
        assert_eq!(doors.count(Instant::now()), (0, 0, 0));
    }

    #[test]
    fn row_10_some_are_dropped_early_and_an_address_that_failed_is_turned_away() {
        let (_sender, doors) = doors(Limits { early_drop_from: 1, early_drop_percent: 60, ..limits() });
        let _first = enter(&doors, 1).unwrap();
        assert_eq!(enter(&doors, 2).unwrap_err(), Arrival::DroppedEarly);
        let (mallory, now) = (IpAddr::from([192, 0, 2, 66]), Instant::now());
        assert!(doors.note(mallory, End::Malformed, now) && doors.note(mallory, End::Malformed, now));
        assert_eq!(doors.enter(mallory, now, 0.99).unwrap_err(), Arrival::Penalised);
        assert_eq!(doors.count(now), (1, 1, 1));
    }

    #[test]
    fn limits_that_were_read_again_are_in_force_at_once() {
        let (sender, doors) = doors(limits());
        let _inside: Vec<_> = (1..4).map(|last| enter(&doors, last).unwrap()).collect();
        assert!(enter(&doors, 4).is_err());
        let wider = Limits { max_unauthenticated: 9, early_drop_from: 9, ..limits() };
        sender.send_replace(Arc::new(Settings { limits: wider, ..Settings::default() }));
        assert!(enter(&doors, 4).is_ok());
    }
}
