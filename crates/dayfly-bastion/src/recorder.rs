//! The port to the recorder: what keeps evidence of a session while it runs.
//!
//! A session hands over what happens and goes on; a [`Gate`] holds it back as soon as the disk falls behind: by more than [`MOST_QUEUED`] bytes, or by more
//! than [`LONGEST_UNSYNCED`]. So nothing crosses the bastion that is not stored a moment later, and a disk that fails ends the sessions that it cannot keep.

mod file;
mod gate;
mod job;
mod worker;

pub use file::{FileRecorder, StorageMaker, seal_interrupted};
pub use gate::{Gate, LONGEST_UNSYNCED, MOST_QUEUED};
use job::{Job, Work};

use crate::session::{Ending, Exit, Plan, Size};
use bytes::Bytes;
use dayfly_recording::{FinishedRecording, SessionFacts, Stream};
use std::{
    pin::Pin,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use uuid::Uuid;

/// A recording that is being begun.
pub type Beginning<'a> = Pin<Box<dyn Future<Output = Result<Recording, RecordingFailure>> + Send + 'a>>;

/// Something could not be recorded. Whatever it was must not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecordingFailure(pub String);

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
}

impl Recording {
    /// What was started, and with what.
    pub async fn started(&self, plan: &Plan) -> Result<(), RecordingFailure> {
        let weight = plan.start.length() + plan.environment.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.submit(weight, Work::Started(plan.clone())).await
    }

    /// Bytes of a stream, before they are passed on.
    pub async fn bytes(&self, stream: Stream, bytes: Bytes) -> Result<(), RecordingFailure> {
        self.submit(bytes.len(), Work::Bytes(stream, bytes)).await
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
    pub async fn refused(&self, what: &'static str, why: &'static str) -> Result<(), RecordingFailure> {
        self.submit(0, Work::Refused { what, why }).await
    }

    /// Seals the recording. When it returns, manifest and signature are on disk.
    pub async fn finish(&self, ending: &Ending) -> Result<FinishedRecording, RecordingFailure> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Finish { outcome: ending.outcome, reason: ending.reason.clone(), ended_at: OffsetDateTime::now_utc(), reply };
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
    RecordingFailure("the recorder has stopped".to_owned())
}
