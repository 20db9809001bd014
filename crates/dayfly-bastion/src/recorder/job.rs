//! What a session asks of the thread that owns its recording.

use super::{Gate, RecordingFailure};
use crate::{
    live::AgentUse,
    session::{Exit, Plan, Size},
};
use bytes::Bytes;
use dayfly_core::forward::ListenAddress;
use dayfly_recording::{Event, FinishedRecording, Outcome, SessionFacts, Stream};
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use uuid::Uuid;

/// Something to record.
#[derive(Debug)]
pub(super) struct Job {
    /// Whose.
    pub(super) session: Uuid,
    /// When, since the session began.
    pub(super) elapsed: Duration,
    /// What it weighs on the session's gate.
    pub(super) weight: u32,
    /// What.
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    Begin {
        facts: Box<SessionFacts>,
        started_at: OffsetDateTime,
        gate: Arc<Gate>,
        reply: oneshot::Sender<Result<(), RecordingFailure>>,
    },
    Started {
        plan: Plan,
        /// What there is to tell of the files that its streams carry, if they do.
        transfer: Option<Vec<Event>>,
    },
    Bytes {
        stream: Stream,
        bytes: Bytes,
        /// What these bytes do, as far as they carry files.
        done: Vec<Event>,
    },
    Eof(Stream),
    Resized(Size),
    Signalled(String),
    Exited(Exit),
    Refused {
        what: &'static str,
        why: String,
    },
    Listening(ListenAddress),
    AgentUsed(AgentUse),
    Finish {
        done: Vec<Event>,
        outcome: Outcome,
        reason: String,
        ended_at: OffsetDateTime,
        reply: oneshot::Sender<Result<FinishedRecording, RecordingFailure>>,
    },
    Abandon,
}
