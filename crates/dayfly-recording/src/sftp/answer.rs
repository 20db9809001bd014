//! What targets answer.

use super::{Expects, Pending, Sftp, SftpError, Stage, packet::Fields, packet::kind};
use crate::event::SftpStatus;

impl Sftp {
    /// Takes a packet of the target's: whole, or up to the contents that it carries.
    pub(super) fn answer(&mut self, packet: &[u8]) -> Result<(), SftpError> {
        let mut fields = Fields::of(packet)?;
        let kind = fields.kind();
        if kind == kind::VERSION {
            return self.agreement(&mut fields);
        }
        if self.stage != Stage::Agreed {
            return Err(SftpError::Order { what: "an answer before the version is agreed" });
        }
        let id = fields.u32()?;
        let otherwise = SftpError::Answer { kind, id };
        let pending = self.pending.remove(&id).ok_or(otherwise.clone())?;
        if kind == kind::STATUS {
            let status = SftpStatus(fields.u32()?);
            if !fields.is_empty() {
                // Servers of older versions leave them out.
                fields.string()?;
                fields.string()?;
            }
            fields.end()?;
            return self.status(pending, status, otherwise);
        }
        match (kind, pending.expects) {
            (kind::HANDLE, Expects::Handle(opening)) => {
                let handle = fields.handle()?;
                fields.end()?;
                let replaced = self.files.opened(opening, handle, self.channel)?;
                self.events.extend(replaced);
            }
            (kind::DATA, Expects::Data { slot, offset, most }) => {
                let count = fields.u32()?;
                if count > most {
                    return Err(otherwise);
                }
                self.files.answered(slot, offset)?;
                self.reading = Some(slot);
            }
            (kind::NAME, Expects::Names(directory)) => {
                let count = fields.u32()?;
                fields.skip();
                if let Some(slot) = directory {
                    self.files.entries(slot, count);
                }
            }
            (kind::ATTRS, Expects::Attributes) | (kind::EXTENDED_REPLY, Expects::Extended) => fields.skip(),
            _ => return Err(otherwise),
        }
        self.answered(pending.listed, SftpStatus::OK);
        Ok(())
    }

    fn status(&mut self, pending: Pending, status: SftpStatus, otherwise: SftpError) -> Result<(), SftpError> {
        match pending.expects {
            // Who is told that a file is open must be told how it is called.
            Expects::Handle(_) if status == SftpStatus::OK => return Err(otherwise),
            Expects::Handle(opening) => self.files.not_opened(opening),
            Expects::Closed(slot) => {
                let closed = self.files.closed(slot, status, self.channel);
                self.events.extend(closed);
            }
            Expects::Data { slot, offset, .. } => self.files.not_read(slot, offset, status),
            Expects::Written(slot) if status != SftpStatus::OK => self.files.not_written(slot),
            Expects::Cut(slot) if status == SftpStatus::OK => self.files.cut(slot),
            _ => {}
        }
        self.answered(pending.listed, status);
        Ok(())
    }
}
