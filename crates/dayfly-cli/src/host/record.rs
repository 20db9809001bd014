//! What a renewal has to know, kept beside what it renews. It holds no secret; who could change it could send the host to another CA.

use super::{place::Place, sshd::Sshd};
use crate::error::{Failure, Kind};
use dayfly_core::certified_name::CertifiedName;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Writable by the group or by everybody.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// An enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The CA's address: `https://host[:port]`.
    pub url: String,
    /// The pin of the CA's TLS key; without one, public trust decides.
    pub pin: Option<String>,
    /// The host key's file.
    pub host_key: PathBuf,
    /// The names that the certificate shall hold; all that the host is enrolled for if absent.
    pub names: Option<BTreeSet<CertifiedName>>,
    /// How `sshd` is checked and reloaded.
    pub sshd: Sshd,
    /// How old the revocation list may become before that is told, in seconds.
    pub stale_after_seconds: u64,
}

impl Record {
    /// The record at `place`; `None` if the host was not enrolled there.
    pub fn read(place: &Place) -> Result<Option<Self>, Failure> {
        let path = place.record();
        let unusable = |cause: &dyn std::fmt::Display| {
            Failure::new(Kind::UnsafeState, format!("{} cannot be used", path.display()))
                .because(cause)
                .remedy("find out who changed it, remove it, and enrol again: dayfly host enroll")
        };
        let found = match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found.map_err(|error| unusable(&error))?,
        };
        if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(unusable(&"it is not a file that only this account can write"));
        }
        let text = std::fs::read(&path).map_err(|error| unusable(&error))?;
        serde_json::from_slice(&text).map(Some).map_err(|error| unusable(&error))
    }

    /// The same, where there has to be one.
    pub fn read_enrolled(place: &Place) -> Result<Self, Failure> {
        let absent = || {
            Failure::new(Kind::NotLoggedIn, "this host is not enrolled")
                .because(format!("{} does not exist", place.record().display()))
                .remedy("dayfly host enroll https://CA[:PORT] --pin sha256//… --token-file FILE")
        };
        Self::read(place)?.ok_or_else(absent)
    }

    /// As it is written.
    pub fn text(&self) -> Result<String, Failure> {
        let text = serde_json::to_string_pretty(self);
        Ok(text.map_err(|error| Failure::new(Kind::Failed, "the host's record cannot be written").because(error))? + "\n")
    }

    /// Whether this is an enrolment of that key at that CA.
    pub fn is_of(&self, url: &str, host_key: &Path) -> bool {
        self.url == url && self.host_key == host_key
    }
}
