//! What was verified before. Whoever holds the log key can write a new history; not one that this file agrees with.

use crate::state::{State, StateError};
use dayfly_core::signature::fingerprint;
use serde::{Deserialize, Serialize};
use ssh_key::public::KeyData;

/// How far apart the rows are whose hashes are kept, so that a rewriting can be narrowed down.
const SPACING: u64 = 1024;

/// A row that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Its number.
    pub seq: u64,
    /// Its hash, in hexadecimal.
    pub hash: String,
}

/// What is remembered of one log, by rising number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Every so many rows, and the newest that were verified.
    pub checkpoints: Vec<Checkpoint>,
}

impl Witness {
    /// What is remembered of the log that `log_key` signs.
    pub fn read(state: &State, log_key: &KeyData) -> Result<Self, StateError> {
        Ok(state.read(&file_name(log_key))?.unwrap_or_default())
    }

    /// Remembers it.
    pub fn write(&self, state: &State, log_key: &KeyData) -> Result<(), StateError> {
        state.write(&file_name(log_key), self)
    }

    /// The newest row that was verified.
    pub fn newest(&self) -> Option<&Checkpoint> {
        self.checkpoints.last()
    }

    /// Adds a row that was just verified, if it is one to be kept.
    pub fn pass(&mut self, seq: u64, hash: &str) {
        if seq.is_multiple_of(SPACING) {
            self.keep(seq, hash);
        }
    }

    /// Adds a row, in its place.
    pub fn keep(&mut self, seq: u64, hash: &str) {
        if let Err(place) = self.checkpoints.binary_search_by_key(&seq, |checkpoint| checkpoint.seq) {
            self.checkpoints.insert(place, Checkpoint { seq, hash: hash.to_owned() });
        }
    }
}

/// A file for each log key: who works with two CAs forgets neither's log. A fingerprint's `/` and `+` have no place in a name.
fn file_name(log_key: &KeyData) -> String {
    let name: String = fingerprint(log_key).chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("log-{name}.json")
}
