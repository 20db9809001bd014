//! Bytes → packets, wherever they are cut. The contents of files are handed on as they come, without a copy.

use super::{LONGEST_HANDLE, LONGEST_PACKET, SftpError, packet::kind};

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A whole packet, without its length field.
    Packet(&'a [u8]),
    /// Everything of a packet but the contents of a file, which follow.
    Head(&'a [u8]),
    /// Contents of the file that the head before names.
    Contents(&'a [u8]),
}

/// Cuts one direction into packets.
#[derive(Debug)]
pub(super) struct Framer {
    /// The type of the packets that carry contents.
    bulk: u8,
    /// What has come of a packet, its length field included.
    head: Vec<u8>,
    /// How much of the contents is yet to come.
    left: u32,
    /// The head was handed out, and is over.
    taken: bool,
}

/// What is wanted before anything can be said.
enum Wanted {
    Bytes(usize),
    Packet,
    Head { contents: u32 },
}

impl Framer {
    /// Of what clients send.
    pub(super) fn requests() -> Self {
        Self { bulk: kind::WRITE, head: Vec::new(), left: 0, taken: false }
    }

    /// Of what servers send.
    pub(super) fn answers() -> Self {
        Self { bulk: kind::DATA, head: Vec::new(), left: 0, taken: false }
    }

    /// Takes the next frame off `input`; none if more is needed.
    pub(super) fn next<'a, 'b: 'a>(&'a mut self, input: &mut &'b [u8]) -> Result<Option<Frame<'a>>, SftpError> {
        if std::mem::take(&mut self.taken) {
            self.head.clear();
        }
        if self.left > 0 {
            let room = usize::try_from(self.left).unwrap_or(usize::MAX);
            let (contents, rest) = input.split_at_checked(room).unwrap_or((input, &[]));
            *input = rest;
            self.left -= u32::try_from(contents.len()).unwrap_or(self.left);
            return Ok((!contents.is_empty()).then_some(Frame::Contents(contents)));
        }
        loop {
            match self.wanted()? {
                Wanted::Bytes(size) => {
                    let missing = size.saturating_sub(self.head.len());
                    let (bytes, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
                    *input = rest;
                    self.head.extend_from_slice(bytes);
                    if self.head.len() < size {
                        return Ok(None);
                    }
                }
                Wanted::Packet => {
                    self.taken = true;
                    return Ok(Some(Frame::Packet(self.head.get(4..).unwrap_or_default())));
                }
                Wanted::Head { contents } => {
                    self.taken = true;
                    self.left = contents;
                    return Ok(Some(Frame::Head(self.head.get(4..).unwrap_or_default())));
                }
            }
        }
    }

    fn wanted(&self) -> Result<Wanted, SftpError> {
        let Some(length) = self.number(0) else { return Ok(Wanted::Bytes(4)) };
        if length == 0 || length > LONGEST_PACKET {
            return Err(SftpError::Length(length));
        }
        let end = 4 + length as usize;
        let Some(&type_of_packet) = self.head.get(4) else { return Ok(Wanted::Bytes(5)) };
        if type_of_packet != self.bulk {
            return Ok(if self.head.len() == end { Wanted::Packet } else { Wanted::Bytes(end) });
        }
        let malformed = SftpError::Malformed(type_of_packet);
        // Length, type and number; in a request the handle and the offset; then the contents' own length.
        let before = if self.bulk == kind::WRITE {
            if end < 13 {
                return Err(malformed);
            }
            let Some(handle) = self.number(9) else { return Ok(Wanted::Bytes(13)) };
            let handle = handle as usize;
            if handle > LONGEST_HANDLE {
                return Err(malformed);
            }
            13 + handle + 8
        } else {
            9
        };
        if end < before + 4 {
            return Err(malformed);
        }
        let Some(contents) = self.number(before) else { return Ok(Wanted::Bytes(before + 4)) };
        if before + 4 + contents as usize != end {
            return Err(malformed);
        }
        Ok(Wanted::Head { contents })
    }

    fn number(&self, at: usize) -> Option<u32> {
        self.head.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
    }
}
