//! The spool's file: a line for each event, and a line for each time that the CA said how far it is.

use crate::files;
use dayfly_api::bastion::NumberedEvent;
use dayfly_core::audit::AuditEvent;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file of this size is written anew once nothing in it waits any more, in bytes.
const WORTH_EMPTYING: u64 = 256 * 1024;

/// A file of this size is written anew if little in it waits.
const WORTH_COMPACTING: u64 = 32 * 1024 * 1024;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Event(Box<NumberedEvent>),
    Acknowledged { acknowledged: u64 },
}

/// A spool that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It cannot be read or written.
    #[error("the spool {} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line in its middle is none of ours.
    #[error("the spool {} is damaged at line {line}: move it away and start again; what it held is lost to the CA's log", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

/// The open file.
#[derive(Debug)]
pub struct SpoolFile {
    path: PathBuf,
    file: File,
    size: u64,
    last: u64,
    acknowledged: u64,
    pending: VecDeque<NumberedEvent>,
}

impl SpoolFile {
    /// Where the spool of a state directory is.
    pub fn path_in(state: &Path) -> PathBuf {
        state.join("events.spool")
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a spool whose first event comes after number `last`.
    pub fn create(path: &Path, last: u64) -> Result<Self, SpoolError> {
        let bytes = lines(last, &[]).and_then(|bytes| files::write_private(path, &bytes).map(|()| bytes));
        bytes.map_err(|source| SpoolError::Io { path: path.to_owned(), source })?;
        Self::open(path)
    }

    /// Opens a spool. A last line that was cut off by a crash counts for nothing: nobody was told that it was stored.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        let io = |source| SpoolError::Io { path: path.to_owned(), source };
        let text = fs::read(path).map_err(io)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (mut last, mut acknowledged, mut pending) = (0, 0, VecDeque::new());
        for (index, line) in text.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n').enumerate() {
            match serde_json::from_slice(line) {
                Ok(Line::Event(event)) => {
                    last = event.number;
                    pending.push_back(*event);
                }
                Ok(Line::Acknowledged { acknowledged: number }) => acknowledged = number,
                Err(_) => return Err(SpoolError::Damaged { path: path.to_owned(), line: index + 1 }),
            }
        }
        pending.retain(|event| event.number > acknowledged);
        let file = OpenOptions::new().append(true).open(path).map_err(io)?;
        file.set_len(whole as u64).map_err(io)?;
        Ok(Self { path: path.to_owned(), file, size: whole as u64, last: last.max(acknowledged), acknowledged, pending })
    }

    /// What the CA does not have yet.
    pub(super) fn take_pending(&mut self) -> VecDeque<NumberedEvent> {
        std::mem::take(&mut self.pending)
    }

    /// Gives an event its number.
    pub(super) fn number(&mut self, event: AuditEvent) -> NumberedEvent {
        NumberedEvent { number: self.next_number(), event }
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// The next number is the one after `last`.
    pub(super) fn continue_after(&mut self, last: u64) {
        self.last = last;
        self.acknowledged = last;
    }

    /// Stores events: when it returns, they survive the loss of power.
    pub(super) fn append(&mut self, events: &[NumberedEvent]) -> io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for event in events {
            serde_json::to_writer(&mut bytes, event)?;
            bytes.push(b'\n');
        }
        self.write(&bytes)?;
        self.file.sync_data()
    }

    /// Remembers how far the CA is. Not stored at once: forgetting it only means to send again.
    pub(super) fn acknowledge(&mut self, last: u64) {
        self.acknowledged = self.acknowledged.max(last);
        if let Ok(mut bytes) = serde_json::to_vec(&Line::Acknowledged { acknowledged: self.acknowledged }) {
            bytes.push(b'\n');
            if let Err(error) = self.write(&bytes) {
                tracing::warn!(%error, "how far the CA is cannot be kept; it will be told again");
            }
        }
    }

    /// Whether writing the file anew would make it much smaller.
    pub(super) fn is_worth_compacting(&self, pending: usize) -> bool {
        self.size > WORTH_COMPACTING || (pending == 0 && self.size > WORTH_EMPTYING)
    }

    /// Writes the file anew with nothing but `pending`.
    pub(super) fn rewrite(&mut self, pending: &[NumberedEvent]) -> io::Result<()> {
        let before = pending.first().map_or(self.acknowledged, |first| first.number.saturating_sub(1));
        let bytes = lines(before, pending)?;
        files::write_private(&self.path, &bytes)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.size = bytes.len() as u64;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        if written.is_err() {
            // A part of a line in the middle of the file would spoil all that follows.
            self.file.set_len(self.size)?;
        } else {
            self.size += bytes.len() as u64;
        }
        written
    }
}

fn lines(acknowledged: u64, events: &[NumberedEvent]) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(&Line::Acknowledged { acknowledged })?;
    bytes.push(b'\n');
    for event in events {
        serde_json::to_writer(&mut bytes, event)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

#[cfg(test)]
impl SpoolFile {
    /// As on a disk that takes nothing, until the file is written anew.
    pub(super) fn lose_write_access(&mut self) {
        if let Ok(file) = File::open(&self.path) {
            self.file = file;
        }
    }
}
