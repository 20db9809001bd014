//! The old protocol of `scp` as it passes (`scp -O`; OpenSSH's `scp.c`, `source` and `sink`): lines of one side, answers of the other, and files in between.
//! Pure: no I/O, no clock.
//!
//! The side that sends speaks when it was answered, and not before: what it sends while an answer is owed could be a file or a line, which the answer decides.
//! Whatever cannot be followed is an error, and stays one.

mod line;
mod reply;

use crate::{
    digest::Sha256Digest,
    event::{Event, Name, ScpDone, ScpItem, ScpMessage, ScpResult, Side},
};
use line::Line;
use reply::{Replies, Reply};
use sha2::{Digest, Sha256};

/// The longest line, in bytes.
pub const LONGEST_LINE: usize = 16 * 1024;

/// How many bytes the names of directories within each other may have.
pub const LONGEST_DIRECTORY: usize = 64 * 1024;

/// Something that must not be passed on, because nobody could say afterwards what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScpError {
    /// A line that the protocol does not have.
    #[error("a line of scp's old protocol that is not known here; scp without -O uses SFTP")]
    Line,
    /// A line without an end.
    #[error("a line of scp's old protocol of more than {LONGEST_LINE} bytes")]
    Length,
    /// Something before it may come.
    #[error("scp's old protocol in the wrong order: each line must wait for its answer")]
    Order,
    /// Directories too deep within each other.
    #[error("directories within each other whose names have more than {LONGEST_DIRECTORY} bytes")]
    Depth,
    /// It could not be followed before.
    #[error("scp's old protocol, which could not be followed before")]
    Lost,
}

/// Follows one channel's `scp`.
#[derive(Debug)]
pub struct Scp {
    channel: u32,
    /// The client sends the files.
    is_upload: bool,
    turn: Turn,
    /// A line of the side that sends, as far as it has come.
    line: Vec<u8>,
    replies: Replies,
    directories: Vec<Name>,
    modified: Option<u64>,
    next: u64,
    events: Vec<Event>,
    is_lost: bool,
}

/// Whose turn it is.
#[derive(Debug)]
enum Turn {
    /// The other side's, to say that it is there.
    Start,
    /// The sending side's, to send a line.
    Line,
    /// The other side's, to answer a file's line.
    File(File),
    /// The sending side's, to send what is left of a file.
    Contents(File, u64),
    /// The sending side's, to say how the file went.
    Verdict(File),
    /// The other side's, to say how it went there.
    End(File),
    /// The other side's, to answer a directory's line.
    Directory(u64, Name),
    /// The other side's, to answer the end of a directory.
    Leave,
    /// The other side's, to answer a line of times.
    Times,
    /// Both are at it: only while a turn is being taken.
    Taken,
}

/// A file on its way.
#[derive(Debug)]
struct File {
    number: u64,
    size: u64,
    bytes: u64,
    hash: Sha256,
    problem: Option<Name>,
}

impl Scp {
    /// Follows `scp -t`: files from the client.
    pub fn upload(channel: u32) -> Self {
        Self {
            channel,
            is_upload: true,
            turn: Turn::Start,
            line: Vec::new(),
            replies: Replies::default(),
            directories: Vec::new(),
            modified: None,
            next: 0,
            events: Vec::new(),
            is_lost: false,
        }
    }

    /// Follows `scp -f`: files from the target.
    pub fn download(channel: u32) -> Self {
        Self { is_upload: false, ..Self::upload(channel) }
    }

    /// Takes the next bytes from the client. They may be passed on once the events are recorded, and not if it is an error.
    pub fn from_client(&mut self, bytes: &[u8]) -> Result<Vec<Event>, ScpError> {
        self.follow(bytes, self.is_upload)
    }

    /// Takes the next bytes from the target, likewise.
    pub fn from_target(&mut self, bytes: &[u8]) -> Result<Vec<Event>, ScpError> {
        self.follow(bytes, !self.is_upload)
    }

    /// The session is over: what was understood before an error, and the file that is on its way.
    pub fn finish(mut self) -> Vec<Event> {
        match std::mem::replace(&mut self.turn, Turn::Taken) {
            Turn::File(file) | Turn::Contents(file, _) | Turn::Verdict(file) | Turn::End(file) => self.done(file, ScpResult::Cut, None),
            Turn::Directory(number, _) => self.answered(number, ScpResult::Cut, None),
            _ => {}
        }
        self.events
    }

    fn follow(&mut self, bytes: &[u8], from_sender: bool) -> Result<Vec<Event>, ScpError> {
        if self.is_lost {
            return Err(ScpError::Lost);
        }
        let followed = if from_sender { self.sent(bytes) } else { self.replied(bytes) };
        self.is_lost = followed.is_err();
        followed.map(|()| std::mem::take(&mut self.events))
    }

