//! Files that are the person's alone: opened without following links, checked by their handle, written whole or not at all.

use rustix::{
    fd::OwnedFd,
    fs::{self as sys, AtFlags, CWD, FileType, Mode, OFlags, Stat},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

/// What a private directory may permit: everything to its owner.
const DIRECTORY_MODE: Mode = Mode::RWXU;

/// What a private file permits: reading and writing to its owner.
pub const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// What a file permits that others may read.
pub const PUBLIC: Mode = PRIVATE.union(Mode::RGRP).union(Mode::ROTH);

/// Why a file or directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// A symbolic link, where one could be made to point elsewhere.
    #[error("{0} is a symbolic link, and links are not followed here")]
    Link(PathBuf),
    /// A directory where a file should be, or something stranger.
    #[error("{0} is not a {1}")]
    WrongType(PathBuf, &'static str),
    /// It belongs to somebody else.
    #[error("{0} belongs to another user")]
    ForeignOwner(PathBuf),
    /// Others may read or write it.
    #[error("{path} is open to others (mode {mode:03o})")]
    OpenToOthers {
        /// What is open.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// A name that is not a plain file name.
    #[error("{0:?} is not a file name")]
    BadName(String),
    /// Larger than it can be.
    #[error("{0} is larger than {1} bytes")]
    TooLarge(PathBuf, u64),
    /// The system refused.
    #[error("{path}: {cause}")]
    System {
        /// What was being worked on.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
}

impl PrivateFileError {
    /// What to do next, if that is known.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::OpenToOthers { path, wanted, .. } => {
                Some(format!("make sure that nobody changed it, then: chmod {wanted:03o} '{}'", path.display()))
            }
            Self::Link(path) | Self::WrongType(path, _) | Self::ForeignOwner(path) => {
                Some(format!("move {} away, or name another place", path.display()))
            }
            Self::TooLarge(path, _) => Some(format!("move {} away", path.display())),
            Self::BadName(_) | Self::System { .. } => None,
        }
    }
}

fn system(path: &Path) -> impl Fn(Errno) -> PrivateFileError + '_ {
    move |errno| match errno {
        Errno::LOOP | Errno::MLINK => PrivateFileError::Link(path.to_owned()),
        errno => PrivateFileError::System { path: path.to_owned(), cause: errno.into() },
    }
}

/// A directory that is the person's alone. Whatever happens to its path, reads and writes go to the directory that was checked.
pub struct PrivateDirectory {
    path: PathBuf,
    handle: OwnedFd,
}

impl PrivateDirectory {
    /// Opens it; `None` if there is nothing at the path.
    pub fn open(path: &Path) -> Result<Option<Self>, PrivateFileError> {
        match sys::lstat(path) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Symlink => {
                return Err(PrivateFileError::Link(path.to_owned()));
            }
            Ok(_) => {}
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(system(path)(errno)),
        }
        let handle =
            sys::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| {
                if errno == Errno::NOTDIR { PrivateFileError::WrongType(path.to_owned(), "directory") } else { system(path)(errno) }
            })?;
        check_private(&sys::fstat(&handle).map_err(system(path))?, path, DIRECTORY_MODE)?;
        Ok(Some(Self { path: path.to_owned(), handle }))
    }

    /// Opens it, and makes it and what leads to it if it is not there.
    pub fn create(path: &Path) -> Result<Self, PrivateFileError> {
        if let Some(found) = Self::open(path)? {
            return Ok(found);
        }
        let made = |cause| PrivateFileError::System { path: path.to_owned(), cause };
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, DIRECTORY_MODE.bits()).recursive(true);
        builder.create(path).map_err(made)?;
        Self::open(path)?.ok_or_else(|| made(io::ErrorKind::NotFound.into()))
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file of at most `limit` bytes; `None` if there is none.
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, PrivateFileError> {
        let path = self.path.join(plain(name)?);
        // Non-blocking, so that a pipe in the file's place does not hang the reader.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let handle = match sys::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(system(&path)(errno)),
        };
        let found = sys::fstat(&handle).map_err(system(&path))?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(PrivateFileError::WrongType(path, "file"));
        }
        check_private(&found, &path, PRIVATE)?;
        let mut bytes = Vec::new();
        let read = File::from(handle).take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|cause| PrivateFileError::System { path: path.clone(), cause })?;
        if bytes.len() as u64 > limit { Err(PrivateFileError::TooLarge(path, limit)) } else { Ok(Some(bytes)) }
    }

    /// Writes a private file whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), PrivateFileError> {
        plain(name)?;
        Replacement::prepare(&self.handle, &self.path, name, bytes, PRIVATE)?.commit()
    }

    /// Removes a file, or a link in its place; one that is not there is removed already.
    pub fn remove(&self, name: &str) -> Result<(), PrivateFileError> {
        let path = self.path.join(plain(name)?);
        match sys::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(system(&path)(errno)),
        }
    }

    /// Opens a private file to be held, and makes it if it is not there.
    pub(super) fn hold(&self, name: &str) -> Result<OwnedFd, PrivateFileError> {
        let path = self.path.join(plain(name)?);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let handle = sys::openat(&self.handle, name, flags, PRIVATE).map_err(system(&path))?;
        check_private(&sys::fstat(&handle).map_err(system(&path))?, &path, PRIVATE)?;
        Ok(handle)
    }
}

