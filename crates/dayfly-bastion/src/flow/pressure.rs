//! How much is queued, and what follows from it: smaller windows, or a transport that rests.

use super::WINDOW;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// Above this many queued bytes the sender is slowed down.
pub(super) const HIGH: usize = 4 * 1024 * 1024;

/// Below this many it is let go again.
const LOW: usize = HIGH / 4;

/// How much more is taken while the other direction starves: a target's window adjustments stand behind its data on the same transport.
pub(super) const STARVING_EXTRA: usize = 12 * 1024 * 1024;

/// The window of a sender that is slowed down, in bytes. Not 0: a window of 0 is never granted again without a further byte.
const TRICKLE: u32 = 2;

/// The bytes that wait in the queues of one connection.
#[derive(Debug, Default)]
pub struct Pressure {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queued: usize,
    high: bool,
    /// How many uploads wait.
    starving: usize,
    waker: Option<Waker>,
}

/// Held while something waits that may stand behind the queued bytes.
#[derive(Debug)]
pub struct Starving<'a>(&'a Pressure);

impl Drop for Starving<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.starving = state.starving.saturating_sub(1));
    }
}

impl State {
    fn settle(&mut self) {
        let extra = if self.starving > 0 { STARVING_EXTRA } else { 0 };
        if self.queued > HIGH + extra {
            self.high = true;
        } else if self.queued < LOW + extra {
            self.high = false;
        }
    }
}

impl Pressure {
    /// Bytes were queued.
    pub fn add(&self, bytes: usize) {
        let mut state = self.lock();
        state.queued = state.queued.saturating_add(bytes);
        state.settle();
    }

    /// Queued bytes went on their way.
    pub fn relieve(&self, bytes: usize) {
        self.change(|state| state.queued = state.queued.saturating_sub(bytes));
    }

    /// The other direction waits for something that may stand behind the queued bytes, for as long as this is held.
    pub fn starve(&self) -> Starving<'_> {
        self.change(|state| state.starving += 1);
        Starving(self)
    }

    /// How much window a sender should have from now on, in bytes.
    pub fn window_target(&self) -> u32 {
        if self.lock().high { TRICKLE } else { WINDOW }
    }

    /// How many bytes are queued.
    pub fn queued(&self) -> usize {
        self.lock().queued
    }

    /// Ready while more may be taken; else the task is woken when it may.
    pub fn poll_open(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.high {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.lock();
            change(&mut state);
            state.settle();
            if state.high { None } else { state.waker.take() }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_14_a_sender_trickles_above_the_high_mark_until_below_the_low_one() {
        let pressure = Pressure::default();
        pressure.add(HIGH);
        assert_eq!(pressure.window_target(), WINDOW);
        pressure.add(1);
        assert_eq!(pressure.window_target(), TRICKLE);
        pressure.relieve(HIGH - LOW);
        assert_eq!(pressure.window_target(), TRICKLE);
        pressure.relieve(2);
        assert_eq!(pressure.window_target(), WINDOW);
    }

    #[test]
    fn row_14_a_starving_upload_opens_the_valve_a_bounded_way() {
        let pressure = Pressure::default();
        let context = Context::from_waker(Waker::noop());
        pressure.add(HIGH + 1);
        assert!(pressure.poll_open(&context).is_pending());
        let (one, other) = (pressure.starve(), pressure.starve());
        assert!(pressure.poll_open(&context).is_ready());
        drop(one);
        assert!(pressure.poll_open(&context).is_ready(), "another still waits");
        pressure.add(STARVING_EXTRA);
        assert!(pressure.poll_open(&context).is_pending());
        pressure.relieve(STARVING_EXTRA);
        drop(other);
        pressure.add(1);
        assert!(pressure.poll_open(&context).is_pending());
        pressure.relieve(HIGH);
        assert!(pressure.poll_open(&context).is_ready());
    }
}
