//! How many bytes went which way, and when the last ones did.

use prometheus_client::metrics::counter::Counter;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// The bytes of one session; each is counted in the whole bastion's too.
#[derive(Debug)]
pub struct Counts {
    began: Instant,
    up: AtomicU64,
    down: AtomicU64,
    /// When something last moved, in milliseconds after the beginning.
    moved: AtomicU64,
    /// How many others go on within it.
    busy: AtomicUsize,
    all_up: Counter,
    all_down: Counter,
}

impl Counts {
    /// Begins now. `all_up` and `all_down` count for every session.
    pub fn new(all_up: Counter, all_down: Counter) -> Self {
        Self {
            began: Instant::now(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            all_up,
            all_down,
        }
    }

    /// From the client to the target.
    pub fn add_up(&self, bytes: usize) {
        self.up.fetch_add(bytes as u64, Ordering::Relaxed);
        self.all_up.inc_by(bytes as u64);
        self.touch();
    }

    /// From the target to the client.
    pub fn add_down(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Ordering::Relaxed);
        self.all_down.inc_by(bytes as u64);
        self.touch();
    }

    /// Bytes from the client so far.
    pub fn up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }

    /// Bytes to the client so far.
    pub fn down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }

    /// How long it has been going on.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// When something last moved, since the beginning. Now, while others go on within it.
    pub fn moved(&self) -> Duration {
        if self.busy.load(Ordering::Relaxed) > 0 { self.elapsed() } else { Duration::from_millis(self.moved.load(Ordering::Relaxed)) }
    }

    /// Another session goes on within this one, until the value is dropped.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    fn touch(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }
}

/// Held while another session goes on within one.
#[derive(Debug)]
pub struct Busy(Arc<Counts>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.touch();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_others_within_is_not_idle() {
        let counts = Arc::new(Counts::new(Counter::default(), Counter::default()));
        assert_eq!(counts.moved(), Duration::ZERO);
        let busy = counts.busy();
        let now = counts.elapsed();
        assert!(counts.moved() >= now);
        drop(busy);
        assert!(counts.moved() <= counts.elapsed());
    }
}
