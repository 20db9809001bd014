//! Lines of a file, bounded in length, up to a cut.

use crate::{
    layout::{FileName, MAX_LINE_BYTES},
    reader::{ReadError, open_regular},
};
use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// A last line without a newline: the writer was cut off in the middle of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: FileName,
    /// The line's number, from 1 on.
    pub line: u64,
    /// How many bytes of it there are.
    pub bytes: u64,
}

/// The lines of a file, without their newlines. Ends after an error, since nobody knows where the next line begins.
#[derive(Debug)]
pub(crate) struct Lines {
    name: FileName,
    path: PathBuf,
    reader: BufReader<File>,
    number: u64,
    cut: Option<Cut>,
    ended: bool,
}

impl Lines {
    pub(crate) fn open(dir: &Path, name: FileName) -> Result<Self, ReadError> {
        let path = dir.join(name.to_string());
        let reader = match open_regular(&path) {
            Ok(file) => BufReader::new(file),
            Err(source) => return Err(ReadError::Io { path, source }),
        };
        Ok(Self { name, path, reader, number: 0, cut: None, ended: false })
    }

    pub(crate) fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// The number of the line that was read last, from 1 on.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The error for the line that was read last.
    pub(crate) fn malformed(&self, cause: impl fmt::Display) -> ReadError {
        ReadError::Malformed { file: self.name, line: self.number, cause: cause.to_string() }
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let mut line = Vec::new();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut line);
        read.map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if line.len() > MAX_LINE_BYTES {
            return Err(ReadError::LineTooLong { file: self.name, line: self.number });
        }
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            self.cut = Some(Cut { file: self.name, line: self.number, bytes: line.len() as u64 });
            return Ok(None);
        }
        Ok(Some(line))
    }
}

impl Iterator for Lines {
    type Item = Result<Vec<u8>, ReadError>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let line = self.read().transpose();
        self.ended = !matches!(line, Some(Ok(_)));
        line
    }
}
