//! Writes a recording while its session runs.

mod directory;
mod error;
mod file;
mod finish;
mod sequence;
pub mod storage;
mod terminal;

use crate::{
    event::{Event, StreamEnd},
    facts::SessionFacts,
    layout::FileName,
    manifest::{FORMAT, FileEntry},
    stream::Stream,
    terminal::TerminalHeader,
};
pub(crate) use directory::sync_directory;
pub use error::RecordingError;
use file::LineFile;
pub use finish::FinishedRecording;
use sequence::Sequence;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};
use storage::{FileSystem, Storage};
use terminal::{TerminalWriter, Unseen};
use time::{OffsetDateTime, UtcOffset};

/// The writer of one session's recording. Synchronous: to be called from threads that may wait for a disk.
///
/// What is written is buffered; it is stored once [`Self::sync`] has returned. The first failure is returned by the call that met it, and makes every later
/// call fail too. Dropping a writer that was not finished leaves a recording that can be read and has no manifest; [`crate::close_interrupted`] seals it.
///
/// `elapsed` is the time since the session began, by the caller's monotonic clock. Times never go backwards in a recording: an earlier one counts as the
/// latest so far.
pub struct RecordingWriter {
    dir: PathBuf,
    storage: Box<dyn Storage>,
    facts: SessionFacts,
    started_at: OffsetDateTime,
    events: LineFile,
    sequence: Sequence,
    terminals: BTreeMap<u32, TerminalWriter>,
    closed: Vec<FileEntry>,
    next_terminal: u32,
    /// Files were created that the directory on disk may not list yet.
    new_files: bool,
    streams: Vec<StreamEnd>,
    bytes_in: u64,
    bytes_out: u64,
    latest: Duration,
    failure: Option<String>,
    sealer: Option<Sealer>,
    /// What was typed unseen and is not told yet, by terminal. Encrypting costs as much for a letter as for a page, and whoever types chooses how much there is.
    unseen: BTreeMap<u32, Unseen>,
}

/// How much of what was typed unseen in one terminal is held until the next [`RecordingWriter::tick`], in bytes.
const MOST_UNSEEN: usize = 64 * 1024;

/// Encrypts what was typed unseen, for whoever may know it. Text out; an error says why not.
pub type Sealer = Box<dyn Fn(&[u8]) -> Result<String, String> + Send>;

/// A terminal of one writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalId(u32);

impl TerminalId {
    /// The N of `terminal-N.cast`.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl RecordingWriter {
    /// Begins the recording of a session under `root`, which is created if need be. When this returns, the recording and its `start` event are on disk, so
    /// that the session may begin.
    ///
    /// Directories are made with mode 0700 and files with 0600. A session that has a recording already is refused.
    pub fn create(root: &Path, facts: SessionFacts, started_at: OffsetDateTime) -> Result<Self, RecordingError> {
        Self::create_in(Box::new(FileSystem), root, facts, started_at)
    }

    /// As [`Self::create`], with the files made by `storage`.
    pub fn create_in(
        storage: Box<dyn Storage>,
        root: &Path,
        facts: SessionFacts,
        started_at: OffsetDateTime,
    ) -> Result<Self, RecordingError> {
        let started_at = started_at.to_offset(UtcOffset::UTC);
        let start = Event::Start { format: FORMAT, started_at, session: Box::new(facts.clone()) };
        let mut sequence = Sequence::default();
        let (dir, events) = directory::begin(&*storage, root, facts.session_id, &sequence.next(Duration::ZERO, &start)?)?;
        Ok(Self {
            dir,
            storage,
            facts,
            started_at,
            events,
            sequence,
            terminals: BTreeMap::new(),
            closed: Vec::new(),
            next_terminal: 0,
            new_files: false,
            streams: Vec::new(),
            bytes_in: 0,
            bytes_out: 0,
            latest: Duration::ZERO,
            failure: None,
            sealer: None,
            unseen: BTreeMap::new(),
        })
    }

