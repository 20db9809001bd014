//! A log in a file, as `dayfly log export` and `dayfly-ca log export` write it: a row a line, and the signed head as the last. It can be verified where the
//! CA cannot be reached.

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

/// A line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A row.
    Row(LogRow),
    /// The last line.
    Head(SignedHead),
}

/// Reads an export line by line.
pub struct Export {
    path: PathBuf,
    lines: BufReader<File>,
    line: u64,
}

impl Export {
    /// Opens it, and looks at its last line.
    pub fn open(path: &Path) -> Result<(Self, SignedHead), Failure> {
        let mut looking = Self::at_beginning(path)?;
        let mut head = None;
        while let Some(line) = looking.next()? {
            match (line, &head) {
                (Line::Head(last), None) => head = Some(last),
                (Line::Row(_), None) => {}
                (_, Some(_)) => return Err(looking.not_an_export("something follows the signed head")),
            }
        }
        match head {
            Some(head) => Ok((Self::at_beginning(path)?, head)),
            None => Err(looking.not_an_export("its last line is no signed head, so it was cut")),
        }
    }

    /// The next row; none at the end.
    pub fn row(&mut self) -> Result<Option<LogRow>, Failure> {
        Ok(match self.next()? {
            Some(Line::Row(row)) => Some(row),
            Some(Line::Head(_)) | None => None,
        })
    }

    fn at_beginning(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        Ok(Self { path: path.to_owned(), lines: BufReader::new(file), line: 0 })
    }

    fn next(&mut self) -> Result<Option<Line>, Failure> {
        let mut line = Vec::new();
        let read = self.lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| unreadable(&self.path, error))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.line = self.line.saturating_add(1);
        serde_json::from_slice(&line).map(Some).map_err(|_| self.not_an_export("it is neither a row nor a signed head"))
    }

    fn not_an_export(&self, cause: &str) -> Failure {
        Failure::new(Kind::Failed, format!("{} is not a whole export of the log", self.path.display()))
            .because(format!("line {}: {cause}", self.line))
            .remedy("make one: dayfly log export > FILE, or on the CA's host: dayfly-ca log export --out FILE")
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("{} cannot be read", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ROW: &str = r#"{"seq":1,"event":"{}","hash":"aa"}"#;
    const HEAD: &str = r#"{"seq":1,"hash":"aa","time":"2026-01-02T03:04:05Z","signature":"x"}"#;

    fn open(text: &str) -> Result<(Export, SignedHead), Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Export::open(file.path())
    }

    #[test]
    fn rows_come_first_and_the_head_last() {
        let (mut export, head) = open(&format!("{ROW}\n{HEAD}\n")).unwrap();
        assert_eq!(head.seq, 1);
        assert_eq!(export.row().unwrap().unwrap().event, "{}");
        assert_eq!(export.row().unwrap(), None);
        assert!(open(&format!("{HEAD}\n")).is_ok(), "an empty log has a head too");
    }

    #[test]
    fn a_cut_or_lengthened_export_is_refused() {
        for text in [
            "",
            ROW,
            "{}",
            "hello",
            &format!("{ROW}\n"),
            &format!("{HEAD}\n{ROW}\n"),
            &format!("{ROW}\n{HEAD}\n{HEAD}\n"),
            &format!("{ROW}\n{{\n{HEAD}"),
        ] {
            assert!(open(text).is_err(), "{text}");
        }
    }
}
