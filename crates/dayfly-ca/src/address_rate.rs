//! How much one address may have in a while: a bucket of tokens each, and a bounded number of buckets.

use dayfly_core::address::allotment;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

/// How many addresses are told apart. What comes from further ones shares a bucket.
const MOST_ADDRESSES: usize = 4096;

/// The address that the further ones count as.
const EVERYBODY_ELSE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// A bucket of tokens an address.
#[derive(Debug)]
pub struct AddressRate {
    burst: u64,
    per_second: u64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: u64,
    filled_at: u64,
}

impl AddressRate {
    /// `burst` at once, and `per_second` from then on.
    pub fn new(burst: u64, per_second: u64) -> Self {
        Self { burst, per_second, buckets: Mutex::default() }
    }

    /// Takes a token of `address`, if it has one. `now` in Unix seconds.
    pub fn take(&self, address: IpAddr, now: u64) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut owner = allotment(address);
        if !buckets.contains_key(&owner) && buckets.len() >= MOST_ADDRESSES {
            // A full bucket tells nothing that an absent one does not.
            buckets.retain(|_, bucket| self.fill(*bucket, now).tokens < self.burst);
            if buckets.len() >= MOST_ADDRESSES {
                owner = EVERYBODY_ELSE;
            }
        }
        let bucket = buckets.entry(owner).or_insert(Bucket { tokens: self.burst, filled_at: now });
        *bucket = self.fill(*bucket, now);
        let left = bucket.tokens.checked_sub(1);
        bucket.tokens = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether `address` has no token left.
    pub fn is_spent(&self, address: IpAddr, now: u64) -> bool {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = allotment(address);
        let bucket = buckets.get(&owner).or_else(|| buckets.get(&EVERYBODY_ELSE).filter(|_| buckets.len() >= MOST_ADDRESSES));
        bucket.is_some_and(|bucket| self.fill(*bucket, now).tokens == 0)
    }

    /// Full seconds bring tokens; a clock that is set back brings none.
    fn fill(&self, bucket: Bucket, now: u64) -> Bucket {
        let gained = now.saturating_sub(bucket.filled_at).saturating_mul(self.per_second);
        Bucket { tokens: bucket.tokens.saturating_add(gained).min(self.burst), filled_at: now }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn row_22_one_address_cannot_use_up_anothers() {
        let rate = AddressRate::new(2, 1);
        let (mallory, alice) = (address("198.51.100.7"), address("192.0.2.1"));
        assert!(rate.take(mallory, 10) && rate.take(mallory, 10) && !rate.take(mallory, 10));
        assert!(rate.is_spent(mallory, 10) && !rate.is_spent(alice, 10));
        assert!(!rate.take(address("::ffff:198.51.100.7"), 10), "a v4-mapped address is another spelling");
        assert!(rate.take(alice, 10));
        assert!(!rate.is_spent(mallory, 11) && rate.take(mallory, 11) && !rate.take(mallory, 11));
        assert!(!rate.take(mallory, 5), "a clock that is set back brings nothing");
    }

    #[test]
    fn row_22_an_ipv6_network_counts_once() {
        let rate = AddressRate::new(1, 1);
        assert!(rate.take(address("2001:db8::1"), 10));
        assert!(!rate.take(address("2001:db8::2"), 10));
        assert!(rate.take(address("2001:db8:0:1::1"), 10));
    }

    #[test]
    fn row_22_ten_thousand_addresses_take_bounded_memory() {
        let rate = AddressRate::new(1, 1);
        for number in 0..10_000_u32 {
            rate.take(IpAddr::V4(number.into()), 10);
        }
        assert!(rate.buckets.lock().unwrap().len() <= MOST_ADDRESSES + 1);
        assert!(!rate.take(address("192.0.2.1"), 10), "further addresses share a bucket");
        assert!(rate.take(address("192.0.2.1"), 20), "old buckets make room");
    }
}
