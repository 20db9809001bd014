//! SFTP as it passes: bytes of both directions in, what was done out. Pure: no I/O, no clock.
//!
//! Version 3 of the protocol (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions (its PROTOCOL, section 4). Requests become events before their last
//! byte is passed on, so that a request that is not understood never reaches the target whole. The contents of files are hashed and counted where they are,
//! and never kept.
//!
//! Whatever cannot be followed is an error, and stays one: packets that are too long, malformed, unknown or out of order, answers to questions that nobody
//! asked, handles that the target never gave, more of anything than the bounds here.

mod answer;
mod error;
mod files;
mod frame;
mod packet;
mod request;

use crate::event::{Event, SftpAnswer, SftpEnd, SftpOperation, SftpRequest, SftpStatus};
pub use error::SftpError;
use files::{Files, Slot};
use frame::{Frame, Framer};
use packet::Fields;
use std::collections::{BTreeMap, HashMap};

/// With so many requests without an answer, further ones should be held back. OpenSSH's clients have 64; others ask for a whole file at once.
pub const MANY_OUTSTANDING: usize = 4096;

/// How many requests may be without an answer: as many, and what fits into the bytes that come in one go.
pub const MOST_OUTSTANDING: usize = 2 * MANY_OUTSTANDING;

/// How many files and directories may be open.
pub const MOST_OPEN: usize = 4096;

/// The longest packet, in bytes without its length field: OpenSSH's own `SFTP_MAX_MSG_LENGTH`.
pub const LONGEST_PACKET: u32 = 256 * 1024;

/// The longest handle, in bytes (draft-ietf-secsh-filexfer-02 section 6.2).
pub const LONGEST_HANDLE: usize = 256;

/// The longest name, in bytes: four times what Linux takes.
pub const LONGEST_NAME: usize = 16 * 1024;

/// How many bytes of names may be held of files that are open.
pub const MOST_HELD: usize = 4 * 1024 * 1024;

/// Follows one channel's SFTP.
#[derive(Debug)]
pub struct Sftp {
    channel: u32,
    requests: Framer,
    answers: Framer,
    stage: Stage,
    pending: HashMap<u32, Pending>,
    files: Files,
    /// The file that the contents which are passing belong to: those of a request, those of an answer.
    writing: Option<Slot>,
    reading: Option<Slot>,
    next_request: u64,
    counts: BTreeMap<&'static str, u64>,
    events: Vec<Event>,
}

/// How far the two sides are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was said.
    Silent,
    /// The client said which versions it knows.
    Greeted,
    /// Both agreed on version 3.
    Agreed,
    /// It could not be followed.
    Lost,
}

/// A request that was not answered yet.
#[derive(Debug)]
struct Pending {
    /// Its number, if it is listed.
    listed: Option<u64>,
    expects: Expects,
}

/// What an answer may be, beside a status.
#[derive(Debug)]
enum Expects {
    /// Nothing else.
    Status,
    /// A handle.
    Handle(files::Opening),
    /// The closing's status.
    Closed(Slot),
    /// Contents of a file.
    Data { slot: Slot, offset: u64, most: u32 },
    /// The status of a file's being cut to what was written.
    Cut(Slot),
    /// The status of a piece that was written.
    Written(Slot),
    /// Names; of a directory, if there is one.
    Names(Option<Slot>),
    /// Attributes.
    Attributes,
    /// An extension's own answer.
    Extended,
}

impl Sftp {
    /// Follows the SFTP of `channel`, from its first byte on.
    pub fn new(channel: u32) -> Self {
        Self {
            channel,
            requests: Framer::requests(),
            answers: Framer::answers(),
            stage: Stage::Silent,
            pending: HashMap::new(),
            files: Files::default(),
            writing: None,
            reading: None,
            next_request: 0,
            counts: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Takes the next bytes from the client. They may be passed on once the events are recorded, and not if it is an error.
    ///
    /// What was understood before the error stays to be had by [`Self::finish`].
    pub fn from_client(&mut self, bytes: &[u8]) -> Result<Vec<Event>, SftpError> {
        self.follow(|sftp| {
            let mut rest = bytes;
            while let Some(frame) = sftp.requests.next(&mut rest)? {
                match frame {
                    Frame::Packet(packet) | Frame::Head(packet) => {
                        let packet = packet.to_vec();
                        sftp.request(&packet)?;
                    }
                    Frame::Contents(contents) => sftp.files.write(sftp.writing, contents)?,
                }
            }
            Ok(())
        })
    }

    /// Takes the next bytes from the target, likewise.
    pub fn from_target(&mut self, bytes: &[u8]) -> Result<Vec<Event>, SftpError> {
        self.follow(|sftp| {
            let mut rest = bytes;
            while let Some(frame) = sftp.answers.next(&mut rest)? {
                match frame {
                    Frame::Packet(packet) | Frame::Head(packet) => {
                        let packet = packet.to_vec();
                        sftp.answer(&packet)?;
                    }
                    Frame::Contents(contents) => sftp.files.read(sftp.reading, contents)?,
                }
            }
            Ok(())
        })
    }

    /// Whether so much waits for an answer that no more should be asked now. What was passed on is answered without that.
    pub fn is_behind(&self) -> bool {
        self.pending.len() >= MANY_OUTSTANDING
    }

    /// The session is over: what was understood before an error, what is open, and how much of everything there was.
    pub fn finish(mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        events.extend(self.files.finish(self.channel));
        let requests = self.counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        events.push(Event::SftpEnd(SftpEnd { channel: self.channel, requests }));
        events
    }

    fn follow(&mut self, follow: impl FnOnce(&mut Self) -> Result<(), SftpError>) -> Result<Vec<Event>, SftpError> {
        if self.stage == Stage::Lost {
            return Err(SftpError::Lost);
        }
        match follow(self) {
            Ok(()) => Ok(std::mem::take(&mut self.events)),
            Err(error) => {
                self.stage = Stage::Lost;
                Err(error)
            }
        }
    }

    /// Both sides begin by saying which versions they know (section 4).
    fn greeting(&mut self, packet: &mut Fields<'_>) -> Result<(), SftpError> {
        if self.stage != Stage::Silent {
            return Err(SftpError::Order { what: "a second greeting" });
        }
        packet.u32()?;
        packet.pairs()?;
        self.stage = Stage::Greeted;
        Ok(())
    }

    fn agreement(&mut self, packet: &mut Fields<'_>) -> Result<(), SftpError> {
        if self.stage != Stage::Greeted {
            return Err(SftpError::Order { what: "a version that nobody asked for" });
        }
        match packet.u32()? {
            3 => {}
            version => return Err(SftpError::Version(version)),
        }
        packet.pairs()?;
        self.stage = Stage::Agreed;
        Ok(())
    }

    /// Notes a request that is listed, and returns its number.
    fn list(&mut self, operation: SftpOperation) -> u64 {
        let request = self.next_request;
        self.next_request += 1;
        self.events.push(Event::Sftp(SftpRequest { channel: self.channel, request, operation }));
        request
    }

    fn answered(&mut self, listed: Option<u64>, status: SftpStatus) {
        if let Some(request) = listed {
            self.events.push(Event::SftpAnswer(SftpAnswer { channel: self.channel, request, status }));
        }
    }
}

#[cfg(test)]
mod tests;
