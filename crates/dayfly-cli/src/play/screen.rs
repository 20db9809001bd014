//! Where a replay goes: a terminal, which is put right again afterwards, or a file or pipe, which gets text.

use super::filter::{Filter, Pass};
use std::io::{self, IsTerminal, Write};

/// Colours off, text and not line drawing, the first screen, whole scrolling region, wrapping, a cursor.
const PUT_RIGHT: &str = "\u{1b}[?1049l\u{1b}[0m\u{1b}(B\u{1b})B\u{f}\u{1b}[?6l\u{1b}[r\u{1b}[?7h\u{1b}[?25h";

/// Shows what recorded terminals printed.
pub struct Screen {
    filter: Option<Filter>,
    is_terminal: bool,
}

impl Screen {
    /// The standard output. `raw` gives it every byte as it was recorded.
    pub fn standard_output(raw: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let pass = if is_terminal { Pass::Screen } else { Pass::Text };
        Self { filter: (!raw).then(|| Filter::new(pass)), is_terminal }
    }

    /// Shows a piece of output.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match &mut self.filter {
            Some(filter) => out.write_all(filter.filter(text).as_bytes())?,
            None => out.write_all(text.as_bytes())?,
        }
        out.flush()
    }

    /// Leaves the terminal as if nothing had been shown on it but text.
    pub fn end(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.is_terminal {
            out.write_all(PUT_RIGHT.as_bytes())?;
        }
        writeln!(out)?;
        out.flush()
    }
}
