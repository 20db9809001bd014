//! Where a replay goes: a terminal, which is put right again afterwards, or a file or pipe, which gets text.

use super::filter::{Filter, Pass};
use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
};

/// Whole scrolling region without moving the cursor, colours off, text and not line drawing, wrapping, a cursor.
const PUT_RIGHT: &str = "\u{1b}7\u{1b}[r\u{1b}8\u{1b}[0m\u{1b}(B\u{1b})B\u{f}\u{1b}[?7h\u{1b}[?25h";

/// Back to the first screen. Only where it was left: else it moves the cursor.
const FIRST_SCREEN: &str = "\u{1b}[?1049l";

/// What leaves the first screen.
const SECOND_SCREEN: [&str; 3] = ["\u{1b}[?47h", "\u{1b}[?1047h", "\u{1b}[?1049h"];

/// Shows what recorded terminals printed.
pub struct Screen {
    filter: Option<Filter>,
    is_terminal: bool,
    left_first_screen: bool,
}

impl Screen {
    /// The standard output. `raw` gives it every byte as it was recorded.
    pub fn standard_output(raw: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let pass = if is_terminal { Pass::Screen } else { Pass::Text };
        Self { filter: (!raw).then(|| Filter::new(pass)), is_terminal, left_first_screen: false }
    }

    /// Shows a piece of output.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        let shown = match &mut self.filter {
            Some(filter) => Cow::Owned(filter.filter(text)),
            None => Cow::Borrowed(text),
        };
        self.left_first_screen |= SECOND_SCREEN.iter().any(|sequence| shown.contains(sequence));
        let mut out = io::stdout().lock();
        out.write_all(shown.as_bytes())?;
        out.flush()
    }

    /// Leaves the terminal as if nothing had been shown on it but text.
    pub fn end(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.is_terminal {
            let back = if self.left_first_screen { FIRST_SCREEN } else { "" };
            write!(out, "{back}{PUT_RIGHT}")?;
        }
        writeln!(out)?;
        out.flush()
    }
}
