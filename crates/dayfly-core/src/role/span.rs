//! How long something in a session may last.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest, in seconds: thirty days.
const LONGEST: u64 = 30 * 24 * 60 * 60;

/// A time between one second and thirty days. Written `10m`, `8h`, `1d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionSpan(u64);

/// Text that is no such time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time between 1s and 30d: write 10m, 8h or 1d")]
pub struct SessionSpanError(String);

impl SessionSpan {
    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl TryFrom<String> for SessionSpan {
    type Error = SessionSpanError;
    fn try_from(text: String) -> Result<Self, SessionSpanError> {
        let seconds = humantime::parse_duration(&text).map(|duration| duration.as_secs()).ok();
        seconds.filter(|seconds| (1..=LONGEST).contains(seconds)).map(Self).ok_or_else(|| SessionSpanError(text.chars().take(64).collect()))
    }
}

impl From<SessionSpan> for String {
    fn from(span: SessionSpan) -> String {
        humantime::format_duration(span.duration()).to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_span_reads_back_as_it_was_written() {
        for text in ["1s", "10m", "8h", "30days"] {
            let span = SessionSpan::try_from(text.to_owned()).unwrap();
            assert_eq!(SessionSpan::try_from(String::from(span)), Ok(span), "{text}");
        }
        for bad in ["", "0s", "31d", "999ms", "soon", "-1m"] {
            assert!(SessionSpan::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
