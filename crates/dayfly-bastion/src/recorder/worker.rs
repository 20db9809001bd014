//! The thread that owns recordings: takes jobs in order, and stores what was written several times a second.

use super::{
    Gate, Job, RecordingFailure, Work,
    file::{self, Settings},
    quota::Quota,
};
use crate::session::{Exit, Plan, StartRequest};
use dayfly_core::signer::Signer;
use dayfly_recording::{
    Event, FinishedRecording, Outcome, RecordingError, RecordingWriter, SessionFacts, Stream, StreamTap, TerminalId, event::Exec,
};
use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use uuid::Uuid;

/// How often what was written is stored. Well below [`super::LONGEST_UNSYNCED`], so that a quick disk never holds anybody back.
const SYNC_INTERVAL: Duration = Duration::from_millis(200);

/// A session is one channel.
const CHANNEL: u32 = 0;

pub(super) struct Worker {
    root: PathBuf,
    signer: Arc<dyn Signer>,
    settings: Settings,
    quota: Arc<Quota>,
    jobs: mpsc::Receiver<Job>,
    active: HashMap<Uuid, Active>,
    unsynced: BTreeSet<Uuid>,
}

/// A recording that is being written.
struct Active {
    writer: RecordingWriter,
    gate: Arc<Gate>,
    person: String,
    /// How much of its size the quota knows.
    counted: u64,
    capture: Capture,
    /// How old the session was when it last did something, and when that was.
    latest: (Duration, Instant),
}

/// How bytes are kept.
enum Capture {
    /// Nothing was started yet.
    Nothing,
    /// As a terminal shows them.
    Terminal(TerminalId),
    /// As streams: the beginning, the count, the digest.
    Streams(Box<[(Stream, StreamTap); 3]>),
}

impl Worker {
    pub(super) fn new(root: PathBuf, signer: Arc<dyn Signer>, settings: Settings, quota: Arc<Quota>, jobs: mpsc::Receiver<Job>) -> Self {
        Self { root, signer, settings, quota, jobs, active: HashMap::new(), unsynced: BTreeSet::new() }
    }

