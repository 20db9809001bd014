//! Places that are taken for a while, in all and by one address: of connections, and of requests that are being worked on.

use dayfly_core::address::allotment;
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
    /// Whether it counts in all.
    in_all: bool,
    /// For whom it counts.
    address: Option<IpAddr>,
}

impl Places {
    pub(crate) fn new(in_all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { in_all, per_address, taken: Mutex::default() })
    }

    /// A place for one more from `address`, if there is one.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        self.take_as(true, Some(allotment(address)))
    }

    /// A place for one more of something that many share.
    pub(crate) fn take_shared(self: &Arc<Self>) -> Option<Place> {
        self.take_as(true, None)
    }

    /// A share for `address` of a place that was taken already.
    pub(crate) fn take_beside(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        self.take_as(false, Some(allotment(address)))
    }

    fn take_as(self: &Arc<Self>, in_all: bool, address: Option<IpAddr>) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = address.and_then(|address| taken.by_address.get(&address).copied()).unwrap_or(0);
        if (in_all && taken.in_all >= self.in_all) || here >= self.per_address {
            return None;
        }
        taken.in_all += usize::from(in_all);
        if let Some(address) = address {
            taken.by_address.insert(address, here + 1);
        }
        Some(Place { places: Arc::clone(self), in_all, address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all = taken.in_all.saturating_sub(usize::from(self.in_all));
        let Some(address) = self.address else { return };
        match taken.by_address.get(&address).copied() {
            Some(here) if here > 1 => taken.by_address.insert(address, here - 1),
            _ => taken.by_address.remove(&address),
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
        let of_network = Places::new(9, 1);
        let _one = of_network.take("2001:db8:0:1::1".parse().unwrap()).unwrap();
        assert!(of_network.take("2001:db8:0:1:ffff::2".parse().unwrap()).is_none(), "a /64 is one holder's");
        assert!(of_network.take("2001:db8:0:2::1".parse().unwrap()).is_some());
        drop(first);
        assert!(places.take(mallory).is_some());
    }

    #[test]
    fn row_22_behind_a_balancer_each_client_has_a_share_of_their_own() {
        let places = Places::new(3, 1);
        let (mallory, alice): (IpAddr, IpAddr) = ("198.51.100.7".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let (_one, _two) = (places.take_shared().unwrap(), places.take_shared().unwrap());
        let own = places.take_beside(mallory).unwrap();
        assert!(places.take_beside(mallory).is_none() && places.take_beside(alice).is_some());
        let _three = places.take_shared().unwrap();
        assert!(places.take_shared().is_none(), "there is no more room in all");
        drop(own);
        assert!(places.take_beside(mallory).is_some());
    }

    #[test]
    fn an_address_without_a_place_is_forgotten() {
        let places = Places::new(3, 2);
        drop(places.take("192.0.2.1".parse().unwrap()).unwrap());
        assert!(places.taken.lock().unwrap().by_address.is_empty());
        assert_eq!(places.taken.lock().unwrap().in_all, 0);
    }
}
