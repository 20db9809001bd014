//! The files for `known_hosts` that were written on this host: what the CA's keys are changes, and they with it.

use super::{MADE_BY, known_hosts};
use crate::{
    error::{Failure, Kind},
    state::{
        State, StateError,
        private_file::{self, PRIVATE},
    },
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

const FILE: &str = "known_hosts_files.json";

/// The most files that are kept up to date. Whoever writes more has them made for a moment.
const MOST: usize = 16;

/// Where they are.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownHostsFiles {
    paths: BTreeSet<PathBuf>,
}

impl KnownHostsFiles {
    /// Remembers one that was written. False if there are too many.
    pub fn remember(state: &State, path: &Path) -> Result<bool, StateError> {
        let mut files: Self = state.read(FILE)?.unwrap_or_default();
        files.paths.retain(|path| path.exists());
        if files.paths.contains(path) || files.paths.len() >= MOST {
            return Ok(files.paths.contains(path));
        }
        files.paths.insert(path.to_owned());
        state.write(FILE, &files).map(|()| true)
    }

    /// Writes those anew that are still what dayfly wrote. Returns what could not be written, in words.
    pub fn refresh(state: &State, lines: &[String]) -> Result<Vec<String>, Failure> {
        let files: Self = state.read(FILE)?.unwrap_or_default();
        let text = known_hosts(lines).map_err(|error| {
            Failure::new(Kind::Failed, "no safe known_hosts can be made").because(error).remedy("tell whoever runs the CA")
        })?;
        let is_ours = |path: &&PathBuf| std::fs::read_to_string(path).is_ok_and(|earlier| earlier.starts_with(MADE_BY) && earlier != text);
        let written = files.paths.iter().filter(is_ours).map(|path| write(path, &text));
        Ok(written.filter_map(Result::err).map(|failure| failure.to_string()).collect())
    }
}

/// Writes a file that only its owner reads, so that a reader sees the old one or the new one.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = || Failure::new(Kind::Failed, format!("{} cannot be written", path.display()));
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else { return Err(failed()) };
    private_file::write_together(directory, &[(name, text.as_bytes(), PRIVATE)]).map_err(|error| failed().because(error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_written_follows_the_ca_and_what_somebody_changed_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let state = State::create(&place.path().join("home")).unwrap();
        let [ours, others, gone] = ["ours", "others", "gone"].map(|name| place.path().join(name));
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        let text = known_hosts(&[format!("@cert-authority db1 {key}")]).unwrap();
        for path in [&ours, &others, &gone] {
            write(path, &text).unwrap();
            KnownHostsFiles::remember(&state, path).unwrap();
        }
        std::fs::write(&others, "mine").unwrap();
        std::fs::remove_file(&gone).unwrap();
        assert!(KnownHostsFiles::refresh(&state, &[format!("@cert-authority db2 {key}")]).unwrap().is_empty());
        assert!(std::fs::read_to_string(&ours).unwrap().contains("db2"));
        assert_eq!(std::fs::read_to_string(&others).unwrap(), "mine");
        assert!(!gone.exists());
    }
}
