//! What feeds a session: events in from callbacks and pumps, actions out to the session's task, in one order.

use crate::session::{Action, Event, Session};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::mpsc;

/// How many actions may wait to be performed. A client that asks for more, faster, is cut off.
const MOST_WAITING: usize = 512;

/// A client that asks for more than can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client asks for more than {MOST_WAITING} things at once")]
pub struct Flooded;

/// The state machine of one session, and the way out for what it decides.
#[derive(Debug)]
pub struct Control {
    // Actions are sent while the lock is held, so that they leave in the order in which they were decided.
    session: Mutex<Session>,
    outbox: mpsc::UnboundedSender<Action>,
    waiting: Arc<AtomicUsize>,
}

impl Control {
    /// A session that has just begun.
    pub(super) fn new(session: Session) -> (Arc<Self>, Outbox) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let control = Self { session: Mutex::new(session), outbox: sender, waiting: waiting.clone() };
        (Arc::new(control), Outbox { receiver, waiting })
    }

    /// Takes an event of a client, and returns the answer to it if it was a request.
    pub fn on(&self, event: Event) -> Result<Option<bool>, Flooded> {
        let answer = self.event_with_answer(event);
        if self.waiting.load(Ordering::Relaxed) > MOST_WAITING { Err(Flooded) } else { Ok(answer) }
    }

    /// Takes an event that needs no answer.
    pub(super) fn event(&self, event: Event) {
        self.event_with_answer(event);
    }

    fn event_with_answer(&self, event: Event) -> Option<bool> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = None;
        for action in session.on(event) {
            match action {
                Action::Accept => answer = Some(true),
                Action::Decline => answer = Some(false),
                action => {
                    self.waiting.fetch_add(1, Ordering::Relaxed);
                    // Nobody performs anything any more once the session is over.
                    let _ = self.outbox.send(action);
                }
            }
        }
        answer
    }
}

/// Where the session's task takes its actions from.
#[derive(Debug)]
pub(super) struct Outbox {
    receiver: mpsc::UnboundedReceiver<Action>,
    waiting: Arc<AtomicUsize>,
}

impl Outbox {
    /// The next action. Safe to cancel.
    pub(super) async fn next(&mut self) -> Option<Action> {
        let action = self.receiver.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(action)
    }
}