    fn sent(&mut self, mut bytes: &[u8]) -> Result<(), ScpError> {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.turn {
                Turn::Contents(file, left) => {
                    let room = usize::try_from(*left).unwrap_or(usize::MAX);
                    let (contents, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
                    file.hash.update(contents);
                    file.bytes += contents.len() as u64;
                    *left -= contents.len() as u64;
                    bytes = rest;
                    if *left == 0 {
                        self.take_turn(|turn| if let Turn::Contents(file, _) = turn { Turn::Verdict(file) } else { turn });
                    }
                    continue;
                }
                // A good file ends with a zero, another one with a line.
                Turn::Verdict(_) if self.line.is_empty() && *first == 0 => {
                    self.take_turn(|turn| if let Turn::Verdict(file) = turn { Turn::End(file) } else { turn });
                }
                Turn::Verdict(_) | Turn::Line if *first == b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    self.line_sent(&line)?;
                }
                Turn::Verdict(_) | Turn::Line if self.line.len() >= LONGEST_LINE => return Err(ScpError::Length),
                Turn::Verdict(_) if self.line.is_empty() && !matches!(first, 1 | 2) => return Err(ScpError::Line),
                Turn::Verdict(_) | Turn::Line => self.line.push(*first),
                _ => return Err(ScpError::Order),
            }
            bytes = rest;
        }
        Ok(())
    }

    fn line_sent(&mut self, line: &[u8]) -> Result<(), ScpError> {
        let line = Line::parse(line)?;
        if let Turn::Verdict(_) = self.turn {
            let Line::Message(text) = line else { return Err(ScpError::Line) };
            self.take_turn(|turn| match turn {
                Turn::Verdict(file) => Turn::End(File { problem: Some(text), ..file }),
                turn => turn,
            });
            return Ok(());
        }
        self.turn = match line {
            Line::File { permissions, size, name } => {
                let number = self.item(false, permissions, Some(size), name);
                Turn::File(File { number, size, bytes: 0, hash: Sha256::new(), problem: None })
            }
            Line::Directory { permissions, name } => {
                let held: usize = self.directories.iter().map(|name| name.as_bytes().len() + 1).sum();
                if held + name.as_bytes().len() > LONGEST_DIRECTORY {
                    return Err(ScpError::Depth);
                }
                Turn::Directory(self.item(true, permissions, None, name.clone()), name)
            }
            Line::Leave if self.directories.is_empty() => return Err(ScpError::Order),
            Line::Leave => Turn::Leave,
            Line::Times { modified } => {
                self.modified = Some(modified);
                Turn::Times
            }
            Line::Message(text) => {
                let side = if self.is_upload { Side::Client } else { Side::Target };
                self.events.push(Event::ScpMessage(ScpMessage { channel: self.channel, side, text }));
                Turn::Line
            }
        };
        Ok(())
    }

    fn replied(&mut self, bytes: &[u8]) -> Result<(), ScpError> {
        for byte in bytes {
            if let Some(reply) = self.replies.take(*byte)? {
                self.reply(reply)?;
            }
        }
        Ok(())
    }

    fn reply(&mut self, reply: Reply) -> Result<(), ScpError> {
        let problem = match reply {
            Reply::Good => None,
            Reply::Problem(text) => Some(text),
        };
        self.turn = match (std::mem::replace(&mut self.turn, Turn::Taken), problem) {
            (Turn::Start | Turn::Times, None) => Turn::Line,
            (Turn::File(file), None) if file.size == 0 => Turn::Verdict(file),
            (Turn::File(file), None) => {
                let size = file.size;
                Turn::Contents(file, size)
            }
            (Turn::File(file), Some(text)) => {
                self.answered(file.number, ScpResult::Refused, Some(text));
                Turn::Line
            }
            (Turn::End(file), problem) => {
                let problem = problem.or_else(|| file.problem.clone());
                let result = if problem.is_none() { ScpResult::Ok } else { ScpResult::Failed };
                self.done(file, result, problem);
                Turn::Line
            }
            (Turn::Directory(number, name), None) => {
                self.answered(number, ScpResult::Ok, None);
                self.directories.push(name);
                Turn::Line
            }
            (Turn::Directory(number, _), Some(text)) => {
                self.answered(number, ScpResult::Refused, Some(text));
                Turn::Line
            }
            (Turn::Leave, problem) => {
                self.directories.pop();
                self.message(problem);
                Turn::Line
            }
            (Turn::Start | Turn::Times, problem) => {
                self.message(problem);
                Turn::Line
            }
            // A further complaint about something that was answered already.
            (turn @ (Turn::Line | Turn::Contents(..) | Turn::Verdict(_)), problem @ Some(_)) => {
                self.message(problem);
                turn
            }
            (Turn::Line | Turn::Contents(..) | Turn::Verdict(_) | Turn::Taken, _) => return Err(ScpError::Order),
        };
        Ok(())
    }

    fn take_turn(&mut self, take: impl FnOnce(Turn) -> Turn) {
        self.turn = take(std::mem::replace(&mut self.turn, Turn::Taken));
    }

    /// Notes a file or directory that is offered, and returns its number.
    fn item(&mut self, is_directory: bool, permissions: u32, size: Option<u64>, name: Name) -> u64 {
        let number = self.next;
        self.next += 1;
        let directory = self.directories.iter().map(Name::as_bytes).collect::<Vec<_>>().join(&b'/');
        let modified = self.modified.take();
        let (channel, directory, is_upload) = (self.channel, Name::new(directory), self.is_upload);
        self.events.push(Event::Scp(ScpItem { channel, number, is_upload, is_directory, directory, name, permissions, size, modified }));
        number
    }

    fn done(&mut self, file: File, result: ScpResult, message: Option<Name>) {
        let sha256 = (result != ScpResult::Refused).then(|| Sha256Digest::finish(file.hash));
        let (channel, number, bytes) = (self.channel, file.number, Some(file.bytes));
        self.events.push(Event::ScpDone(ScpDone { channel, number, result, bytes, sha256, message }));
    }

    fn answered(&mut self, number: u64, result: ScpResult, message: Option<Name>) {
        self.events.push(Event::ScpDone(ScpDone { channel: self.channel, number, result, bytes: None, sha256: None, message }));
    }

    fn message(&mut self, text: Option<Name>) {
        let side = if self.is_upload { Side::Target } else { Side::Client };
        self.events.extend(text.map(|text| Event::ScpMessage(ScpMessage { channel: self.channel, side, text })));
    }
}

#[cfg(test)]
mod tests;