    /// Works until everybody who could send a job is gone.
    pub(super) fn run(mut self) {
        let mut sync_due = None;
        loop {
            let job = match sync_due {
                None => self.jobs.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                Some(due) => self.jobs.recv_timeout(Instant::saturating_duration_since(&due, Instant::now())),
            };
            match job {
                Ok(job) => self.perform(job),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            if sync_due.is_some_and(|due| Instant::now() >= due) {
                self.sync();
            }
            sync_due = match (self.unsynced.is_empty(), sync_due) {
                (true, _) => None,
                (false, Some(due)) if due > Instant::now() => Some(due),
                (false, _) => Some(Instant::now() + SYNC_INTERVAL),
            };
        }
        self.sync();
    }

    fn perform(&mut self, job: Job) {
        match job.work {
            Work::Begin { facts, started_at, gate, reply } => {
                let begun = self.begin(job.session, *facts, started_at, gate);
                // Nobody waits any more: the recording ends as one in which nothing happened.
                if reply.send(begun.map_err(failure)).is_err() {
                    self.active.remove(&job.session);
                }
            }
            Work::Finish { done, outcome, reason, ended_at, reply } => {
                let finished = self.finish(job.session, job.elapsed, &done, outcome, reason, ended_at);
                let _ = reply.send(finished);
            }
            Work::Abandon => {
                self.unsynced.remove(&job.session);
                self.active.remove(&job.session);
            }
            work => self.write(job.session, job.elapsed, job.weight, work),
        }
    }

    fn begin(&mut self, session: Uuid, facts: SessionFacts, started_at: OffsetDateTime, gate: Arc<Gate>) -> Result<(), RecordingError> {
        let person = facts.subject.clone();
        let mut writer = RecordingWriter::create_in((self.settings.storage)(), &self.root, facts, started_at)?;
        if let Some(key) = &self.settings.unseen_key {
            writer.seal_unseen_with(key.sealer());
        }
        self.active.insert(
            session,
            Active { writer, gate, person, counted: 0, capture: Capture::Nothing, latest: (Duration::ZERO, Instant::now()) },
        );
        Ok(())
    }

    fn write(&mut self, session: Uuid, elapsed: Duration, weight: u32, work: Work) {
        let Some(active) = self.active.get_mut(&session) else { return };
        match active.write(elapsed, work) {
            Ok(()) => {
                active.gate.written(weight);
                self.unsynced.insert(session);
            }
            Err(error) => active.gate.fail(failure(error)),
        }
        active.count(&self.quota);
    }

    fn sync(&mut self) {
        for session in std::mem::take(&mut self.unsynced) {
            let Some(active) = self.active.get_mut(&session) else { continue };
            let asked = Instant::now();
            let elapsed = active.latest.0 + active.latest.1.elapsed();
            match active.writer.tick(elapsed).and_then(|()| active.writer.sync()) {
                Ok(()) => active.gate.synced(asked),
                Err(error) => active.gate.fail(failure(error)),
            }
            active.count(&self.quota);
            // What was typed waits for its echo, and not for ever.
            if active.writer.is_waiting() {
                self.unsynced.insert(session);
            }
        }
    }

    fn finish(
        &mut self,
        session: Uuid,
        elapsed: Duration,
        done: &[Event],
        outcome: Outcome,
        reason: String,
        ended_at: OffsetDateTime,
    ) -> Result<FinishedRecording, RecordingFailure> {
        self.unsynced.remove(&session);
        let mut active = self.active.remove(&session).ok_or_else(super::gone)?;
        // What fails here is remembered by the writer, which then seals the recording as failed.
        let _ = active.events(elapsed, done).and_then(|()| active.end_streams(elapsed));
        let signer = self.signer.clone();
        match active.writer.finish(elapsed, ended_at, outcome, reason, |manifest| file::sign(&*signer, manifest)) {
            Ok(finished) => Ok(finished),
            Err(RecordingError::SealedAsFailed { cause, finished }) => {
                tracing::error!(%session, cause, "a recording has failed, and was sealed as it is");
                Ok(*finished)
            }
            Err(error) => Err(failure(error)),
        }
    }
}

impl Active {
    /// Tells the quota how much was written, and has the session end if it is too much.
    fn count(&mut self, quota: &Quota) {
        let size = self.writer.size();
        let new = size.saturating_sub(std::mem::replace(&mut self.counted, size));
        if let Err(passed) = quota.take(&self.person, new, size, Instant::now()) {
            self.gate.fail(RecordingFailure::Over(passed.to_string()));
        }
    }

    fn write(&mut self, elapsed: Duration, work: Work) -> Result<(), RecordingError> {
        let channel = CHANNEL;
        self.latest = (elapsed, Instant::now());
        let event = match work {
            Work::Started { plan, transfer } => return self.started(elapsed, plan, transfer),
            Work::Bytes { stream, bytes, done } => {
                self.events(elapsed, &done)?;
                return self.bytes(elapsed, stream, &bytes);
            }
            Work::Resized(size) => {
                let Capture::Terminal(terminal) = self.capture else { return Ok(()) };
                return self.writer.resize(terminal, elapsed, size.columns, size.rows);
            }
            Work::Eof(stream) => Event::Eof { channel, stream },
            Work::Signalled(name) => Event::Signal { channel, name },
            Work::Exited(Exit::Status(status)) => Event::ExitStatus { channel, status },
            Work::Exited(Exit::Signal { name, core_dumped, message }) => Event::ExitSignal { channel, name, core_dumped, message },
            Work::Refused { what, why } => Event::Refused { channel: Some(channel), what: what.to_owned(), why },
            Work::Listening(at) => Event::Listen { channel, host: at.host().to_owned(), port: at.port() },
            Work::AgentUsed(used) => Event::AgentUse { channel, connections: used.connections, asked: used.asked, answered: used.answered },
            Work::Begin { .. } | Work::Finish { .. } | Work::Abandon => return Ok(()),
        };
        self.writer.write(elapsed, &event)
    }