/// Writes `files` (name, contents, permissions) into `directory`: all are on disk before the first takes its place, in the order given.
pub fn write_together(directory: &Path, files: &[(&str, &[u8], Mode)]) -> Result<(), PrivateFileError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = sys::open(directory, flags, Mode::empty()).map_err(system(directory))?;
    let mut replacements = Vec::with_capacity(files.len());
    for (name, bytes, mode) in files {
        replacements.push(Replacement::prepare(&handle, directory, plain(name)?, bytes, *mode)?);
    }
    replacements.into_iter().try_for_each(Replacement::commit)
}

/// A new version of a file, on disk beside the old one. Dropped before it is committed, it leaves nothing.
struct Replacement<'a> {
    directory: &'a OwnedFd,
    path: PathBuf,
    name: &'a str,
    temporary: Option<String>,
}

impl<'a> Replacement<'a> {
    fn prepare(directory: &'a OwnedFd, parent: &Path, name: &'a str, bytes: &[u8], mode: Mode) -> Result<Self, PrivateFileError> {
        let path = parent.join(name);
        match sys::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(old) => match FileType::from_raw_mode(old.st_mode) {
                FileType::RegularFile => {}
                FileType::Symlink => return Err(PrivateFileError::Link(path)),
                _ => return Err(PrivateFileError::WrongType(path, "file")),
            },
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(system(&path)(errno)),
        }
        let temporary = format!(".{name}.{:016x}", rand::random::<u64>());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = sys::openat(directory, temporary.as_str(), flags, mode).map_err(system(&path))?;
        let prepared = Self { directory, path, name, temporary: Some(temporary) };
        let mut file = File::from(handle);
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(|cause| PrivateFileError::System { path: prepared.path.clone(), cause })?;
        Ok(prepared)
    }

    fn commit(mut self) -> Result<(), PrivateFileError> {
        if let Some(temporary) = &self.temporary {
            sys::renameat(self.directory, temporary.as_str(), self.directory, self.name).map_err(system(&self.path))?;
            self.temporary = None;
        }
        sys::fsync(self.directory).map_err(system(&self.path))
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // The file is ours and useless; that it cannot be removed changes nothing for the caller.
            let _ = sys::unlinkat(self.directory, temporary.as_str(), AtFlags::empty());
        }
    }
}

/// Whether the file is the person's alone.
pub(crate) fn check_private(found: &Stat, path: &Path, wanted: Mode) -> Result<(), PrivateFileError> {
    if found.st_uid != rustix::process::geteuid().as_raw() {
        return Err(PrivateFileError::ForeignOwner(path.to_owned()));
    }
    let mode = Mode::from_raw_mode(found.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) {
        return Err(PrivateFileError::OpenToOthers { path: path.to_owned(), mode: mode.bits() & 0o7777, wanted: wanted.bits() });
    }
    Ok(())
}

/// Opens a file that a command line names, following links, and says who may read it.
pub(crate) fn open_named(path: &Path) -> Result<(File, Stat), PrivateFileError> {
    let handle = sys::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).map_err(system(path))?;
    let found = sys::fstat(&handle).map_err(system(path))?;
    Ok((File::from(handle), found))
}

fn plain(name: &str) -> Result<&str, PrivateFileError> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == OsStr::new(name) => Ok(name),
        _ => Err(PrivateFileError::BadName(name.to_owned())),
    }
}
