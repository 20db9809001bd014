//! Bytes and marks, in order, from a callback that may not wait to a task that may.

use super::{BRIM, Pressure};
use bytes::{Bytes, BytesMut};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use tokio::sync::watch;

/// Small pieces are put together up to this size, in bytes: a flood of single bytes costs no more than one of large packets.
const MERGED: usize = 32 * 1024;

/// Pieces up to this size are small.
const SMALL: usize = 2 * 1024;

/// What a mark counts for, in bytes, so that a flood of them is bounded too.
const MARK_WEIGHT: usize = 256;

/// Which of a channel's streams bytes belong to (RFC 4254 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Data.
    Main,
    /// Extended data of type 1, which only a target sends.
    Stderr,
}

/// What travels: bytes, or a mark that keeps its place among them.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<M> {
    /// Bytes of a stream.
    Bytes(Lane, Bytes),
    /// Something that happened after the bytes before it.
    Mark(M),
}

/// A peer that sent more than its window allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer sends more than its window allows")]
pub struct Overflow;

/// A queue whose bytes weigh on `pressure`.
pub fn queue<M>(pressure: Arc<Pressure>) -> (QueueSender<M>, QueueReceiver<M>) {
    let (alive, gone) = watch::channel(());
    let shared = Arc::new(Shared { state: Mutex::default(), pressure });
    (QueueSender { shared: shared.clone(), _alive: alive }, QueueReceiver { shared, gone: Gone(gone) })
}

#[derive(Debug)]
struct Shared<M> {
    state: Mutex<State<M>>,
    pressure: Arc<Pressure>,
}

#[derive(Debug)]
struct State<M> {
    slots: VecDeque<Slot<M>>,
    weight: usize,
    sender_gone: bool,
    receiver_gone: bool,
    waker: Option<Waker>,
}

impl<M> Default for State<M> {
    fn default() -> Self {
        Self { slots: VecDeque::new(), weight: 0, sender_gone: false, receiver_gone: false, waker: None }
    }
}

#[derive(Debug)]
enum Slot<M> {
    Bytes(Lane, BytesMut),
    Mark(M),
}

impl<M> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, weight: usize, put: impl FnOnce(&mut VecDeque<Slot<M>>)) -> Result<(), Overflow> {
        let waker = {
            let mut state = self.lock();
            if state.receiver_gone {
                return Ok(());
            }
            if state.weight.saturating_add(weight) > BRIM {
                return Err(Overflow);
            }
            state.weight += weight;
            put(&mut state.slots);
            state.waker.take()
        };
        self.pressure.add(weight);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }
}

/// The callback's end. Dropping it tells the other end that the channel is gone.
#[derive(Debug)]
pub struct QueueSender<M> {
    shared: Arc<Shared<M>>,
    _alive: watch::Sender<()>,
}

impl<M> QueueSender<M> {
    /// Queues bytes. They are thrown away if nobody takes them any more.
    pub fn bytes(&self, lane: Lane, data: &[u8]) -> Result<(), Overflow> {
        // No window bounds how many packets without bytes there may be.
        if data.is_empty() {
            return Ok(());
        }
        self.shared.put(data.len(), |slots| match slots.back_mut() {
            Some(Slot::Bytes(last, bytes)) if *last == lane && data.len() <= SMALL && bytes.len() + data.len() <= MERGED => {
                bytes.extend_from_slice(data);
            }
            _ => slots.push_back(Slot::Bytes(lane, BytesMut::from(data))),
        })
    }

    /// Queues a mark.
    pub fn mark(&self, mark: M) -> Result<(), Overflow> {
        self.shared.put(MARK_WEIGHT, |slots| slots.push_back(Slot::Mark(mark)))
    }

    /// Whether nobody takes from the queue any more.
    pub fn is_abandoned(&self) -> bool {
        self.shared.lock().receiver_gone
    }
}

impl<M> Drop for QueueSender<M> {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.shared.lock();
            state.sender_gone = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The task's end.
#[derive(Debug)]
pub struct QueueReceiver<M> {
    shared: Arc<Shared<M>>,
    gone: Gone,
}

impl<M> QueueReceiver<M> {
    /// The next piece; none once the sender is gone and everything was taken. Safe to cancel.
    pub async fn take(&mut self) -> Option<Piece<M>> {
        std::future::poll_fn(|context| self.poll_take(context)).await
    }

    /// As [`Self::take`], for those who poll.
    pub fn poll_take(&mut self, context: &Context<'_>) -> Poll<Option<Piece<M>>> {
        let mut state = self.shared.lock();
        let Some(slot) = state.slots.pop_front() else {
            if state.sender_gone {
                return Poll::Ready(None);
            }
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        let (weight, piece) = match slot {
            Slot::Bytes(lane, bytes) => (bytes.len(), Piece::Bytes(lane, bytes.freeze())),
            Slot::Mark(mark) => (MARK_WEIGHT, Piece::Mark(mark)),
        };
        state.weight = state.weight.saturating_sub(weight);
        drop(state);
        self.shared.pressure.relieve(weight);
        Poll::Ready(Some(piece))
    }

    /// Tells when the sender is gone, whether or not everything was taken.
    pub fn gone(&self) -> Gone {
        self.gone.clone()
    }

    /// The pressure that this queue weighs on.
    pub fn pressure(&self) -> &Arc<Pressure> {
        &self.shared.pressure
    }
}

impl<M> Drop for QueueReceiver<M> {
    fn drop(&mut self) {
        let weight = {
            let mut state = self.shared.lock();
            state.receiver_gone = true;
            state.slots.clear();
            std::mem::take(&mut state.weight)
        };
        self.shared.pressure.relieve(weight);
    }
}

/// Whether the sender of a queue, and with it the channel, is gone.
#[derive(Debug, Clone)]
pub struct Gone(watch::Receiver<()>);

impl Gone {
    /// Returns when the sender is gone.
    pub async fn wait(mut self) {
        // Nothing is ever sent: the only change is the sender's end.
        while self.0.changed().await.is_ok() {}
    }

    /// What comes of `work`, or none if the sender goes first.
    pub async fn or_gone<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            result = work => Some(result),
            () = self.clone().wait() => None,
        }
    }
}

#[cfg(test)]
mod tests;
