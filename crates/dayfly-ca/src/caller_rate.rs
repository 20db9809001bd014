//! How much one caller may ask in a while, wherever they ask from: whoever is enrolled, or whose key was stolen, takes the CA from nobody.

use dayfly_core::identity::Subject;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use std::num::NonZeroU32;

/// So many seconds' worth may come at once: whoever has an editor open a hundred sessions is no flood.
const BURST_SECONDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// A quota for each caller. There are as many as there are people and machines that are known.
pub struct CallerRate<C: Clock = MonotonicClock>(RateLimiter<Subject, HashMapStateStore<Subject>, C, NoOpMiddleware<C::Instant>>);

impl CallerRate {
    /// `per_second` from each, and ten seconds' worth at once.
    pub fn new(per_second: NonZeroU32) -> Self {
        Self::by(per_second, MonotonicClock)
    }
}

impl<C: Clock> CallerRate<C> {
    fn by(per_second: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(per_second.saturating_mul(BURST_SECONDS));
        Self(RateLimiter::new(quota, HashMapStateStore::default(), clock))
    }

    /// Takes one request of `caller`, if they have one left.
    pub fn take(&self, caller: &Subject) -> bool {
        self.0.check_key(caller).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use governor::clock::FakeRelativeClock;
    use std::time::Duration;

    #[test]
    fn row_22_a_caller_has_so_much_and_uses_up_nobody_elses() {
        let clock = FakeRelativeClock::default();
        let rate = CallerRate::by(NonZeroU32::new(2).unwrap(), clock.clone());
        let (mallory, alice) = ("mallory".parse().unwrap(), "alice".parse().unwrap());
        for _ in 0..20 {
            assert!(rate.take(&mallory));
        }
        assert!(!rate.take(&mallory) && rate.take(&alice));
        clock.advance(Duration::from_millis(500));
        assert!(rate.take(&mallory) && !rate.take(&mallory));
    }
}
