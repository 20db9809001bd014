//! Numbers the events and makes lines of them.

use crate::{event::Event, layout::FileName, writer::error::RecordingError};
use serde::Serialize;
use std::time::Duration;

/// The number of the next event.
#[derive(Debug, Default)]
pub(crate) struct Sequence(u64);

/// As [`crate::EventLine`], borrowed.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time_ms: u64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Sequence {
    /// The line of the next event, newline included.
    pub(crate) fn next(&mut self, elapsed: Duration, event: &Event) -> Result<Vec<u8>, RecordingError> {
        let time_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let line = serde_json::to_vec(&Line { seq: self.0, time_ms, event });
        let mut line = line.map_err(|source| RecordingError::Encoding { file: FileName::Events.to_string(), source })?;
        line.push(b'\n');
        self.0 += 1;
        Ok(line)
    }
}
