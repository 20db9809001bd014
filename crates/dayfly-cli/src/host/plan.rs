//! Files as they should be, compared with those that are. All of them are written, or everything is put back byte for byte.

mod write;

use crate::error::{Failure, Kind};
use similar::TextDiff;
use std::{
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use write::{remove, replace};

/// What `sshd` and its children read, whoever they run as.
const PUBLIC: u32 = 0o644;

/// A file as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub path: PathBuf,
    /// What is in it.
    pub contents: Vec<u8>,
    mode: u32,
}

impl File {
    /// A file that everybody may read and its owner alone may write.
    pub fn public(path: PathBuf, contents: impl Into<Vec<u8>>) -> Self {
        Self { path, contents: contents.into(), mode: PUBLIC }
    }
}

/// A file as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    contents: Vec<u8>,
    mode: u32,
}

/// One file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    path: PathBuf,
    old: Option<Found>,
    /// `None` if it should not be there.
    new: Option<File>,
}

/// Everything that is not as it should be, in the order in which it is put right.
#[derive(Debug, Default)]
pub struct Plan {
    changes: Vec<Change>,
}

impl Plan {
    /// Compares `wanted` with what is there. Of `own`, directories that are ours alone, whatever else is in them goes.
    pub fn new(wanted: Vec<File>, own: &[PathBuf]) -> Result<Self, Failure> {
        let mut changes = Vec::new();
        for directory in own {
            let is_wanted = |path: &PathBuf| wanted.iter().any(|file| file.path == *path);
            for path in files_in(directory)?.into_iter().filter(|path| !is_wanted(path)) {
                changes.push(Change { old: find(&path)?, path, new: None });
            }
        }
        for file in wanted {
            let old = find(&file.path)?;
            if old.as_ref().is_none_or(|old| old.contents != file.contents || old.mode != file.mode) {
                changes.push(Change { path: file.path.clone(), old, new: Some(file) });
            }
        }
        Ok(Self { changes })
    }

    /// What will be changed.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether there is a change to `path`.
    pub fn touches(&self, path: &Path) -> bool {
        self.changes.iter().any(|change| change.path == path)
    }

    /// Makes every change and asks `accepted`; if a change fails, or the answer is a failure, everything is put back as it was.
    pub fn apply(&self, accepted: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        let mut made = Vec::new();
        let mut directories = Vec::new();
        let mut outcome = Ok(());
        for change in &self.changes {
            outcome = change.make(&mut directories);
            if outcome.is_err() {
                break;
            }
            made.push(change);
        }
        let Err(failure) = outcome.and_then(|()| accepted()) else { return Ok(()) };
        let undone: Vec<Failure> = made.into_iter().rev().filter_map(|change| change.undo().err()).collect();
        // Only those that are empty again go; that one is not is no reason to stop.
        directories.iter().rev().for_each(|path| drop(std::fs::remove_dir(path)));
        match undone.first() {
            None => Err(Failure { message: format!("{}; everything was put back as it was", failure.message), ..failure }),
            Some(also) => {
                Err(Failure { message: format!("{}, and not everything could be put back: {}", failure.message, also), ..failure })
            }
        }
    }
}

impl Change {
    /// Where.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What happens: `create`, `replace` or `remove`.
    pub fn action(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "create",
            (Some(_), Some(_)) => "replace",
            (Some(_), None) => "remove",
        }
    }

    /// The difference, unified; in a few words where it is not text.
    pub fn diff(&self) -> String {
        let old = self.old.as_ref().map(|old| old.contents.as_slice()).unwrap_or_default();
        let new = self.new.as_ref().map(|new| new.contents.as_slice()).unwrap_or_default();
        let path = self.path.display().to_string();
        let name = |there: bool| if there { path.as_str() } else { "/dev/null" };
        let (before, after) = (name(self.old.is_some()), name(self.new.is_some()));
        match (std::str::from_utf8(old), std::str::from_utf8(new)) {
            (Ok(old), Ok(new)) if !old.contains('\0') && !new.contains('\0') => {
                TextDiff::from_lines(old, new).unified_diff().header(before, after).to_string()
            }
            _ => format!("--- {before}\n+++ {after}\n{} bytes, not text, become {} bytes\n", old.len(), new.len()),
        }
    }

    fn make(&self, directories: &mut Vec<PathBuf>) -> Result<(), Failure> {
        match &self.new {
            Some(file) => {
                make_directories(&self.path, directories)?;
                replace(&self.path, &file.contents, file.mode).map_err(|error| unwritable(&self.path, &error))
            }
            None => remove(&self.path).map_err(|error| unwritable(&self.path, &error)),
        }
    }

    fn undo(&self) -> Result<(), Failure> {
        let undone = match &self.old {
            Some(old) => replace(&self.path, &old.contents, old.mode),
            None => remove(&self.path),
        };
        undone.map_err(|error| unwritable(&self.path, &error))
    }
}

/// Makes the directories that lead to a file, and notes which it made.
fn make_directories(path: &Path, made: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let missing: Vec<&Path> = path.ancestors().skip(1).take_while(|directory| !directory.exists()).collect();
    for directory in missing.into_iter().rev() {
        write::make_directory(directory).map_err(|error| unwritable(directory, &error))?;
        made.push(directory.to_owned());
    }
    Ok(())
}

fn find(path: &Path) -> Result<Option<Found>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Kind::Failed, format!("{} cannot be read", path.display())).because(error).remedy("run as root")
    };
    match path.symlink_metadata() {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(unreadable(error)),
        // A link would have what it leads to replaced, or itself; either is a surprise.
        Ok(found) if !found.is_file() => Err(Failure::new(Kind::Failed, format!("{} is not a regular file", path.display()))
            .because("it is left alone, so nothing was changed")
            .remedy("move it away")),
        Ok(found) => Ok(Some(Found { contents: std::fs::read(path).map_err(unreadable)?, mode: found.mode() & 0o7777 })),
    }
}

fn files_in(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(Kind::Failed, format!("{} cannot be read", directory.display())).because(error);
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("{} cannot be written", path.display())).because(error).remedy("run as root, and check the disk")
}

#[cfg(test)]
mod tests;
