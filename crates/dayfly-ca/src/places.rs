//! Places that are taken for a while, in all and by one address: of connections, and of requests that are being worked on.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// So many places, and a share of them for each address.
#[derive(Debug)]
pub(crate) struct Places {
    in_all: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    pub(crate) fn new(in_all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { in_all, per_address, taken: Mutex::default() })
    }

    /// A place for one more from `address`, if there is one.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.in_all >= self.in_all || here >= self.per_address {
            return None;
        }
        taken.in_all += 1;
        taken.by_address.insert(address, here + 1);
        Some(Place { places: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all = taken.in_all.saturating_sub(1);
        match taken.by_address.get(&self.address).copied() {
            Some(here) if here > 1 => taken.by_address.insert(self.address, here - 1),
            _ => taken.by_address.remove(&self.address),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_22_one_address_leaves_places_for_others() {
        let places = Places::new(3, 2);
        let (mallory, alice): (IpAddr, IpAddr) = ("198.51.100.7".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let first = places.take(mallory).unwrap();
        let _second = places.take("::ffff:198.51.100.7".parse().unwrap()).unwrap();
        assert!(places.take(mallory).is_none());
        let _third = places.take(alice).unwrap();
        assert!(places.take(alice).is_none(), "the last place is taken");
        drop(first);
        assert!(places.take(mallory).is_some());
    }

    #[test]
    fn an_address_without_a_place_is_forgotten() {
        let places = Places::new(3, 2);
        drop(places.take("192.0.2.1".parse().unwrap()).unwrap());
        assert!(places.taken.lock().unwrap().by_address.is_empty());
        assert_eq!(places.taken.lock().unwrap().in_all, 0);
    }
}
