//! `[keys]`: where each of the CA's keys is kept.

use crate::mistake::Mistake;
use dayfly_core::rotation::Purpose;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

mod written;

pub(super) use written::{REQUIRED, WrittenKeys, read};

/// The CA's five keys, by purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Signs people's and machines' certificates.
    pub user_ca: Key,
    /// Signs session certificates.
    pub session_ca: Key,
    /// Signs host certificates of bastions and real hosts.
    pub host_ca: Key,
    /// Signs what a bastion shows when it answers for a recorded target.
    pub inner_host_ca: Key,
    /// Signs the log's head.
    pub log: Key,
    /// Who holds the keys that rotations shall lead to. Where none is named, a rotation makes a file.
    pub next: BTreeMap<Purpose, Key>,
    /// Whether memory is locked, so that no key reaches the disk as swapped memory.
    pub lock_memory: LockMemory,
}

impl Keys {
    /// The key that an authority began with.
    pub fn of(&self, purpose: Purpose) -> &Key {
        match purpose {
            Purpose::User => &self.user_ca,
            Purpose::Session => &self.session_ca,
            Purpose::Host => &self.host_ca,
            Purpose::InnerHost => &self.inner_host_ca,
        }
    }
}

/// One key: where it is kept, and where that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name in `[keys]`.
    pub purpose: &'static str,
    /// Who holds it.
    pub custody: Custody,
    /// The configuration file.
    pub file: PathBuf,
    /// The line of the key, counted from 1.
    pub line: usize,
}

impl Key {
    /// A mistake at this key's line of the configuration.
    pub fn mistake(&self, cause: impl fmt::Display, remedy: impl Into<String>) -> Mistake {
        Mistake::new(&self.file, format!("{}: {cause}", self.purpose), remedy).at(self.line)
    }

    /// The file that the key itself is in, or the configuration where it is elsewhere.
    pub fn place(&self) -> &Path {
        match &self.custody {
            Custody::File(path) => path,
            Custody::Agent(_) | Custody::Token(_) => &self.file,
        }
    }
}

/// Who holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Custody {
    /// A file in OpenSSH's format.
    File(PathBuf),
    /// An ssh-agent.
    Agent(AgentKey),
    /// A token that speaks PKCS#11.
    Token(TokenKey),
}

/// A key that an ssh-agent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentKey {
    /// The agent's socket.
    pub socket: PathBuf,
    /// Which of its keys: one OpenSSH line, or `SHA256:…`.
    pub key: String,
    /// How it is asked.
    pub calls: Calls,
}

/// A key on a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// The PKCS#11 module, a shared library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The key's label (CKA_LABEL).
    pub label: Option<String>,
    /// The key's id (CKA_ID).
    pub id: Option<Vec<u8>>,
    /// The file that holds the PIN.
    pub pin_file: Option<PathBuf>,
    /// How it is asked.
    pub calls: Calls,
}

/// How an agent or a token is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// How long one signature may take before the caller gives up.
    pub timeout: Duration,
    /// How many signatures are made at a time.
    pub sessions: usize,
}

/// Whether the process's memory is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockMemory {
    /// Locked, or the CA does not start.
    Required,
    /// Locked where the system permits it, with a warning where not.
    #[default]
    IfPermitted,
    /// Not locked.
    Never,
}
