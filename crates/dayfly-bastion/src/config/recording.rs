//! `[recording]`: how much may be recorded, and who may read what was typed unseen.

use crate::recorder::{Bounds, UnseenKey};
use serde::Deserialize;

/// What is told of recordings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordingConfig {
    /// How large they may get.
    pub bounds: Bounds,
    /// To whom what was typed unseen is encrypted. None: it is only counted.
    pub unseen_input_key: Option<UnseenKey>,
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    session_bytes: u64,
    person_bytes_per_hour: u64,
    unseen_input_key: Option<String>,
}

impl Default for Section {
    fn default() -> Self {
        let bounds = Bounds::default();
        Self { session_bytes: bounds.session, person_bytes_per_hour: bounds.person_per_hour, unseen_input_key: None }
    }
}

impl Section {
    /// Checks it.
    pub(super) fn check(self) -> Result<RecordingConfig, String> {
        if self.session_bytes == 0 || self.person_bytes_per_hour == 0 {
            return Err("recording: a bound of 0 would let no session run".to_owned());
        }
        let key = self.unseen_input_key.map(|key| key.parse()).transpose();
        Ok(RecordingConfig {
            bounds: Bounds { session: self.session_bytes, person_per_hour: self.person_bytes_per_hour },
            unseen_input_key: key.map_err(|error| format!("recording.unseen_input_key: {error}"))?,
        })
    }
}
