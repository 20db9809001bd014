//! The files that cross a session, followed by both of its pumps.

use super::RecordingFailure;
use crate::session::{Plan, StartRequest};
use dayfly_recording::{Event, Stream, Transfer};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A session is one channel.
const CHANNEL: u32 = 0;

/// What follows them, once something was started that carries files.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<Option<Transfer>>);

impl Watched {
    /// Looks at what is started. If it carries files, returns what there is to tell of it.
    pub(super) fn begin(&self, plan: &Plan) -> Option<Vec<Event>> {
        let transfer = transfer(plan);
        let begun = transfer.as_ref().map(|transfer| transfer.begun().into_iter().collect());
        *self.lock() = transfer;
        begun
    }

    /// What `bytes` do. They must not be passed on if that cannot be told.
    pub(super) fn observe(&self, stream: Stream, bytes: &[u8]) -> Result<Vec<Event>, RecordingFailure> {
        match self.lock().as_mut() {
            Some(transfer) => transfer.observe(stream, bytes).map_err(|error| RecordingFailure::Failed(error.to_string())),
            None => Ok(Vec::new()),
        }
    }

    /// What there is left to tell.
    pub(super) fn finish(&self) -> Vec<Event> {
        self.lock().take().map(Transfer::finish).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Transfer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn transfer(plan: &Plan) -> Option<Transfer> {
    match (&plan.forced, &plan.start) {
        // What runs on a terminal is recorded as what the terminal shows.
        _ if plan.terminal.is_some() => None,
        (_, StartRequest::Forward(_)) => None,
        (Some(forced), _) => Transfer::of_command(CHANNEL, forced.as_str().as_bytes()),
        (None, StartRequest::Exec(command)) => Transfer::of_command(CHANNEL, command),
        (None, StartRequest::Subsystem(name)) => Transfer::of_subsystem(CHANNEL, name),
        (None, StartRequest::Shell) => None,
    }
}
