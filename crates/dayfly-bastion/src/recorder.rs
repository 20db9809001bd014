//! The port to the recorder: what keeps evidence of a session while it runs.
//!
//! A session hands over what happens and goes on; a [`Gate`] holds it back as soon as the disk falls behind: by more than [`MOST_QUEUED`] bytes, or by more
//! than [`LONGEST_UNSYNCED`]. So nothing crosses the bastion that is not stored a moment later, and a disk that fails ends the sessions that it cannot keep.

mod file;
mod gate;
mod job;
mod quota;
mod unseen;
mod watched;
mod worker;

pub use file::{FileRecorder, Settings, StorageMaker, seal_interrupted};
pub use gate::{Gate, LONGEST_UNSYNCED, MOST_QUEUED};
use job::{Job, Work};
pub use quota::Bounds;
pub use unseen::UnseenKey;
use watched::Watched;

use crate::{
    live::AgentUse,
    session::{Ending, Event, Exit, Plan, Size},
};
use bytes::Bytes;
use dayfly_core::{forward::ListenAddress, reason::Reason};
use dayfly_recording::{FinishedRecording, SessionFacts, Stream};
use std::{
    pin::Pin,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use uuid::Uuid;

/// What an event of a transfer weighs on the gate at least, in bytes.
const LEAST_EVENT: usize = 256;

/// A recording that is being begun.
pub type Beginning<'a> = Pin<Box<dyn Future<Output = Result<Recording, RecordingFailure>> + Send + 'a>>;

/// Something could not be recorded. Whatever it was must not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingFailure {
    /// It could not be stored, or nobody could have said what it was.
    #[error("{0}")]
    Failed(String),
    /// The person has recorded as much as they may.
    #[error("{0}")]
    Over(String),
}

impl RecordingFailure {
    /// What it means for the session.
    pub fn event(self) -> Event {
        match self {
            Self::Failed(cause) => Event::RecordingFailed(cause),
            Self::Over(message) => Event::Terminated { reason: Reason::LimitReached, message },
        }
    }
}

/// Keeps recordings.
pub trait Recorder: Send + Sync {
    /// Begins a recording. When it is there, the recording is on disk.
    fn begin(&self, facts: SessionFacts, started_at: OffsetDateTime) -> Beginning<'_>;
}

/// One session's recording, from the session's side.
#[derive(Debug)]
pub struct Recording {
    session: Uuid,
    began: Instant,
    gate: Arc<Gate>,
    worker: mpsc::Sender<Job>,
    /// The files that cross the session are followed here and not by the worker: what cannot be followed must not be passed on.
    watched: Watched,
}

impl Recording {
    /// What was started, and with what.
    pub async fn started(&self, plan: &Plan) -> Result<(), RecordingFailure> {
        let weight = plan.start.length() + plan.environment.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.submit(weight, Work::Started { plan: plan.clone(), transfer: self.watched.begin(plan) }).await
    }

    /// Bytes of a stream, before they are passed on.
    pub async fn bytes(&self, stream: Stream, bytes: Bytes) -> Result<(), RecordingFailure> {
        if stream == Stream::Stdin {
            self.watched.room().await;
        }
        let done = self.watched.observe(stream, &bytes).map_err(|failure| self.gate.failed(failure))?;
        // Small requests make more to write than they are, and name what has long names by short handles.
        let told: usize = done.iter().map(|event| event.length().max(LEAST_EVENT)).sum();
        self.submit(bytes.len() + told, Work::Bytes { stream, bytes, done }).await
    }

    /// One side sends no more.
    pub async fn eof(&self, stream: Stream) -> Result<(), RecordingFailure> {
        self.submit(0, Work::Eof(stream)).await
    }

    /// The terminal's size changed.
    pub async fn resized(&self, size: Size) -> Result<(), RecordingFailure> {
        self.submit(0, Work::Resized(size)).await
    }

    /// The client sent a signal.
    pub async fn signalled(&self, name: &str) -> Result<(), RecordingFailure> {
        self.submit(name.len(), Work::Signalled(name.to_owned())).await
    }

    /// What ran ended.
    pub async fn exited(&self, exit: &Exit) -> Result<(), RecordingFailure> {
        self.submit(1024, Work::Exited(exit.clone())).await
    }

    /// Something was refused.
    pub async fn refused(&self, what: &'static str, why: String) -> Result<(), RecordingFailure> {
        self.submit(why.len(), Work::Refused { what, why }).await
    }

    /// The target listens for the client.
    pub async fn listening(&self, at: &ListenAddress) -> Result<(), RecordingFailure> {
        self.submit(0, Work::Listening(at.clone())).await
    }

    /// What use was made of the client's agent.
    pub async fn agent_used(&self, used: AgentUse) -> Result<(), RecordingFailure> {
        self.submit(0, Work::AgentUsed(used)).await
    }

    /// Seals the recording. When it returns, manifest and signature are on disk.
    pub async fn finish(&self, ending: &Ending) -> Result<FinishedRecording, RecordingFailure> {
        let (reply, answer) = oneshot::channel();
        let done = self.watched.finish();
        let work =
            Work::Finish { done, outcome: ending.outcome, reason: ending.reason.clone(), ended_at: OffsetDateTime::now_utc(), reply };
        self.send(0, work)?;
        answer.await.map_err(|_| gone())?
    }

    /// How long what happened has been on its way to the disk.
    pub fn lag(&self) -> Duration {
        self.gate.lag()
    }

    /// Returns when the recording has failed.
    pub async fn failure(&self) -> RecordingFailure {
        self.gate.failure().await
    }

    async fn submit(&self, bytes: usize, work: Work) -> Result<(), RecordingFailure> {
        let weight = self.gate.enter(bytes).await?;
        self.send(weight, work)
    }

    fn send(&self, weight: u32, work: Work) -> Result<(), RecordingFailure> {
        let job = Job { session: self.session, elapsed: self.began.elapsed(), weight, work };
        self.worker.send(job).map_err(|_| gone())
    }
}

impl Drop for Recording {
    /// A recording that was not finished is let go of, so that the next start can seal it.
    fn drop(&mut self) {
        let _ = self.send(0, Work::Abandon);
    }
}

fn gone() -> RecordingFailure {
    RecordingFailure::Failed("the recorder has stopped".to_owned())
}
