//! Why an answer of a source cannot be used.

use crate::mistake::Mistakes;
use dayfly_core::target::InventoryError;
use std::time::Duration;

/// How many mistakes are told one by one.
const TOLD: usize = 10;

/// The longest text, in characters.
const LONGEST: usize = 1000;

/// Why an answer of a source cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is none.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It took too long.
    #[error("it did not end within {}, and was ended", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// It is too long.
    #[error("its answer is larger than max_bytes, {0}")]
    TooLarge(u64),
    /// It makes no sense, or says what this source may not say.
    #[error("{0}")]
    Bad(String),
    /// It lists what is listed elsewhere, or twice.
    #[error("{0}")]
    Double(String),
}

impl Trouble {
    /// One word for it. A failure of another kind than the last one is an event.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::TimedOut(_) => "timed_out",
            Self::TooLarge(_) => "too_large",
            Self::Bad(_) => "bad",
            Self::Double(_) => "double",
        }
    }

    /// Mistakes of one answer. What they quote is others' text.
    pub(super) fn bad(mistakes: &[String]) -> Self {
        Self::Bad(told(mistakes))
    }

    /// What stands in the way of an answer beside the others.
    pub(super) fn beside(errors: &[InventoryError]) -> Self {
        let text = told(&errors.iter().map(ToString::to_string).collect::<Vec<_>>());
        let is_double = |error: &InventoryError| match error {
            InventoryError::DuplicateName(_)
            | InventoryError::NameIsAlsoGroup(_)
            | InventoryError::SameAddressTwoModes { .. }
            | InventoryError::OneHostTwice { .. }
            | InventoryError::SameKeyTwoModes { .. } => true,
            InventoryError::ReservedName(_)
            | InventoryError::NoHostKey(_)
            | InventoryError::BadKey { .. }
            | InventoryError::BadAddress(_)
            | InventoryError::LimitsNobody(_) => false,
        };
        if errors.iter().any(is_double) { Self::Double(text) } else { Self::Bad(text) }
    }
}

impl From<Mistakes> for Trouble {
    fn from(mistakes: Mistakes) -> Self {
        Self::bad(&mistakes.0.iter().map(ToString::to_string).collect::<Vec<_>>())
    }
}

fn told(mistakes: &[String]) -> String {
    let more = mistakes.len().saturating_sub(TOLD);
    let text = mistakes.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
    neutral(&if more > 0 { format!("{text}; and {more} more") } else { text })
}

/// Nothing that draws on a terminal, and not more than the log keeps.
fn neutral(text: &str) -> String {
    let is_harmless =
        |c: char| !c.is_control() && !matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().take(LONGEST).map(|c| if is_harmless(c) { c } else { '\u{fffd}' }).collect()
}
