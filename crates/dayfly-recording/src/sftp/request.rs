//! What clients ask.

use super::{Expects, MOST_OUTSTANDING, Pending, Sftp, SftpError, Stage, packet::Fields, packet::kind};
use crate::event::{OpenFlag, SftpOperation};

impl Sftp {
    /// Takes a packet of the client's: whole, or up to the contents that it carries.
    pub(super) fn request(&mut self, packet: &[u8]) -> Result<(), SftpError> {
        let mut fields = Fields::of(packet)?;
        if fields.kind() == kind::INIT {
            return self.greeting(&mut fields);
        }
        if self.stage != Stage::Agreed {
            return Err(SftpError::Order { what: "a request before the version is agreed" });
        }
        let id = fields.u32()?;
        if self.pending.contains_key(&id) {
            return Err(SftpError::IdInUse(id));
        }
        if self.pending.len() >= MOST_OUTSTANDING {
            return Err(SftpError::TooMany { most: MOST_OUTSTANDING, what: "SFTP requests without an answer" });
        }
        let (name, pending) = self.asked(&mut fields)?;
        fields.end()?;
        *self.counts.entry(name).or_default() += 1;
        self.pending.insert(id, pending);
        Ok(())
    }

    /// What is asked, under which name it is counted, and what answers it.
    fn asked(&mut self, fields: &mut Fields<'_>) -> Result<(&'static str, Pending), SftpError> {
        use SftpOperation as Op;
        let silent = |expects| Pending { listed: None, expects };
        Ok(match fields.kind() {
            kind::OPEN => ("open", self.open(fields)?),
            kind::OPENDIR => {
                let path = fields.name()?;
                fields.end()?;
                let opening = self.files.open_directory(path.clone(), self.next_request)?;
                let listed = Some(self.list(Op::OpenDirectory { path }));
                ("open_directory", Pending { listed, expects: Expects::Handle(opening) })
            }
            kind::CLOSE => ("close", silent(Expects::Closed(self.files.closing(fields.handle()?)?))),
            kind::READ => {
                let slot = self.files.reads(fields.handle()?)?;
                ("read", silent(Expects::Data { slot, offset: fields.u64()?, most: fields.u32()? }))
            }
            kind::WRITE => {
                let slot = self.files.writes(fields.handle()?, fields.u64()?)?;
                fields.u32()?;
                self.writing = Some(slot);
                ("write", silent(Expects::Written(slot)))
            }
            kind::READDIR => {
                let slot = self.files.reads(fields.handle()?)?;
                ("read_directory", silent(Expects::Names(Some(slot))))
            }
            kind::LSTAT => ("lstat", self.look(fields, Expects::Attributes)?),
            kind::STAT => ("stat", self.look(fields, Expects::Attributes)?),
            kind::REALPATH => ("realpath", self.look(fields, Expects::Names(None))?),
            kind::FSTAT => {
                self.files.known(fields.handle()?)?;
                ("fstat", silent(Expects::Attributes))
            }
            kind::SETSTAT => {
                let (path, attributes) = (fields.name()?, fields.attributes()?);
                self.listed("set_attributes", fields, Op::SetAttributes { path, attributes, follow: true })?
            }
            kind::FSETSTAT => {
                let (slot, path) = self.files.known(fields.handle()?)?;
                let attributes = fields.attributes()?;
                let is_exact = self.files.resized(slot, attributes.size);
                let (name, pending) = self.listed("set_attributes", fields, Op::SetAttributes { path, attributes, follow: true })?;
                let expects = if is_exact { Expects::Cut(slot) } else { Expects::Status };
                (name, Pending { expects, ..pending })
            }
            kind::REMOVE => {
                let path = fields.name()?;
                self.listed("remove", fields, Op::Remove { path })?
            }
            kind::MKDIR => {
                let (path, attributes) = (fields.name()?, fields.attributes()?);
                self.listed("make_directory", fields, Op::MakeDirectory { path, attributes })?
            }
            kind::RMDIR => {
                let path = fields.name()?;
                self.listed("remove_directory", fields, Op::RemoveDirectory { path })?
            }
            kind::RENAME => {
                let (path, to) = (fields.name()?, fields.name()?);
                self.listed("rename", fields, Op::Rename { path, to, replace: false })?
            }
            kind::READLINK => {
                let path = fields.name()?;
                fields.end()?;
                let listed = Some(self.list(Op::ReadLink { path }));
                ("read_link", Pending { listed, expects: Expects::Names(None) })
            }
            kind::SYMLINK => {
                // OpenSSH's server takes the names the other way round than the draft says, and every client follows it.
                let (to, path) = (fields.name()?, fields.name()?);
                self.listed("symlink", fields, Op::Symlink { path, to })?
            }
            kind::EXTENDED => return self.extended(fields),
            other => return Err(SftpError::Type(other)),
        })
    }

