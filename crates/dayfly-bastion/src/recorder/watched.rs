//! The files that cross a session, followed by both of its pumps.

use super::RecordingFailure;
use crate::session::{Plan, StartRequest};
use dayfly_recording::{Event, Stream, Transfer};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A session is one channel.
const CHANNEL: u32 = 0;

/// What follows them, once something was started that carries files.
#[derive(Debug, Default)]
pub(super) struct Watched {
    transfer: Mutex<Option<Transfer>>,
    /// Tells that the client may go on.
    caught_up: Notify,
}

impl Watched {
    /// Looks at what is started. If it carries files, returns what there is to tell of it.
    pub(super) fn begin(&self, plan: &Plan) -> Option<Vec<Event>> {
        let transfer = transfer(plan);
        let begun = transfer.as_ref().map(|transfer| transfer.begun().into_iter().collect());
        *self.lock() = transfer;
        begun
    }

    /// Waits while the target owes too many answers. Safe to cancel.
    pub(super) async fn room(&self) {
        loop {
            let caught_up = self.caught_up.notified();
            if !self.is_behind() {
                return;
            }
            caught_up.await;
        }
    }

    fn is_behind(&self) -> bool {
        self.lock().as_ref().is_some_and(Transfer::is_behind)
    }

    /// What `bytes` do. They must not be passed on if that cannot be told.
    pub(super) fn observe(&self, stream: Stream, bytes: &[u8]) -> Result<Vec<Event>, RecordingFailure> {
        let observed = match self.lock().as_mut() {
            Some(transfer) => transfer.observe(stream, bytes).map_err(|error| RecordingFailure::Failed(error.to_string())),
            None => Ok(Vec::new()),
        };
        if stream == Stream::Stdout && !self.is_behind() {
            self.caught_up.notify_waiters();
        }
        observed
    }

    /// What there is left to tell.
    pub(super) fn finish(&self) -> Vec<Event> {
        self.lock().take().map(Transfer::finish).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Transfer>> {
        self.transfer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn transfer(plan: &Plan) -> Option<Transfer> {
    match (&plan.forced, &plan.start) {
        // What runs on a terminal is recorded as what the terminal shows.
        _ if plan.terminal.is_some() => None,
        (_, StartRequest::Forward(_) | StartRequest::Arrival { .. }) => None,
        (Some(forced), _) => Transfer::of_command(CHANNEL, forced.as_str().as_bytes()),
        (None, StartRequest::Exec(command)) => Transfer::of_command(CHANNEL, command),
        (None, StartRequest::Subsystem(name)) => Transfer::of_subsystem(CHANNEL, name),
        (None, StartRequest::Shell) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn packet(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
        let body = [&[kind][..], &fields.concat()].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    /// Some clients ask for all of a large file before they read an answer.
    #[tokio::test]
    async fn who_asks_much_at_once_waits_for_answers_and_is_not_cut_off() {
        let watched = Watched::default();
        let plan =
            Plan { terminal: None, environment: Vec::new(), agent: false, start: StartRequest::Subsystem("sftp".to_owned()), forced: None };
        assert!(watched.begin(&plan).is_some());
        watched.observe(Stream::Stdin, &packet(1, &[&3_u32.to_be_bytes()])).unwrap();
        watched.observe(Stream::Stdout, &packet(2, &[&3_u32.to_be_bytes()])).unwrap();
        for id in 0..20_000_u32 {
            if tokio::time::timeout(Duration::ZERO, watched.room()).await.is_err() {
                // A status for the one that waits longest.
                assert!(id >= 4096);
                let answer = packet(101, &[&(id - 4096).to_be_bytes(), &1_u32.to_be_bytes()]);
                let ((), answered) = tokio::join!(watched.room(), async { watched.observe(Stream::Stdout, &answer) });
                answered.unwrap();
            }
            watched.observe(Stream::Stdin, &packet(16, &[&id.to_be_bytes(), &[0; 4]])).unwrap();
        }
    }
}
