//! Seals what a killed process left behind, at the next start.

use crate::{
    digest::digest_file,
    event::{Event, EventLine, StreamEnd},
    facts::SessionFacts,
    layout::{FileName, MANIFEST, STARTING, children, recordings},
    manifest::{FORMAT, FileEntry, Manifest, Outcome},
    reader::{ReadError, Recording},
    seal::seal,
    writer::{FinishedRecording, RecordingError, storage::FileSystem},
};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use time::{OffsetDateTime, UtcOffset};

/// What was found under a root.
#[derive(Debug, Default)]
pub struct ClosedRecordings {
    /// The recordings that were sealed.
    pub closed: Vec<FinishedRecording>,
    /// The recordings that another process is still writing; they were left alone.
    pub in_use: Vec<PathBuf>,
    /// The directories that could not be sealed, and why. To be shown to an operator: nothing else will.
    pub failed: Vec<(PathBuf, RecordingError)>,
}

/// Seals every recording under `root` that has no manifest and that nobody writes any more, as [`Outcome::Interrupted`], with its files as they are: a last
/// line may be cut. `now` is the time of sealing; `sign` is as for [`crate::RecordingWriter::finish`].
///
/// An error means that `root` could not be searched. A recording that cannot be sealed does not keep the others from it.
pub fn close_interrupted<E: fmt::Display>(
    root: &Path,
    now: OffsetDateTime,
    mut sign: impl FnMut(&[u8]) -> Result<String, E>,
) -> Result<ClosedRecordings, RecordingError> {
    let unsearchable = |source| RecordingError::Unreadable(ReadError::Io { path: root.to_owned(), source });
    let mut found = ClosedRecordings::default();
    for starting in children(&[root.to_owned()], |name| name.starts_with(STARTING)).map_err(unsearchable)? {
        if let Err(error) = remove_unstarted(&starting) {
            found.failed.push((starting, error));
        }
    }
    for dir in recordings(root).map_err(unsearchable)? {
        match close(&dir, now.to_offset(UtcOffset::UTC), &mut sign) {
            Ok(State::Closed(finished)) => found.closed.push(*finished),
            Ok(State::InUse) => found.in_use.push(dir),
            Ok(State::Sealed) => {}
            Err(error) => found.failed.push((dir, error)),
        }
    }
    Ok(found)
}

enum State {
    Sealed,
    InUse,
    Closed(Box<FinishedRecording>),
}

fn close<E: fmt::Display>(dir: &Path, now: OffsetDateTime, sign: impl FnMut(&[u8]) -> Result<String, E>) -> Result<State, RecordingError> {
    if is_sealed(dir)? {
        return Ok(State::Sealed);
    }
    let recording = Recording::open(dir)?;
    let Some(lock) = lock(&dir.join(FileName::Events.to_string()))? else { return Ok(State::InUse) };
    // Its writer may have sealed it and gone since.
    if is_sealed(dir)? {
        return Ok(State::Sealed);
    }
    let remains = Remains::read(&recording)?;
    let manifest = Manifest {
        format: FORMAT,
        ended_at: remains.ended_at(),
        session: remains.session,
        started_at: remains.started_at,
        sealed_at: now,
        outcome: Outcome::Interrupted,
        reason: "the bastion stopped while the session ran; what it had written until then was sealed at its next start".to_owned(),
        bytes_in: None,
        bytes_out: None,
        files: file_entries(&recording)?,
        streams: remains.streams,
    };
    let manifest_sha256 = seal(&FileSystem, dir, &manifest, sign)?;
    drop(lock);
    Ok(State::Closed(Box::new(FinishedRecording { dir: dir.to_owned(), manifest, manifest_sha256 })))
}

/// What can be learned from the files that are left.
struct Remains {
    session: SessionFacts,
    started_at: OffsetDateTime,
    streams: Vec<StreamEnd>,
    last: Duration,
}

impl Remains {
    /// Reads every line that can be read.
    fn read(recording: &Recording) -> Result<Self, RecordingError> {
        let no_start = || RecordingError::NoStart { dir: recording.dir().to_owned() };
        let mut events = recording.events()?;
        let Some(Ok(EventLine { event: Event::Start { started_at, session, .. }, .. })) = events.next() else { return Err(no_start()) };
        if recording.dir().file_name().and_then(|name| name.to_str()) != Some(&session.session_id.to_string()) {
            return Err(no_start());
        }
        let mut remains = Self { session: *session, started_at, streams: Vec::new(), last: Duration::ZERO };
        let mut opened = BTreeMap::new();
        for line in events.filter_map(Result::ok) {
            remains.last = remains.last.max(Duration::from_millis(line.time_ms));
            match line.event {
                Event::Pty { terminal, .. } => drop(opened.insert(terminal, Duration::from_millis(line.time_ms))),
                Event::StreamEnd(end) => remains.streams.push(end),
                _ => {}
            }
        }
        for (number, opened) in opened {
            let Ok(terminal) = recording.terminal(number) else { continue };
            let last = terminal.filter_map(Result::ok).map(|event| event.time).max().unwrap_or_default();
            remains.last = remains.last.max(opened.saturating_add(last));
        }
        Ok(remains)
    }

    fn ended_at(&self) -> OffsetDateTime {
        let last = time::Duration::try_from(self.last).ok();
        last.and_then(|last| self.started_at.checked_add(last)).unwrap_or(self.started_at)
    }
}

fn file_entries(recording: &Recording) -> Result<Vec<FileEntry>, RecordingError> {
    let terminals = recording.terminals()?.into_iter().map(FileName::Terminal);
    [FileName::Events].into_iter().chain(terminals).map(|name| file_entry(recording.dir(), name)).collect()
}

/// The file's size and digest, once what the killed process wrote is on disk for good.
fn file_entry(dir: &Path, name: FileName) -> Result<FileEntry, RecordingError> {
    let path = dir.join(name.to_string());
    File::open(&path).and_then(|file| file.sync_data()).map_err(RecordingError::io("store", &path))?;
    let (size, sha256) = digest_file(&path).map_err(RecordingError::io("read", &path))?;
    Ok(FileEntry { name, size, sha256 })
}

fn is_sealed(dir: &Path) -> Result<bool, RecordingError> {
    dir.join(MANIFEST).try_exists().map_err(RecordingError::io("look into", dir))
}

/// Takes the lock of a file that has no writer any more; none if it has one.
fn lock(path: &Path) -> Result<Option<File>, RecordingError> {
    let file = File::open(path).map_err(RecordingError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(RecordingError::io("lock", path)(error)),
    }
}

/// Removes what was prepared for a session that never began: at most its `start` event.
fn remove_unstarted(starting: &Path) -> Result<(), RecordingError> {
    let events = starting.join(FileName::Events.to_string());
    let has_events = events.try_exists().map_err(RecordingError::io("look into", starting))?;
    if has_events && lock(&events)?.is_none() {
        return Ok(());
    }
    match fs::remove_dir_all(starting) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RecordingError::io("remove", starting)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