    /// OpenSSH's extensions (its PROTOCOL, section 4).
    fn extended(&mut self, fields: &mut Fields<'_>) -> Result<(&'static str, Pending), SftpError> {
        use SftpOperation as Op;
        let silent = |expects| Pending { listed: None, expects };
        let extension = fields.string()?;
        Ok(match extension {
            b"posix-rename@openssh.com" => {
                let (path, to) = (fields.name()?, fields.name()?);
                self.listed("rename", fields, Op::Rename { path, to, replace: true })?
            }
            b"hardlink@openssh.com" => {
                let (to, path) = (fields.name()?, fields.name()?);
                self.listed("hardlink", fields, Op::Hardlink { path, to })?
            }
            b"lsetstat@openssh.com" => {
                let (path, attributes) = (fields.name()?, fields.attributes()?);
                self.listed("set_attributes", fields, Op::SetAttributes { path, attributes, follow: false })?
            }
            b"copy-data" => {
                let (_, path) = self.files.known(fields.handle()?)?;
                let (offset, length) = (fields.u64()?, fields.u64()?);
                let (into, to) = self.files.known(fields.handle()?)?;
                let to_offset = fields.u64()?;
                self.files.copied_into(into);
                self.listed("copy_data", fields, Op::CopyData { path, offset, length, to, to_offset })?
            }
            b"fsync@openssh.com" => {
                self.files.known(fields.handle()?)?;
                ("fsync", silent(Expects::Status))
            }
            b"statvfs@openssh.com" => ("statvfs", self.look(fields, Expects::Extended)?),
            b"fstatvfs@openssh.com" => {
                self.files.known(fields.handle()?)?;
                ("statvfs", silent(Expects::Extended))
            }
            b"limits@openssh.com" => ("limits", silent(Expects::Extended)),
            b"expand-path@openssh.com" => ("expand_path", self.look(fields, Expects::Names(None))?),
            b"home-directory" => ("home_directory", self.look(fields, Expects::Names(None))?),
            b"users-groups-by-id@openssh.com" => {
                fields.string()?;
                fields.string()?;
                ("users_groups_by_id", silent(Expects::Extended))
            }
            other => return Err(SftpError::Extension(String::from_utf8_lossy(other.get(..64).unwrap_or(other)).into_owned())),
        })
    }

    fn open(&mut self, fields: &mut Fields<'_>) -> Result<Pending, SftpError> {
        let (path, flags, attributes) = (fields.name()?, open_flags(fields.u32()?)?, fields.attributes()?);
        fields.end()?;
        let opening = self.files.open(path.clone(), self.next_request, &flags)?;
        let listed = Some(self.list(SftpOperation::Open { path, flags, attributes }));
        Ok(Pending { listed, expects: Expects::Handle(opening) })
    }

    /// A request that names a file and changes nothing: counted, not listed.
    fn look(&mut self, fields: &mut Fields<'_>, expects: Expects) -> Result<Pending, SftpError> {
        fields.name()?;
        Ok(Pending { listed: None, expects })
    }

    /// A request that is answered by a status. Listed once it is known to be whole.
    fn listed(&mut self, name: &'static str, fields: &Fields<'_>, operation: SftpOperation) -> Result<(&'static str, Pending), SftpError> {
        fields.end()?;
        let listed = Some(self.list(operation));
        Ok((name, Pending { listed, expects: Expects::Status }))
    }
}

/// Section 6.3.
fn open_flags(bits: u32) -> Result<Vec<OpenFlag>, SftpError> {
    const FLAGS: [(u32, OpenFlag); 6] = [
        (0x01, OpenFlag::Read),
        (0x02, OpenFlag::Write),
        (0x04, OpenFlag::Append),
        (0x08, OpenFlag::Create),
        (0x10, OpenFlag::Truncate),
        (0x20, OpenFlag::Exclusive),
    ];
    if bits & !0x3f != 0 {
        return Err(SftpError::Flags(bits));
    }
    Ok(FLAGS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, flag)| *flag).collect())
}
