//! `dayfly-bastion watch`: what a recorded terminal shows, while it does.

use crate::{
    config::Config,
    operator::{Request, call},
};
use clap::Args;
use std::{
    io::{self, Read, Write},
    path::Path,
};
use uuid::Uuid;

/// Which session.
#[derive(Debug, Args)]
pub struct Watch {
    /// The session's id, as `dayfly-bastion sessions` shows it
    session: Uuid,
}

impl Watch {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let output = call::order(&Config::load(config)?.state, &Request::Watch { session: self.session })?;
        Ok(show(output, out)?)
    }
}

/// Text and line ends only: what somebody's terminal is told to do, the one that watches must not. Replaying the recording shows it as it looked.
fn show(mut output: impl Read, out: &mut dyn Write) -> io::Result<()> {
    let mut screen = strip_ansi_escapes::Writer::new(TextOnly(out));
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = match output.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        screen.write_all(buffer.get(..count).unwrap_or_default())?;
        screen.flush()?;
    }
}

/// Lets no control character through but the end of a line. The stripper writes whole characters.
struct TextOnly<'a>(&'a mut dyn Write);

impl Write for TextOnly<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text: String = String::from_utf8_lossy(bytes).chars().filter(|c| *c == '\n' || !c.is_control()).collect();
        self.0.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(buffer.len());
            self.0.read(&mut buffer[..size])
        }
    }

    #[test]
    fn row_25_who_watches_sees_text_and_no_sequence_reaches_their_terminal() {
        let output = "one\r\n\u{1b}[31mred\u{1b}[0m \u{1b}]52;c;eA==\u{7}\u{1b}]0;title\u{1b}\\\u{9b}2Jtwo\u{7}\u{8} grün\r\n".as_bytes();
        // However it is cut into pieces.
        for size in [1, 3, 7, output.len()] {
            let mut seen = Vec::new();
            show(Pieces(output, size), &mut seen).unwrap();
            let seen = String::from_utf8(seen).unwrap();
            assert!(!seen.chars().any(|c| c.is_control() && c != '\n'), "{seen:?}");
            assert!(seen.starts_with("one\nred ") && seen.ends_with(" grün\n") && !seen.contains("eA=="), "{seen:?}");
        }
    }
}
