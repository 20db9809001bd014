//! Durations within bounds.

use serde::Deserialize;
use std::time::Duration;

/// A duration from `LEAST` to `MOST` seconds. Written `30d`, `12h`, `90s`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Span<const LEAST: u64, const MOST: u64>(pub(super) Duration);

impl<const LEAST: u64, const MOST: u64> TryFrom<String> for Span<LEAST, MOST> {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let shown: String = text.chars().take(64).collect();
        let duration = humantime::parse_duration(&text).map_err(|_| format!("{shown:?} is not a duration: write 30d, 12h or 10m"))?;
        let in_words = |seconds| humantime::format_duration(Duration::from_secs(seconds));
        if (LEAST..=MOST).contains(&duration.as_secs()) {
            return Ok(Self(duration));
        }
        Err(format!("{shown:?} is out of bounds: write a duration from {} to {}", in_words(LEAST), in_words(MOST)))
    }
}
