//! Reads a recording, finished or not, up to where it was cut.

mod error;
mod lines;

use crate::{
    event::EventLine,
    layout::{FileName, MANIFEST},
    manifest::Manifest,
    terminal::{TerminalEvent, TerminalHeader},
};
pub use error::ReadError;
pub use lines::Cut;
use lines::Lines;
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// A manifest is read into memory, so there is a limit: many times what a session with a thousand terminals needs.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

/// A recording's directory. Reading checks nothing: see [`crate::verify()`].
#[derive(Debug, Clone)]
pub struct Recording {
    dir: PathBuf,
}

impl Recording {
    /// The recording in `dir`, which must hold an `events.ndjson`.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, ReadError> {
        let dir = dir.into();
        let events = dir.join(FileName::Events.to_string());
        match fs::symlink_metadata(&events) {
            Ok(metadata) if metadata.is_file() => Ok(Self { dir }),
            Ok(_) => Err(ReadError::NotARecording { dir }),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(ReadError::NotARecording { dir })
            }
            Err(source) => Err(ReadError::Io { path: events, source }),
        }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its manifest, unchecked; none if it was not finished.
    pub fn manifest(&self) -> Result<Option<Manifest>, ReadError> {
        let path = self.dir.join(MANIFEST);
        match read_bounded(&path, MAX_MANIFEST_BYTES) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| ReadError::Manifest { path, cause: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ReadError::Io { path, source }),
        }
    }

    /// Its events, from the first on.
    pub fn events(&self) -> Result<Events, ReadError> {
        Ok(Events { lines: Lines::open(&self.dir, FileName::Events)? })
    }

    /// The numbers of its terminals, ascending.
    pub fn terminals(&self) -> Result<Vec<u32>, ReadError> {
        let unreadable = |source| ReadError::Io { path: self.dir.clone(), source };
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            if let Some(Ok(FileName::Terminal(number))) = name.to_str().map(str::parse) {
                numbers.push(number);
            }
        }
        numbers.sort();
        Ok(numbers)
    }

    /// What the terminal `number` showed.
    pub fn terminal(&self, number: u32) -> Result<Terminal, ReadError> {
        let mut lines = Lines::open(&self.dir, FileName::Terminal(number))?;
        let header = match lines.next().transpose()? {
            Some(line) => Some(serde_json::from_slice(&line).map_err(|error| lines.malformed(error))?),
            None => None,
        };
        Ok(Terminal { header, lines })
    }
}

/// The events of a recording. A line that cannot be read is an error and not the end; a last line that was cut is the end and not an error: see
/// [`Self::cut`].
#[derive(Debug)]
pub struct Events {
    lines: Lines,
}

impl Events {
    /// The line that was cut; none before the end was reached, and none if the last line is whole.
    pub fn cut(&self) -> Option<Cut> {
        self.lines.cut()
    }

    /// The number of the line that was read last, from 1 on.
    pub(crate) fn line(&self) -> u64 {
        self.lines.number()
    }
}

impl Iterator for Events {
    type Item = Result<EventLine, ReadError>;
    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(line.and_then(|line| serde_json::from_slice(&line).map_err(|error| self.lines.malformed(error))))
    }
}

/// What a terminal showed: times are since it was opened. Errors and cuts as in [`Events`].
#[derive(Debug)]
pub struct Terminal {
    header: Option<TerminalHeader>,
    lines: Lines,
}

impl Terminal {
    /// Its size and kind at the beginning; none if the file was cut before the end of its first line.
    pub fn header(&self) -> Option<&TerminalHeader> {
        self.header.as_ref()
    }

    /// The line that was cut; none before the end was reached, and none if the last line is whole.
    pub fn cut(&self) -> Option<Cut> {
        self.lines.cut()
    }

    /// The number of the line that was read last, from 1 on.
    pub(crate) fn line(&self) -> u64 {
        self.lines.number()
    }
}

impl Iterator for Terminal {
    type Item = Result<TerminalEvent, ReadError>;
    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(line.and_then(|line| TerminalEvent::from_line(&line).map_err(|error| self.lines.malformed(error))))
    }
}

/// The contents of a regular file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")))
    } else {
        Ok(bytes)
    }
}

/// Opens a file that is no link, pipe or device: a recording may come from elsewhere, and must not make its reader read something else.
pub(crate) fn open_regular(path: &Path) -> io::Result<fs::File> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    fs::File::open(path)
}

#[cfg(test)]
mod tests;
