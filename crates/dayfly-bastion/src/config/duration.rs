//! Durations as people write them: `30s`, `5m`.

use serde::{Deserialize, Deserializer, de::Error};
use std::time::Duration;

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?)
}

fn parse<E: Error>(text: &str) -> Result<Duration, E> {
    humantime::parse_duration(text).map_err(|error| E::custom(format!("{text:?} is not a duration ({error}): write 30s or 5m")))
}

/// A duration, or `never`.
pub(super) mod or_never {
    use super::{Deserialize, Deserializer, Duration, parse};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" { Ok(None) } else { parse(&text).map(Some) }
    }
}
