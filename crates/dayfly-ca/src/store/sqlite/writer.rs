//! One thread that writes. Whatever waits when it is free goes to disk as one transaction: one `fsync` for many.

use super::{
    append::{self, Tail},
    change::{self, Applied},
    unavailable,
};
use crate::store::{Change, Position, StoreError};
use dayfly_core::audit::{AuditEvent, Event, Reporter};
use rusqlite::{Connection, TransactionBehavior};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// How many may wait. Whoever comes then waits to be let in.
const WAITING: usize = 4096;

/// The most that one transaction takes. Past some hundreds the `fsync` is no longer what it costs.
const LARGEST_BATCH: usize = 512;

/// The way to the thread.
pub(super) struct Writer {
    /// `None` only while it is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Job {
    change: Change,
    event: Entry,
    answer: oneshot::Sender<Result<Position, StoreError>>,
}

/// What the log needs of an event.
pub(super) struct Entry {
    /// Its canonical bytes.
    pub(super) bytes: String,
    /// When, in Unix milliseconds.
    pub(super) time: i64,
    /// Whether the clock of the CA's own host said so.
    pub(super) is_own_time: bool,
    /// Whether it lets something be signed.
    pub(super) permits_signing: bool,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (sender, jobs) = mpsc::channel(WAITING);
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || run(connection, jobs));
        let thread = thread.map_err(|error| StoreError::Unavailable(format!("its thread cannot be started: {error}")))?;
        Ok(Self { jobs: Some(sender), thread: Some(thread) })
    }

    /// Makes `change` and appends `event`, both or neither.
    pub(super) async fn commit(&self, change: Change, event: AuditEvent) -> Result<Position, StoreError> {
        let stopped = || StoreError::Unavailable("its thread has stopped: restart the program".to_owned());
        let (answer, answered) = oneshot::channel();
        let job = Job { change, event: Entry::new(&event)?, answer };
        self.jobs.as_ref().ok_or_else(stopped)?.send(job).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    /// What waits is still written, and the file closed in order.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(Err(_)) = self.thread.take().map(thread::JoinHandle::join) {
            tracing::error!("the store's thread had stopped on a defect");
        }
    }
}

impl Entry {
    fn new(event: &AuditEvent) -> Result<Self, StoreError> {
        let bytes = String::from_utf8(event.canonical_bytes()?).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let time = i64::try_from(event.time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
        let is_own_time = matches!(event.reporter, Reporter::Ca | Reporter::Administrator);
        Ok(Self { bytes, time, is_own_time, permits_signing: is_own_time && permits_signing(event.event) })
    }
}

/// The events that a signature leaves the CA with.
fn permits_signing(event: Event) -> bool {
    matches!(event, Event::CertificateIntended | Event::SessionStarted | Event::HostCertificateIssued | Event::InnerHostCertificateIssued)
}

fn run(mut connection: Connection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < LARGEST_BATCH
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        write(&mut connection, batch);
    }
}

/// Writes a batch and answers when it is on disk. What fails by itself is left out alone; what cannot be put on disk fails the whole batch.
fn write(connection: &mut Connection, batch: Vec<Job>) {
    match in_one_transaction(connection, &batch) {
        // Whoever stopped waiting needs no answer.
        Ok(outcomes) => batch.into_iter().zip(outcomes).for_each(|(job, outcome)| drop(job.answer.send(outcome))),
        Err(error) => {
            tracing::error!(%error, waiting = batch.len(), "nothing could be written to the store");
            batch.into_iter().for_each(|job| drop(job.answer.send(Err(unavailable(&error)))));
        }
    }
}

fn in_one_transaction(connection: &mut Connection, batch: &[Job]) -> rusqlite::Result<Vec<Result<Position, StoreError>>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut tail = Tail::read(&transaction)?;
    let outcomes = batch.iter().map(|job| isolated(&transaction, &mut tail, job)).collect::<rusqlite::Result<_>>()?;
    tail.write_clock(&transaction)?;
    transaction.commit()?;
    Ok(outcomes)
}

/// One job between a savepoint and its release, so that a conflict undoes that job alone. The outer error is the file's: it ends the transaction.
fn isolated(connection: &Connection, tail: &mut Tail, job: &Job) -> rusqlite::Result<Result<Position, StoreError>> {
    connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    let outcome = one(connection, tail, job);
    if matches!(outcome, Ok(Err(_))) {
        connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    connection.prepare_cached("RELEASE job")?.execute([])?;
    outcome
}

fn one(connection: &Connection, tail: &mut Tail, job: &Job) -> rusqlite::Result<Result<Position, StoreError>> {
    match change::apply(connection, &job.change)? {
        Ok(Applied::Now) => append::append(connection, tail, &job.event),
        Ok(Applied::Before) => Ok(Ok(tail.position())),
        Err(refused) => Ok(Err(refused)),
    }
}