    /// Has what is typed unseen from now on kept, encrypted by `sealer`. Without one it is only counted.
    pub fn seal_unseen_with(&mut self, sealer: Sealer) {
        self.sealer = Some(sealer);
    }

    /// The recording's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many bytes were written to all files so far, those still in the buffer included.
    pub fn size(&self) -> u64 {
        let terminals: u64 = self.terminals.values().map(|terminal| terminal.file.size()).sum();
        let closed: u64 = self.closed.iter().map(|file| file.size).sum();
        self.events.size() + terminals + closed
    }

    /// Writes an event. `start`, `pty`, `window_change` and `end` are written by the writer itself: see [`Self::open_terminal`], [`Self::resize`],
    /// [`Self::finish`].
    pub fn write(&mut self, elapsed: Duration, event: &Event) -> Result<(), RecordingError> {
        self.attempt(elapsed, |writer, elapsed| writer.append(elapsed, event))
    }

    /// Begins the recording of the terminal that `channel` was granted. `columns` and `rows` are what the client said, 0 included.
    pub fn open_terminal(
        &mut self,
        elapsed: Duration,
        channel: u32,
        term: &str,
        columns: u32,
        rows: u32,
    ) -> Result<TerminalId, RecordingError> {
        self.attempt(elapsed, |writer, elapsed| {
            let number = writer.next_terminal;
            let opened_at = time::Duration::try_from(elapsed).ok().and_then(|elapsed| writer.started_at.checked_add(elapsed));
            let header = TerminalHeader::new(term, columns, rows, opened_at.unwrap_or(writer.started_at));
            let terminal =
                TerminalWriter::create(&*writer.storage, &writer.dir, number, channel, elapsed, &header, writer.facts.record_input)?;
            writer.next_terminal += 1;
            writer.new_files = true;
            writer.terminals.insert(number, terminal);
            writer.append(elapsed, &Event::Pty { channel, terminal: number, term: term.to_owned(), columns, rows })?;
            Ok(TerminalId(number))
        })
    }

    /// Records what the target printed.
    pub fn terminal_output(&mut self, terminal: TerminalId, elapsed: Duration, bytes: &[u8]) -> Result<(), RecordingError> {
        self.attempt(elapsed, |writer, elapsed| {
            writer.bytes_out += bytes.len() as u64;
            let unseen = writer.terminal(terminal)?.output(elapsed, bytes)?;
            writer.unseen(elapsed, terminal.0, unseen)
        })
    }

    /// Records what the person typed if [`SessionFacts::record_input`] asks for it, and only counts it otherwise. Nothing of it is written before it is known
    /// that the terminal shows it; what the terminal does not show becomes an `unseen` event. See [`Self::tick`].
    pub fn terminal_input(&mut self, terminal: TerminalId, elapsed: Duration, bytes: &[u8]) -> Result<(), RecordingError> {
        self.attempt(elapsed, |writer, elapsed| {
            writer.bytes_in += bytes.len() as u64;
            let unseen = writer.terminal(terminal)?.input(elapsed, bytes)?;
            writer.unseen(elapsed, terminal.0, unseen)
        })
    }

    /// Decides about what was typed and has waited long enough for its echo, and tells what was unseen. To be called now and then while [`Self::is_waiting`].
    pub fn tick(&mut self, elapsed: Duration) -> Result<(), RecordingError> {
        self.attempt(elapsed, |writer, elapsed| {
            let mut found = Vec::new();
            for (number, terminal) in &mut writer.terminals {
                found.push((*number, terminal.tick(elapsed)?));
            }
            found.into_iter().try_for_each(|(number, unseen)| writer.unseen(elapsed, number, unseen))?;
            writer.tell_unseen(elapsed)
        })
    }

    /// Whether something that was typed waits to be decided about, or to be told.
    pub fn is_waiting(&self) -> bool {
        !self.unseen.is_empty() || self.terminals.values().any(TerminalWriter::is_waiting)
    }

