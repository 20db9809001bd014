//! A log in a file: the signed head in the first line, then the rows, one JSON object a line. It can be verified where the CA cannot be reached.

use crate::error::{Failure, Kind};
use dayfly_api::log::{LogRow, SignedHead};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// The longest line, in bytes: an event of the largest size with every byte escaped.
const LONGEST_LINE: u64 = 1024 * 1024;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstLine {
    /// The newest row, signed.
    pub head: SignedHead,
}

/// Reads an export line by line.
pub struct Export {
    path: PathBuf,
    lines: BufReader<File>,
    line: u64,
}

impl Export {
    /// Opens it and reads the head.
    pub fn open(path: &Path) -> Result<(Self, SignedHead), Failure> {
        let file =
            File::open(path).map_err(|error| Failure::new(Kind::Failed, format!("{} cannot be read", path.display())).because(error))?;
        let mut export = Self { path: path.to_owned(), lines: BufReader::new(file), line: 0 };
        match export.next::<FirstLine>()? {
            Some(first) => Ok((export, first.head)),
            None => Err(export.not_an_export("it is empty")),
        }
    }

    /// The next row; none at the end.
    pub fn row(&mut self) -> Result<Option<LogRow>, Failure> {
        self.next()
    }

    fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, Failure> {
        let mut line = Vec::new();
        let read = self.lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| Failure::new(Kind::Failed, format!("{} cannot be read", self.path.display())).because(error))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.line = self.line.saturating_add(1);
        serde_json::from_slice(&line).map(Some).map_err(|error| self.not_an_export(&error.to_string()))
    }

    fn not_an_export(&self, cause: &str) -> Failure {
        Failure::new(Kind::Failed, format!("{} is not an export of the log", self.path.display()))
            .because(format!("line {}: {cause}", self.line))
            .remedy("make one with: dayfly log export > FILE")
    }
}
