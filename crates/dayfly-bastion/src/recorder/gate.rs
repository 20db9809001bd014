//! Holds a session back while the disk is behind.

use super::RecordingFailure;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};

/// How many bytes of one session may wait to be written.
pub const MOST_QUEUED: usize = 4 * 1024 * 1024;

/// How long what a session did may go without being on disk.
pub const LONGEST_UNSYNCED: Duration = Duration::from_secs(1);

/// How long a session waits for the disk before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What anything weighs at least, in bytes.
const LEAST_WEIGHT: usize = 256;

/// Between a session and the thread that records it.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    moved: Notify,
    failed: watch::Sender<Option<RecordingFailure>>,
}

#[derive(Debug, Default)]
struct State {
    queued: usize,
    /// Since when something has been on its way to the disk.
    unsynced_since: Option<Instant>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { state: Mutex::default(), moved: Notify::new(), failed: watch::Sender::new(None) }
    }
}

impl Gate {
    /// Waits until the disk has caught up, and takes room for `bytes`. Returns what was taken.
    pub async fn enter(&self, bytes: usize) -> Result<u32, RecordingFailure> {
        let weight = u32::try_from(bytes.max(LEAST_WEIGHT)).unwrap_or(u32::MAX);
        let waiting = tokio::time::timeout(PATIENCE, async {
            loop {
                let moved = self.moved.notified();
                if let Some(failure) = self.failed.borrow().clone() {
                    return Err(failure);
                }
                if self.try_enter(weight as usize) {
                    return Ok(weight);
                }
                moved.await;
            }
        });
        match waiting.await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.failed(RecordingFailure::Failed(format!("the disk has not taken anything for {} s", PATIENCE.as_secs())))),
        }
    }

    fn try_enter(&self, weight: usize) -> bool {
        let mut state = self.lock();
        let overdue = state.unsynced_since.is_some_and(|since| since.elapsed() > LONGEST_UNSYNCED);
        // A piece larger than all the room there is goes alone.
        let room = state.queued == 0 || state.queued + weight <= MOST_QUEUED;
        if overdue || !room {
            return false;
        }
        state.queued += weight;
        state.unsynced_since.get_or_insert_with(Instant::now);
        true
    }

    /// What was taken is written, though not yet on disk.
    pub fn written(&self, weight: u32) {
        {
            let mut state = self.lock();
            state.queued = state.queued.saturating_sub(weight as usize);
        }
        self.moved.notify_waiters();
    }

    /// Everything that was written before `asked` is on disk.
    pub fn synced(&self, asked: Instant) {
        {
            let mut state = self.lock();
            state.unsynced_since = (state.queued > 0).then_some(asked);
        }
        self.moved.notify_waiters();
    }

    /// How long something has been on its way to the disk.
    pub fn lag(&self) -> Duration {
        self.lock().unsynced_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Nothing is recorded any more.
    pub fn fail(&self, failure: RecordingFailure) {
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert(failure);
            first
        });
        self.moved.notify_waiters();
    }

    /// As [`Self::fail`]. Returns why: the first failure is the one that everybody hears of.
    pub fn failed(&self, failure: RecordingFailure) -> RecordingFailure {
        self.fail(failure);
        self.failed.borrow().clone().unwrap_or_else(super::gone)
    }

    /// Returns when the recording has failed.
    pub async fn failure(&self) -> RecordingFailure {
        let mut failed = self.failed.subscribe();
        match failed.wait_for(Option::is_some).await {
            Ok(failure) => failure.clone().unwrap_or_else(super::gone),
            Err(_) => super::gone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn row_13_a_full_queue_holds_the_session_back_until_it_is_written() {
        let gate = Gate::default();
        let taken = gate.enter(MOST_QUEUED).await.unwrap();
        assert!(!gate.try_enter(1));
        gate.written(taken);
        assert!(gate.try_enter(1));
    }

    #[tokio::test]
    async fn row_13_what_is_not_on_disk_for_too_long_holds_the_session_back() {
        let gate = Gate::default();
        let taken = gate.enter(1).await.unwrap();
        gate.written(taken);
        gate.lock().unsynced_since = Instant::now().checked_sub(LONGEST_UNSYNCED * 2);
        assert!(!gate.try_enter(1));
        gate.synced(Instant::now());
        assert!(gate.try_enter(1));
    }

    #[tokio::test]
    async fn row_13_a_failure_reaches_whoever_waits_and_whoever_comes_later() {
        let gate = std::sync::Arc::new(Gate::default());
        gate.enter(MOST_QUEUED).await.unwrap();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(1).await }
        });
        let failure = RecordingFailure::Failed("disk full".to_owned());
        gate.fail(failure.clone());
        assert_eq!(waiting.await.unwrap(), Err(failure.clone()));
        assert_eq!(gate.enter(1).await, Err(failure.clone()));
        assert_eq!(gate.failure().await, failure);
    }
}