    /// Records that the terminal's size changed, in the terminal and as an event.
    pub fn resize(&mut self, terminal: TerminalId, elapsed: Duration, columns: u32, rows: u32) -> Result<(), RecordingError> {
        self.attempt(elapsed, |writer, elapsed| {
            let channel = writer.terminal(terminal)?.resize(elapsed, columns, rows)?;
            writer.append(elapsed, &Event::WindowChange { channel, columns, rows })
        })
    }

    /// Ends the recording of a terminal, stores it and lets go of its file. [`Self::finish`] does it for those that are still open.
    pub fn close_terminal(&mut self, terminal: TerminalId, elapsed: Duration) -> Result<(), RecordingError> {
        self.attempt(elapsed, |writer, elapsed| {
            writer.end_terminal(elapsed, terminal.0)?;
            writer.terminal(terminal)?.file.sync()?;
            writer.closed.extend(writer.terminals.remove(&terminal.0).map(|mut terminal| terminal.file.entry()));
            Ok(())
        })
    }

    /// Stores everything that was written: when this returns, it survives the loss of power. Costs nothing if nothing was written since.
    pub fn sync(&mut self) -> Result<(), RecordingError> {
        self.attempt(Duration::ZERO, |writer, _| writer.store())
    }

    /// Runs `work` unless something failed before, and remembers its failure.
    fn attempt<T>(
        &mut self,
        elapsed: Duration,
        work: impl FnOnce(&mut Self, Duration) -> Result<T, RecordingError>,
    ) -> Result<T, RecordingError> {
        if let Some(cause) = &self.failure {
            return Err(RecordingError::AlreadyFailed { cause: cause.clone() });
        }
        self.latest = self.latest.max(elapsed);
        let result = work(self, self.latest);
        if let Err(error) = &result {
            self.failure = Some(error.to_string());
        }
        result
    }

    fn append(&mut self, elapsed: Duration, event: &Event) -> Result<(), RecordingError> {
        self.events.append(&self.sequence.next(elapsed, event)?)?;
        if let Event::StreamEnd(end) = event {
            match end.stream {
                Stream::Stdin => self.bytes_in += end.digest.bytes,
                Stream::Stdout | Stream::Stderr => self.bytes_out += end.digest.bytes,
            }
            self.streams.push(end.clone());
        }
        Ok(())
    }

    fn end_terminal(&mut self, elapsed: Duration, number: u32) -> Result<(), RecordingError> {
        let unseen = self.terminal(TerminalId(number))?.end(elapsed)?;
        self.unseen(elapsed, number, unseen)?;
        self.tell_unseen(elapsed)
    }

    fn unseen(&mut self, elapsed: Duration, terminal: u32, unseen: Vec<Unseen>) -> Result<(), RecordingError> {
        for more in unseen {
            let held = self.unseen.entry(terminal).or_insert_with(|| Unseen { channel: more.channel, text: String::new() });
            held.text.push_str(&more.text);
            if held.text.len() >= MOST_UNSEEN {
                self.tell_unseen(elapsed)?;
            }
        }
        Ok(())
    }

    fn tell_unseen(&mut self, elapsed: Duration) -> Result<(), RecordingError> {
        for (terminal, Unseen { channel, text }) in std::mem::take(&mut self.unseen) {
            let sealed = self.sealer.as_ref().map(|seal| seal(text.as_bytes())).transpose().map_err(RecordingError::sealing)?;
            self.append(elapsed, &Event::Unseen { channel, terminal, bytes: text.len() as u64, sealed })?;
        }
        Ok(())
    }

    fn terminal(&mut self, id: TerminalId) -> Result<&mut TerminalWriter, RecordingError> {
        self.terminals.get_mut(&id.0).ok_or(RecordingError::NoTerminal { file: FileName::Terminal(id.0) })
    }

    fn store(&mut self) -> Result<(), RecordingError> {
        self.terminals.values_mut().try_for_each(|terminal| terminal.file.sync())?;
        self.events.sync()?;
        if self.new_files {
            sync_directory(&self.dir)?;
            self.new_files = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
