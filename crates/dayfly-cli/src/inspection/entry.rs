//! What stands before a key in `authorized_keys` (sshd(8), AUTHORIZED_KEYS FILE FORMAT) and in `known_hosts` (the same page, SSH_KNOWN_HOSTS FILE
//! FORMAT), and what follows from it.

mod hosts;
mod options;

pub(super) use options::are_options;

use super::listed;
use crate::output::Lines;
use serde::Serialize;
use std::io;

/// What a line says of its key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EntryDescription {
    /// `known_hosts` or `authorized_keys`.
    pub entry: &'static str,
    /// `@cert-authority` or `@revoked`, in `known_hosts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// The host patterns as they stand there, in `known_hosts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The options as they stand there, in `authorized_keys`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// What the line means, a sentence each.
    pub means: Vec<String>,
    /// What whoever logs in with the key may do, in `authorized_keys`.
    #[serde(rename = "may", skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    /// What they may not do, likewise.
    #[serde(rename = "may_not", skip_serializing_if = "Vec::is_empty")]
    pub forbids: Vec<String>,
    /// What a reader should stop at.
    #[serde(skip)]
    pub unusual: Vec<String>,
}

impl EntryDescription {
    /// What stands before a key in `known_hosts`: a marker perhaps, and hosts.
    pub fn of_hosts(before: &str) -> Self {
        hosts::describe(before)
    }

    /// What stands before a key in `authorized_keys`, as of `now` in Unix seconds.
    pub fn of_options(before: &str, now: u64) -> Self {
        options::describe(before, now)
    }

    pub(super) fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.field("line of", self.entry)?;
        listed(lines, "means", &self.means)?;
        listed(lines, "allows", &self.allows)?;
        listed(lines, "does not allow", &self.forbids)
    }
}
