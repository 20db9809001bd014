//! Writes one terminal's cast.

use crate::{
    layout::FileName,
    terminal::{TerminalAction, TerminalEvent, TerminalHeader, TextDecoder},
    writer::{error::RecordingError, file::LineFile, storage::Storage},
};
use std::{path::Path, time::Duration};

/// As much goes into one line: with every byte escaped it is still far below the longest line.
const OUTPUT_BYTES: usize = 64 * 1024;

/// The writer of `terminal-N.cast`.
pub(crate) struct TerminalWriter {
    pub(crate) file: LineFile,
    name: FileName,
    channel: u32,
    opened: Duration,
    output: TextDecoder,
    input: TextDecoder,
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
    ) -> Result<Self, RecordingError> {
        let name = FileName::Terminal(number);
        let mut line = serde_json::to_vec(header).map_err(|source| RecordingError::Encoding { file: name.to_string(), source })?;
        line.push(b'\n');
        let mut file = LineFile::create(storage, dir, name)?;
        file.append(&line)?;
        Ok(Self { file, name, channel, opened, output: TextDecoder::default(), input: TextDecoder::default() })
    }

    pub(crate) fn output(&mut self, elapsed: Duration, bytes: &[u8]) -> Result<(), RecordingError> {
        for part in bytes.chunks(OUTPUT_BYTES) {
            let text = self.output.decode(part);
            self.append(elapsed, TerminalAction::Output(text))?;
        }
        Ok(())
    }

    pub(crate) fn input(&mut self, elapsed: Duration, bytes: &[u8]) -> Result<(), RecordingError> {
        for part in bytes.chunks(OUTPUT_BYTES) {
            let text = self.input.decode(part);
            self.append(elapsed, TerminalAction::Input(text))?;
        }
        Ok(())
    }

    /// Writes the new size and returns the channel.
    pub(crate) fn resize(&mut self, elapsed: Duration, columns: u32, rows: u32) -> Result<u32, RecordingError> {
        self.append(elapsed, TerminalAction::Resize { columns, rows })?;
        Ok(self.channel)
    }

    /// Writes what was carried over of a cut character.
    pub(crate) fn end(&mut self, elapsed: Duration) -> Result<(), RecordingError> {
        let (output, input) = (self.output.finish(), self.input.finish());
        self.append(elapsed, TerminalAction::Output(output))?;
        self.append(elapsed, TerminalAction::Input(input))
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
