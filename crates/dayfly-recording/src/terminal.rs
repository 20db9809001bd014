//! What a terminal showed: `terminal-N.cast`, in the asciicast format of version 2.
//!
//! <https://docs.asciinema.org/manual/asciicast/v2/>

mod text;

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap, time::Duration};
pub use text::TextDecoder;
use time::OffsetDateTime;

/// The first line of a cast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalHeader {
    /// Always 2.
    pub version: u32,
    /// Width in characters at the beginning.
    pub width: u32,
    /// Height in characters at the beginning.
    pub height: u32,
    /// When the terminal was opened: seconds since 1970-01-01 UTC.
    pub timestamp: i64,
    /// `TERM`, as the client said it.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

impl TerminalHeader {
    /// The header of a terminal opened at `opened_at`. A client without a size of its own (0) gets 80 by 24, which players can show.
    pub fn new(term: &str, columns: u32, rows: u32, opened_at: OffsetDateTime) -> Self {
        Self {
            version: 2,
            width: if columns == 0 { 80 } else { columns },
            height: if rows == 0 { 24 } else { rows },
            timestamp: opened_at.unix_timestamp(),
            env: BTreeMap::from([("TERM".to_owned(), term.to_owned())]),
        }
    }
}

/// A further line of a cast: `[seconds, code, data]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalEvent {
    /// The time since the terminal was opened, in whole microseconds.
    pub time: Duration,
    /// What happened.
    pub action: TerminalAction,
}

/// What happened at a terminal.
///
/// Text is what crossed the connection, escape sequences included: only a terminal emulator may be fed with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalAction {
    /// `"o"`: the target printed text.
    Output(String),
    /// `"i"`: the person typed text.
    Input(String),
    /// `"r"`: the terminal's size changed.
    Resize {
        /// Width in characters.
        columns: u32,
        /// Height in characters.
        rows: u32,
    },
}

/// A line that is no asciicast event.
#[derive(Debug, thiserror::Error)]
pub enum TerminalLineError {
    /// It is not `[number, "code", "data"]`.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Its time is negative or beyond all measure.
    #[error("the time {0} is out of range")]
    Time(f64),
    /// Its code is none of `o`, `i`, `r`.
    #[error("the code {0:?} is not one of \"o\", \"i\", \"r\"")]
    Code(String),
    /// Its size is not `COLUMNSxROWS`.
    #[error("the size {0:?} is not of the form 80x24")]
    Size(String),
}

impl TerminalEvent {
    /// The line, newline included.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        let (code, data) = match &self.action {
            TerminalAction::Output(text) => ('o', Cow::Borrowed(text)),
            TerminalAction::Input(text) => ('i', Cow::Borrowed(text)),
            TerminalAction::Resize { columns, rows } => ('r', Cow::Owned(format!("{columns}x{rows}"))),
        };
        let data = serde_json::to_string(data.as_ref())?;
        Ok(format!("[{}.{:06}, \"{code}\", {data}]\n", self.time.as_secs(), self.time.subsec_micros()))
    }

    /// Reads a line.
    pub fn from_line(line: &[u8]) -> Result<Self, TerminalLineError> {
        let (seconds, code, data): (f64, String, String) = serde_json::from_slice(line)?;
        let time = Duration::try_from_secs_f64(seconds).map_err(|_| TerminalLineError::Time(seconds))?;
        let time = Duration::from_micros(nearest_microsecond(time).ok_or(TerminalLineError::Time(seconds))?);
        let action = match code.as_str() {
            "o" => TerminalAction::Output(data),
            "i" => TerminalAction::Input(data),
            "r" => match data.split_once('x').map(|(columns, rows)| (columns.parse(), rows.parse())) {
                Some((Ok(columns), Ok(rows))) => TerminalAction::Resize { columns, rows },
                _ => return Err(TerminalLineError::Size(data)),
            },
            _ => return Err(TerminalLineError::Code(code)),
        };
        Ok(Self { time, action })
    }
}

// A decimal fraction is seldom a binary one, so what was read may be a hair off.
fn nearest_microsecond(time: Duration) -> Option<u64> {
    u64::try_from((time.as_nanos() + 500) / 1000).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_look_as_players_expect() {
        let line = |micros, action| TerminalEvent { time: Duration::from_micros(micros), action }.to_line().unwrap();
        assert_eq!(line(1_000_042, TerminalAction::Output("a\u{1b}[m\r\n\"é".into())), "[1.000042, \"o\", \"a\\u001b[m\\r\\n\\\"é\"]\n");
        assert_eq!(line(0, TerminalAction::Input("\u{3}".into())), "[0.000000, \"i\", \"\\u0003\"]\n");
        assert_eq!(line(86_400_000_001, TerminalAction::Resize { columns: 132, rows: 43 }), "[86400.000001, \"r\", \"132x43\"]\n");
    }

    #[test]
    fn a_header_has_a_size_that_can_be_shown() {
        let header = TerminalHeader::new("xterm", 0, 0, OffsetDateTime::UNIX_EPOCH);
        assert_eq!(serde_json::to_string(&header).unwrap(), r#"{"version":2,"width":80,"height":24,"timestamp":0,"env":{"TERM":"xterm"}}"#);
        assert_eq!(TerminalHeader::new("xterm", 132, 43, OffsetDateTime::UNIX_EPOCH).width, 132);
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "",
            "{}",
            "[1, \"o\"]",
            "[-1.0, \"o\", \"\"]",
            "[1e300, \"o\", \"\"]",
            "[1.0, \"x\", \"\"]",
            "[1.0, \"r\", \"80\"]",
            "[1.0, \"r\", \"80x-1\"]",
        ] {
            assert!(TerminalEvent::from_line(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn events_round_trip(micros in 0..1_000_000_000_000_000u64, text: String, columns: u32, rows: u32) {
            for action in [TerminalAction::Output(text.clone()), TerminalAction::Input(text.clone()), TerminalAction::Resize { columns, rows }] {
                let event = TerminalEvent { time: Duration::from_micros(micros), action };
                let line = event.to_line().unwrap();
                prop_assert_eq!(line.matches('\n').count(), 1);
                prop_assert_eq!(TerminalEvent::from_line(line.as_bytes()).unwrap(), event);
            }
        }
    }
}
