//! Which file lies where: `ROOT/YYYY/MM/DD/SESSION_ID/`, the date being the one in the session's id.

use serde::{Deserialize, Serialize};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// The manifest's name.
pub const MANIFEST: &str = "manifest.json";
/// The name of the manifest's signature.
pub const SIGNATURE: &str = "manifest.json.sig";
/// The longest line of any file, newline included. Writers refuse to write a longer one, readers to read it.
pub const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;
/// A directory of this prefix, right under the root, is a recording in the making, before its session may start.
pub(crate) const STARTING: &str = ".starting-";

/// The directory of a session's recording under `root`. None if the id is not of version 7, or of a year past 9999.
///
/// The date (UTC) is the one inside the id (RFC 9562 section 5.7), so the id alone says where a recording is.
pub fn directory(root: &Path, session_id: Uuid) -> Option<PathBuf> {
    if session_id.get_version_num() != 7 {
        return None;
    }
    let (seconds, _) = session_id.get_timestamp()?.to_unix();
    let date = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?.date();
    let day = format!("{:04}/{:02}/{:02}", date.year(), u8::from(date.month()), date.day());
    Some(root.join(day).join(session_id.to_string()))
}

/// Where the recording of `session_id` is under `root`, or none if there is no such recording.
///
/// Errors are those of the file system, so that "may not look" is not taken for "is not there".
pub fn find(root: &Path, session_id: Uuid) -> io::Result<Option<PathBuf>> {
    let Some(dir) = directory(root, session_id) else { return Ok(None) };
    match fs::symlink_metadata(&dir) {
        Ok(metadata) => Ok(metadata.is_dir().then_some(dir)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The directories of all recordings under `root`, oldest first.
pub(crate) fn recordings(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut level = vec![root.to_owned()];
    for digits in [4, 2, 2] {
        level = children(&level, |name| name.len() == digits && name.bytes().all(|byte| byte.is_ascii_digit()))?;
    }
    children(&level, |name| Uuid::try_parse(name).is_ok_and(|id| id.to_string() == name))
}

/// The directories right under `parents` whose name is `wanted`, sorted within each parent.
pub(crate) fn children(parents: &[PathBuf], wanted: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for parent in parents {
        let entries = match fs::read_dir(parent) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            if entry.file_name().to_str().is_some_and(&wanted) && entry.file_type()?.is_dir() {
                paths.push(entry.path());
            }
        }
        paths.sort();
        found.append(&mut paths);
    }
    Ok(found)
}

/// The name of a file that a manifest may list. No other name exists, so none can point elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FileName {
    /// `events.ndjson`.
    Events,
    /// `terminal-N.cast`.
    Terminal(u32),
}

/// A name that no file of a recording has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a recording's file")]
pub struct FileNameError(String);

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events => f.write_str("events.ndjson"),
            Self::Terminal(number) => write!(f, "terminal-{number}.cast"),
        }
    }
}

impl FromStr for FileName {
    type Err = FileNameError;
    fn from_str(text: &str) -> Result<Self, FileNameError> {
        let number = text.strip_prefix("terminal-").and_then(|rest| rest.strip_suffix(".cast"));
        let name = match number {
            Some(number) => number.parse().ok().map(Self::Terminal),
            None => Some(Self::Events),
        };
        // One spelling each: no sign, no leading zero.
        name.filter(|name| name.to_string() == text).ok_or_else(|| FileNameError(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for FileName {
    type Error = FileNameError;
    fn try_from(text: String) -> Result<Self, FileNameError> {
        text.parse()
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> String {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_id_says_where_a_recording_is() {
        let id: Uuid = "0199b2c4-7a00-7000-8000-000000000001".parse().unwrap();
        let dir = directory(Path::new("/recordings"), id).unwrap();
        assert_eq!(dir, Path::new("/recordings/2025/10/05/0199b2c4-7a00-7000-8000-000000000001"));
    }

    #[test]
    fn an_id_without_a_time_has_no_place() {
        for id in ["00000000-0000-0000-0000-000000000000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "ffffffff-ffff-7000-8000-000000000001"] {
            let id: Uuid = id.parse().unwrap();
            assert_eq!(directory(Path::new("/"), id), None, "{id}");
            assert_eq!(find(Path::new("/"), id).unwrap(), None, "{id}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let root = tempfile::tempdir().unwrap();
        let id: Uuid = "0199b2c4-7a00-7000-8000-000000000001".parse().unwrap();
        assert_eq!(find(root.path(), id).unwrap(), None);
        let dir = directory(root.path(), id).unwrap();
        fs::create_dir_all(dir.parent().unwrap()).unwrap();
        fs::write(&dir, "a file").unwrap();
        assert_eq!(find(root.path(), id).unwrap(), None);
        fs::remove_file(&dir).unwrap();
        fs::create_dir(&dir).unwrap();
        assert_eq!(find(root.path(), id).unwrap(), Some(dir));
    }

    #[test]
    fn file_names_have_one_spelling_and_no_path() {
        for name in ["events.ndjson", "terminal-0.cast", "terminal-4294967295.cast"] {
            assert_eq!(name.parse::<FileName>().unwrap().to_string(), name);
        }
        for name in [
            "",
            "manifest.json",
            "../events.ndjson",
            "/etc/passwd",
            "terminal-00.cast",
            "terminal-+1.cast",
            "terminal-.cast",
            "terminal-4294967296.cast",
        ] {
            assert!(name.parse::<FileName>().is_err(), "{name}");
        }
    }
}