    fn started(&mut self, elapsed: Duration, plan: Plan, transfer: Option<Vec<Event>>) -> Result<(), RecordingError> {
        let channel = CHANNEL;
        for (name, value) in plan.environment {
            self.writer.write(elapsed, &Event::Env { channel, name, accepted: true, value: Some(value) })?;
        }
        if plan.agent {
            self.writer.write(elapsed, &Event::AgentForwarding { channel })?;
        }
        self.capture = match &plan.terminal {
            Some(terminal) => {
                Capture::Terminal(self.writer.open_terminal(elapsed, channel, &terminal.term, terminal.size.columns, terminal.size.rows)?)
            }
            // What is done with files is told one by one, and what they hold stays with those whose files they are.
            None if transfer.is_some() => transfer_streams(),
            // What goes into a shell are commands, all of which are kept; other streams are bounded.
            // Bulk that programs exchange: counted and hashed.
            None if matches!(plan.start, StartRequest::Forward(_) | StartRequest::Arrival { .. }) => streams(|| StreamTap::with_limit(0)),
            None if plan.forced.is_none() && plan.start == StartRequest::Shell => streams(|| StreamTap::with_limit(u64::MAX)),
            None => streams(StreamTap::new),
        };
        let event = match (plan.forced, plan.start) {
            (_, StartRequest::Arrival { at, from }) => Event::Arrival { channel, host: at.host().to_owned(), port: at.port(), from },
            (_, StartRequest::Forward(to)) => Event::Forward { channel, host: to.host().to_owned(), port: to.port() },
            (Some(forced), StartRequest::Exec(asked)) => Event::Exec(Exec::forced(channel, forced.as_str(), Some(asked))),
            (Some(forced), StartRequest::Shell | StartRequest::Subsystem(_)) => Event::Exec(Exec::forced(channel, forced.as_str(), None)),
            (None, StartRequest::Exec(command)) => Event::Exec(Exec::new(channel, command)),
            (None, StartRequest::Shell) => Event::Shell { channel },
            (None, StartRequest::Subsystem(name)) => Event::Subsystem { channel, name },
        };
        self.writer.write(elapsed, &event)?;
        self.events(elapsed, &transfer.unwrap_or_default())
    }

    fn events(&mut self, elapsed: Duration, events: &[Event]) -> Result<(), RecordingError> {
        events.iter().try_for_each(|event| self.writer.write(elapsed, event))
    }

    fn bytes(&mut self, elapsed: Duration, stream: Stream, bytes: &[u8]) -> Result<(), RecordingError> {
        match &mut self.capture {
            Capture::Nothing => Ok(()),
            Capture::Terminal(terminal) if stream == Stream::Stdin => self.writer.terminal_input(*terminal, elapsed, bytes),
            Capture::Terminal(terminal) => self.writer.terminal_output(*terminal, elapsed, bytes),
            Capture::Streams(taps) => {
                let Some((_, tap)) = taps.iter_mut().find(|(of, _)| *of == stream) else { return Ok(()) };
                match tap.observe(bytes) {
                    Some(part) => self.writer.write(elapsed, &Event::chunk(CHANNEL, stream, part.offset, part.data)),
                    None => Ok(()),
                }
            }
        }
    }

    fn end_streams(&mut self, elapsed: Duration) -> Result<(), RecordingError> {
        let Capture::Streams(taps) = std::mem::replace(&mut self.capture, Capture::Nothing) else { return Ok(()) };
        taps.into_iter().try_for_each(|(stream, tap)| self.writer.write(elapsed, &Event::stream_end(CHANNEL, stream, tap.finish())))
    }
}

fn streams(tap: impl Fn() -> StreamTap) -> Capture {
    Capture::Streams(Box::new([(Stream::Stdin, tap()), (Stream::Stdout, tap()), (Stream::Stderr, tap())]))
}

fn transfer_streams() -> Capture {
    let counted = || StreamTap::with_limit(0);
    Capture::Streams(Box::new([(Stream::Stdin, counted()), (Stream::Stdout, counted()), (Stream::Stderr, StreamTap::new())]))
}

fn failure(error: RecordingError) -> RecordingFailure {
    RecordingFailure::Failed(error.to_string())
}
