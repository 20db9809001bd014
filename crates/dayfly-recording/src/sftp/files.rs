//! The files that are open, and what was carried from and to each.

use super::{MOST_HELD, MOST_OPEN, SftpError};
use crate::{
    digest::Sha256Digest,
    event::{Carried, Event, Extent, Name, OpenFlag, SftpClosed, SftpStatus},
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// An open file: a handle may be given again, a slot is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u64);

/// A file whose opening was asked for.
#[derive(Debug)]
pub(super) struct Opening(Box<Open>);

#[derive(Debug, Default)]
pub(super) struct Files {
    handles: HashMap<Vec<u8>, Slot>,
    open: BTreeMap<Slot, Open>,
    next: u64,
    /// Open, or being opened.
    count: usize,
    /// Bytes of their names.
    held: usize,
}

#[derive(Debug)]
struct Open {
    handle: Vec<u8>,
    request: u64,
    path: Name,
    read: Track,
    written: Track,
    /// Of a directory.
    entries: Option<u64>,
    /// It holds nothing but what is written here.
    fresh: bool,
    /// What is written goes to its end, whatever the client says.
    appends: bool,
    is_closing: bool,
}

/// What was carried one way.
#[derive(Debug, Default)]
struct Track {
    hash: Sha256,
    bytes: u64,
    begun: bool,
    from: u64,
    next: u64,
    scattered: bool,
    to_end: bool,
    failed: u64,
}

impl Files {
    pub(super) fn open(&mut self, path: Name, request: u64, flags: &[OpenFlag]) -> Result<Opening, SftpError> {
        let has = |flag| flags.contains(&flag);
        let is_new = has(OpenFlag::Create) && has(OpenFlag::Exclusive);
        let appends = has(OpenFlag::Append);
        let fresh = (has(OpenFlag::Truncate) || is_new) && !appends;
        self.opening(path, request, None, fresh, appends)
    }

    pub(super) fn open_directory(&mut self, path: Name, request: u64) -> Result<Opening, SftpError> {
        self.opening(path, request, Some(0), false, false)
    }

    fn opening(&mut self, path: Name, request: u64, entries: Option<u64>, fresh: bool, appends: bool) -> Result<Opening, SftpError> {
        if self.count >= MOST_OPEN {
            return Err(SftpError::TooMany { most: MOST_OPEN, what: "open files" });
        }
        let held = self.held + path.as_bytes().len();
        if held > MOST_HELD {
            return Err(SftpError::TooMany { most: MOST_HELD, what: "bytes of names of open files" });
        }
        self.held = held;
        self.count += 1;
        let (handle, read, written) = (Vec::new(), Track::default(), Track::default());
        Ok(Opening(Box::new(Open { handle, request, path, read, written, entries, fresh, appends, is_closing: false })))
    }

    /// The target opened it. A handle that it gave before may come again only while that one is being closed, which is told then.
    pub(super) fn opened(&mut self, opening: Opening, handle: &[u8], channel: u32) -> Result<Option<Event>, SftpError> {
        let mut replaced = None;
        if let Some(before) = self.handles.get(handle).copied() {
            if !self.open.get(&before).is_some_and(|open| open.is_closing) {
                return Err(SftpError::Handle);
            }
            replaced = self.closed(before, SftpStatus::OK, channel);
        }
        let slot = Slot(self.next);
        self.next += 1;
        self.handles.insert(handle.to_vec(), slot);
        self.open.insert(slot, Open { handle: handle.to_vec(), ..*opening.0 });
        Ok(replaced)
    }

    pub(super) fn not_opened(&mut self, opening: Opening) {
        self.let_go(&opening.0.path);
    }

    /// The file of a handle, and its name.
    pub(super) fn known(&self, handle: &[u8]) -> Result<(Slot, Name), SftpError> {
        let slot = self.reads(handle)?;
        let open = self.open.get(&slot).ok_or(SftpError::Handle)?;
        Ok((slot, open.path.clone()))
    }

    /// The file of a handle, unless its closing was asked for: nothing that belongs to it may come later.
    pub(super) fn reads(&self, handle: &[u8]) -> Result<Slot, SftpError> {
        let slot = self.handles.get(handle).copied();
        slot.filter(|slot| self.open.get(slot).is_some_and(|open| !open.is_closing)).ok_or(SftpError::Handle)
    }

    pub(super) fn closing(&mut self, handle: &[u8]) -> Result<Slot, SftpError> {
        let slot = self.reads(handle)?;
        self.of(slot)?.is_closing = true;
        Ok(slot)
    }

    pub(super) fn closed(&mut self, slot: Slot, status: SftpStatus, channel: u32) -> Option<Event> {
        let open = self.open.remove(&slot)?;
        self.handles.remove(&open.handle);
        self.let_go(&open.path);
        Some(open.event(channel, Some(status)))
    }

    /// A piece is to be written; [`Self::write`] gets it.
    pub(super) fn writes(&mut self, handle: &[u8], offset: u64) -> Result<Slot, SftpError> {
        let slot = self.reads(handle)?;
        self.of(slot)?.written.piece_at(offset);
        Ok(slot)
    }

    pub(super) fn write(&mut self, slot: Option<Slot>, contents: &[u8]) -> Result<(), SftpError> {
        self.of(slot.ok_or(SftpError::Handle)?)?.written.take(contents);
        Ok(())
    }

    pub(super) fn not_written(&mut self, slot: Slot) {
        if let Some(open) = self.open.get_mut(&slot) {
            open.written.failed += 1;
        }
    }

    /// A piece was read; [`Self::read`] gets it.
    pub(super) fn answered(&mut self, slot: Slot, offset: u64) -> Result<(), SftpError> {
        self.of(slot)?.read.piece_at(offset);
        Ok(())
    }

    pub(super) fn read(&mut self, slot: Option<Slot>, contents: &[u8]) -> Result<(), SftpError> {
        self.of(slot.ok_or(SftpError::Handle)?)?.read.take(contents);
        Ok(())
    }

    pub(super) fn not_read(&mut self, slot: Slot, offset: u64, status: SftpStatus) {
        let Some(open) = self.open.get_mut(&slot) else { return };
        let read = &mut open.read;
        if status != SftpStatus::END_OF_FILE {
            read.failed += 1;
        } else if offset == read.next {
            read.begun = true;
            read.to_end = true;
        }
    }

    pub(super) fn entries(&mut self, slot: Slot, count: u32) {
        if let Some(entries) = self.open.get_mut(&slot).and_then(|open| open.entries.as_mut()) {
            *entries += u64::from(count);
        }
    }

    /// It is to be cut or made longer to `size` bytes. Whether that is where the last piece ended: then nothing else is in it once it is done.
    pub(super) fn resized(&mut self, slot: Slot, size: Option<u64>) -> bool {
        let (Some(open), Some(size)) = (self.open.get_mut(&slot), size) else { return false };
        let is_exact = open.written.begun && size == open.written.next;
        open.written.scattered |= !is_exact;
        is_exact
    }

    /// That is done. So OpenSSH's clients overwrite a file.
    pub(super) fn cut(&mut self, slot: Slot) {
        if let Some(open) = self.open.get_mut(&slot) {
            open.fresh = !open.appends;
        }
    }

    /// Something was written to it that did not cross the connection.
    pub(super) fn copied_into(&mut self, slot: Slot) {
        if let Some(open) = self.open.get_mut(&slot) {
            open.written.scattered = true;
        }
    }

    /// What is still open.
    pub(super) fn finish(self, channel: u32) -> impl Iterator<Item = Event> {
        self.open.into_values().map(move |open| open.event(channel, None))
    }

    fn of(&mut self, slot: Slot) -> Result<&mut Open, SftpError> {
        self.open.get_mut(&slot).ok_or(SftpError::Handle)
    }

    fn let_go(&mut self, path: &Name) {
        self.count = self.count.saturating_sub(1);
        self.held = self.held.saturating_sub(path.as_bytes().len());
    }
}

impl Open {
    fn event(self, channel: u32, status: Option<SftpStatus>) -> Event {
        let read_whole = self.read.to_end;
        // Nobody can have written more of it than is here, as far as this connection goes.
        let written_whole = self.fresh && self.written.failed == 0;
        Event::SftpClosed(SftpClosed {
            channel,
            request: self.request,
            path: self.path,
            status,
            read: self.read.carried(read_whole),
            written: self.written.carried(written_whole),
            entries: self.entries,
        })
    }
}

impl Track {
    fn piece_at(&mut self, offset: u64) {
        if !self.begun {
            (self.begun, self.from, self.next) = (true, offset, offset);
        }
        self.scattered |= offset != self.next;
        self.next = offset;
        self.to_end = false;
    }

    fn take(&mut self, contents: &[u8]) {
        self.hash.update(contents);
        self.bytes += contents.len() as u64;
        self.next = self.next.saturating_add(contents.len() as u64);
    }

    fn carried(self, is_all: bool) -> Option<Carried> {
        let extent = match (self.scattered, is_all && self.from == 0) {
            (true, _) => Extent::Scattered,
            (false, true) => Extent::Whole,
            (false, false) => Extent::Part,
        };
        let carried = Carried { bytes: self.bytes, extent, sha256: Sha256Digest::finish(self.hash), failed: self.failed };
        (self.begun || self.failed > 0).then_some(carried)
    }
}
