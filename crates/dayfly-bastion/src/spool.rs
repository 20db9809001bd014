//! Events on their way to the CA: numbered, in order, on disk until the CA has them, and bounded.
//!
//! A thread owns the file: it numbers what arrives, stores it, and only then lets it go to the CA. A task sends; what the CA has is forgotten. The CA takes each
//! number once, so a batch that was sent before a crash may be sent again after it.

mod file;
mod sender;

pub use file::{SpoolError, SpoolFile};
pub use sender::send;

use crate::journal::Journal;
use dayfly_api::bastion::NumberedEvent;
use dayfly_core::{
    audit::{AuditEvent, Event},
    reason::{Reason, Refusal},
};
use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};
use tokio::sync::{Notify, oneshot};

/// How many events may wait. New sessions do not start beyond that; the ends of running ones are still taken.
const MOST_PENDING: usize = 50_000;

/// How many may wait before refusals, which strangers can cause at will, are only counted.
const MOST_WITH_REFUSALS: usize = MOST_PENDING / 2;

/// The journal that brings events to the CA.
#[derive(Debug)]
pub struct Spool {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    path: PathBuf,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Stored, and not yet known to be at the CA; by rising number.
    pending: VecDeque<NumberedEvent>,
    /// Why events cannot be stored now.
    broken: Option<String>,
    /// Refusals that were not kept.
    dropped: u64,
}

enum Command {
    Note(Box<AuditEvent>),
    /// The CA has everything up to this number.
    Acknowledged(u64),
    /// The CA goes on after this number, whatever the numbers here.
    Renumber(u64),
    /// Gives up on the first event.
    Skip,
    /// Answers once everything before it is stored.
    Flush(oneshot::Sender<()>),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool {
    /// Goes on with what `file` holds.
    pub fn start(mut file: SpoolFile) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.lock().pending = file.take_pending();
        let path = file.path().to_owned();
        let (commands, receiver) = mpsc::channel();
        let writer = Writer { shared: shared.clone(), file };
        std::thread::Builder::new().name("spool".to_owned()).spawn(move || writer.run(&receiver))?;
        Ok(Self { shared, commands, path })
    }

    /// Returns once everything that was noted before is stored.
    pub async fn flush(&self) {
        let (sender, receiver) = oneshot::channel();
        self.command(Command::Flush(sender));
        let _ = receiver.await;
    }

    /// How many events the CA does not have yet.
    pub fn pending(&self) -> usize {
        self.shared.lock().pending.len()
    }

    /// How large the file is that they wait in, in bytes.
    pub fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    fn command(&self, command: Command) {
        // The thread lives as long as this does.
        let _ = self.commands.send(command);
    }
}

impl Journal for Spool {
    fn note(&self, event: AuditEvent) {
        self.command(Command::Note(Box::new(event)));
    }

    fn check_open(&self) -> Result<(), Refusal> {
        let state = self.shared.lock();
        if state.broken.is_none() && state.pending.len() < MOST_PENDING {
            return Ok(());
        }
        Err(Refusal::new(
            Reason::CaUnavailable,
            "no session can start now, because its end could not be kept for the log",
            "tell whoever runs the bastion: the CA has been away for long, or the disk is full",
        ))
    }
}

/// Owns the file.
struct Writer {
    shared: Arc<Shared>,
    file: SpoolFile,
}

impl Writer {
    fn run(mut self, commands: &mpsc::Receiver<Command>) {
        while let Ok(first) = commands.recv() {
            // Everything that has arrived meanwhile is stored in one go.
            let batch: Vec<Command> = std::iter::once(first).chain(commands.try_iter()).collect();
            let mut flushed = Vec::new();
            let mut new = Vec::new();
            for command in batch {
                match command {
                    Command::Note(event) => new.extend(self.take(*event)),
                    Command::Acknowledged(last) => self.acknowledged(last),
                    Command::Renumber(last) => self.renumber(&mut new, last),
                    Command::Skip => self.skip(),
                    Command::Flush(reply) => flushed.push(reply),
                }
            }
            self.store(new);
            for reply in flushed {
                let _ = reply.send(());
            }
        }
    }

    /// Numbers an event, unless it is one of too many refusals.
    fn take(&mut self, event: AuditEvent) -> Option<NumberedEvent> {
        let mut state = self.shared.lock();
        let is_refusal = !matches!(event.event, Event::SessionEnded | Event::SessionWatched | Event::TargetHostKeyRefused);
        if state.pending.len() >= MOST_WITH_REFUSALS && is_refusal {
            state.dropped = state.dropped.saturating_add(1);
            tracing::warn!(dropped = state.dropped, "too many events wait for the CA: a refusal was not kept");
            return None;
        }
        drop(state);
        Some(self.file.number(event))
    }

    fn store(&mut self, new: Vec<NumberedEvent>) {
        let broken = self.shared.lock().broken.is_some();
        let pending = || self.shared.lock().pending.iter().chain(&new).cloned().collect::<Vec<_>>();
        let stored = if broken { self.file.rewrite(&pending()) } else { self.file.append(&new) };
        let mut state = self.shared.lock();
        if let Err(error) = &stored {
            tracing::error!(%error, "events cannot be stored: no session starts until they can");
        }
        state.broken = stored.err().map(|error| error.to_string());
        let arrived = !new.is_empty();
        // Unstored ones go to the CA all the same: better there than nowhere.
        state.pending.extend(new);
        drop(state);
        if arrived {
            self.shared.arrived.notify_one();
        }
    }

    fn acknowledged(&mut self, last: u64) {
        let remaining = {
            let mut state = self.shared.lock();
            while state.pending.front().is_some_and(|event| event.number <= last) {
                state.pending.pop_front();
            }
            state.pending.len()
        };
        self.file.acknowledge(last);
        if self.file.is_worth_compacting(remaining) {
            self.compact();
        }
    }

    fn renumber(&mut self, new: &mut [NumberedEvent], last: u64) {
        {
            let mut state = self.shared.lock();
            self.file.continue_after(last);
            for event in state.pending.iter_mut().chain(new) {
                event.number = self.file.next_number();
            }
        }
        self.compact();
    }

    fn skip(&mut self) {
        let skipped = self.shared.lock().pending.pop_front();
        if let Some(event) = skipped {
            tracing::error!(number = event.number, event = %event.event.event, "the CA does not take an event, and it is lost");
        }
        self.compact();
    }

    fn compact(&mut self) {
        let pending: Vec<NumberedEvent> = self.shared.lock().pending.iter().cloned().collect();
        if let Err(error) = self.file.rewrite(&pending) {
            tracing::error!(%error, "the events that wait cannot be stored anew");
            self.shared.lock().broken = Some(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests;
