//! Writes one terminal's cast.

use crate::{
    layout::FileName,
    terminal::{TerminalAction, TerminalEvent, TerminalHeader, TextDecoder},
    typed::{Typed, Typing},
    writer::{error::RecordingError, file::LineFile, storage::Storage},
};
use std::{path::Path, time::Duration};

/// As much goes into one line: with every byte escaped it is still far below the longest line.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Something that was typed, and that the terminal did not show.
pub(crate) struct Unseen {
    pub(crate) channel: u32,
    pub(crate) text: String,
}

/// The writer of `terminal-N.cast`.
pub(crate) struct TerminalWriter {
    pub(crate) file: LineFile,
    name: FileName,
    channel: u32,
    opened: Duration,
    output: TextDecoder,
    input: TextDecoder,
    /// Watches what is typed, if that is to be recorded.
    typing: Option<Typing>,
}

impl TerminalWriter {
    /// Creates the file and writes its header. `opened` is the time since the session began.
    pub(crate) fn create(
        storage: &dyn Storage,
        dir: &Path,
        number: u32,
        channel: u32,
        opened: Duration,
        header: &TerminalHeader,
        record_input: bool,
    ) -> Result<Self, RecordingError> {
        let name = FileName::Terminal(number);
        let mut line = serde_json::to_vec(header).map_err(|source| RecordingError::Encoding { file: name.to_string(), source })?;
        line.push(b'\n');
        let mut file = LineFile::create(storage, dir, name)?;
        file.append(&line)?;
        let typing = record_input.then(|| Typing::new(header.width));
        Ok(Self { file, name, channel, opened, output: TextDecoder::default(), input: TextDecoder::default(), typing })
    }

    /// Writes what was printed, and what that shows to have been typed. Returns what was typed unseen.
    pub(crate) fn output(&mut self, elapsed: Duration, bytes: &[u8]) -> Result<Vec<Unseen>, RecordingError> {
        let mut unseen = Vec::new();
        for part in bytes.chunks(OUTPUT_BYTES) {
            let text = self.output.decode(part);
            let typed = self.typing.as_mut().map(|typing| typing.printed(elapsed, &text)).unwrap_or_default();
            self.append(elapsed, TerminalAction::Output(text))?;
            unseen.extend(self.typed(elapsed, typed)?);
        }
        Ok(unseen)
    }

    /// Takes what was typed, and writes nothing of it before it is known to have been shown. Returns what was typed unseen.
    pub(crate) fn input(&mut self, elapsed: Duration, bytes: &[u8]) -> Result<Vec<Unseen>, RecordingError> {
        let mut unseen = Vec::new();
        for part in bytes.chunks(OUTPUT_BYTES) {
            let text = self.input.decode(part);
            let typed = self.typing.as_mut().map(|typing| typing.typed(elapsed, &text)).unwrap_or_default();
            unseen.extend(self.typed(elapsed, typed)?);
        }
        Ok(unseen)
    }

    /// Decides about what has waited long enough.
    pub(crate) fn tick(&mut self, elapsed: Duration) -> Result<Vec<Unseen>, RecordingError> {
        let typed = self.typing.as_mut().map(|typing| typing.tick(elapsed)).unwrap_or_default();
        self.typed(elapsed, typed)
    }

    /// Whether something that was typed waits to be decided about.
    pub(crate) fn is_waiting(&self) -> bool {
        self.typing.as_ref().is_some_and(Typing::is_waiting)
    }

    fn typed(&mut self, elapsed: Duration, typed: Vec<Typed>) -> Result<Vec<Unseen>, RecordingError> {
        let mut unseen = Vec::new();
        for typed in typed {
            match typed {
                Typed::Seen(text) => self.append(elapsed, TerminalAction::Input(text))?,
                Typed::Unseen(text) => unseen.push(Unseen { channel: self.channel, text }),
            }
        }
        Ok(unseen)
    }

    /// Writes the new size and returns the channel.
    pub(crate) fn resize(&mut self, elapsed: Duration, columns: u32, rows: u32) -> Result<u32, RecordingError> {
        if let Some(typing) = &mut self.typing {
            typing.resize(columns);
        }
        self.append(elapsed, TerminalAction::Resize { columns, rows })?;
        Ok(self.channel)
    }

    /// Writes what was carried over of a cut character, and decides about everything that was typed. Returns what was typed unseen.
    pub(crate) fn end(&mut self, elapsed: Duration) -> Result<Vec<Unseen>, RecordingError> {
        let (output, input) = (self.output.finish(), self.input.finish());
        let mut typed = Vec::new();
        if let Some(typing) = &mut self.typing {
            typed.extend(typing.typed(elapsed, &input));
            typed.extend(typing.printed(elapsed, &output));
            typed.extend(typing.finish());
        }
        self.append(elapsed, TerminalAction::Output(output))?;
        self.typed(elapsed, typed)
    }

    fn append(&mut self, elapsed: Duration, action: TerminalAction) -> Result<(), RecordingError> {
        if matches!(&action, TerminalAction::Output(text) | TerminalAction::Input(text) if text.is_empty()) {
            return Ok(());
        }
        let event = TerminalEvent { time: elapsed.saturating_sub(self.opened), action };
        let line = event.to_line().map_err(|source| RecordingError::Encoding { file: self.name.to_string(), source })?;
        self.file.append(line.as_bytes())
    }
}
