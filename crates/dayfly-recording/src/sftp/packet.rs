//! The fields of a packet (draft-ietf-secsh-filexfer-02 sections 3 and 5; data types of RFC 4251 section 5).

use super::{LONGEST_HANDLE, LONGEST_NAME, SftpError};
use crate::event::{Attributes, Name};

/// The types of packets (section 3).
pub(super) mod kind {
    pub(crate) const INIT: u8 = 1;
    pub(crate) const VERSION: u8 = 2;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const READ: u8 = 5;
    pub(crate) const WRITE: u8 = 6;
    pub(crate) const LSTAT: u8 = 7;
    pub(crate) const FSTAT: u8 = 8;
    pub(crate) const SETSTAT: u8 = 9;
    pub(crate) const FSETSTAT: u8 = 10;
    pub(crate) const OPENDIR: u8 = 11;
    pub(crate) const READDIR: u8 = 12;
    pub(crate) const REMOVE: u8 = 13;
    pub(crate) const MKDIR: u8 = 14;
    pub(crate) const RMDIR: u8 = 15;
    pub(crate) const REALPATH: u8 = 16;
    pub(crate) const STAT: u8 = 17;
    pub(crate) const RENAME: u8 = 18;
    pub(crate) const READLINK: u8 = 19;
    pub(crate) const SYMLINK: u8 = 20;
    pub(crate) const STATUS: u8 = 101;
    pub(crate) const HANDLE: u8 = 102;
    pub(crate) const DATA: u8 = 103;
    pub(crate) const NAME: u8 = 104;
    pub(crate) const ATTRS: u8 = 105;
    pub(crate) const EXTENDED: u8 = 200;
    pub(crate) const EXTENDED_REPLY: u8 = 201;
}

/// The most extension pairs that a greeting or attributes may hold.
const MOST_PAIRS: u32 = 256;

/// Reads a packet's fields in turn.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Of a packet without its length field.
    pub(super) fn of(packet: &'a [u8]) -> Result<Self, SftpError> {
        let (kind, rest) = packet.split_first().ok_or(SftpError::Length(0))?;
        Ok(Self { kind: *kind, rest })
    }

    pub(super) fn kind(&self) -> u8 {
        self.kind
    }

    pub(super) fn u32(&mut self) -> Result<u32, SftpError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(self.malformed())?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    pub(super) fn u64(&mut self) -> Result<u64, SftpError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(self.malformed())?;
        self.rest = rest;
        Ok(u64::from_be_bytes(*bytes))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], SftpError> {
        let size = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        let (bytes, rest) = self.rest.split_at_checked(size).ok_or(self.malformed())?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn name(&mut self) -> Result<Name, SftpError> {
        let name = self.string()?;
        if name.len() > LONGEST_NAME {
            return Err(SftpError::TooMany { most: LONGEST_NAME, what: "bytes in a file's name" });
        }
        Ok(Name::new(name))
    }

    pub(super) fn handle(&mut self) -> Result<&'a [u8], SftpError> {
        let handle = self.string()?;
        if handle.len() <= LONGEST_HANDLE { Ok(handle) } else { Err(self.malformed()) }
    }

    pub(super) fn attributes(&mut self) -> Result<Attributes, SftpError> {
        const SIZE: u32 = 0x1;
        const OWNER: u32 = 0x2;
        const PERMISSIONS: u32 = 0x4;
        const TIMES: u32 = 0x8;
        const EXTENDED: u32 = 0x8000_0000;
        let flags = self.u32()?;
        if flags & !(SIZE | OWNER | PERMISSIONS | TIMES | EXTENDED) != 0 {
            return Err(SftpError::Flags(flags));
        }
        let mut attributes = Attributes::default();
        if flags & SIZE != 0 {
            attributes.size = Some(self.u64()?);
        }
        if flags & OWNER != 0 {
            (attributes.user, attributes.group) = (Some(self.u32()?), Some(self.u32()?));
        }
        if flags & PERMISSIONS != 0 {
            attributes.permissions = Some(self.u32()?);
        }
        if flags & TIMES != 0 {
            (attributes.accessed, attributes.modified) = (Some(self.u32()?), Some(self.u32()?));
        }
        if flags & EXTENDED != 0 {
            let count = self.u32()?;
            self.some_pairs(count)?;
        }
        Ok(attributes)
    }

    /// Names and values up to the packet's end.
    pub(super) fn pairs(&mut self) -> Result<(), SftpError> {
        let mut count = 0;
        while !self.rest.is_empty() {
            count += 1;
            self.pair(count)?;
        }
        Ok(())
    }

    fn some_pairs(&mut self, count: u32) -> Result<(), SftpError> {
        (1..=count).try_for_each(|number| self.pair(number))
    }

    fn pair(&mut self, number: u32) -> Result<(), SftpError> {
        if number > MOST_PAIRS {
            return Err(SftpError::TooMany { most: MOST_PAIRS as usize, what: "SFTP extensions" });
        }
        self.string()?;
        self.string()?;
        Ok(())
    }

    /// Everything that is left, unread.
    pub(super) fn skip(&mut self) {
        self.rest = &[];
    }

    /// Whether everything was read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// That everything was read.
    pub(super) fn end(&self) -> Result<(), SftpError> {
        if self.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }

    pub(super) fn malformed(&self) -> SftpError {
        SftpError::Malformed(self.kind)
    }
}
