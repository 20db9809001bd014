//! The list: each certificate's defect, what is wrong with it, and what must be said of it.

mod encoding;
mod good;
mod holders;
mod names;
mod openssh;
mod options;
mod signatures;
mod sshd;
mod windows;

use crate::{
    Entry,
    keys::Authority,
    wire::{self, Fields},
};
use anyhow::{Context, Result};
use std::collections::BTreeSet;

/// All of them, by name.
pub fn generate() -> Result<Vec<Entry>> {
    let mut list = List::default();
    good::add(&mut list)?;
    windows::add(&mut list)?;
    names::add(&mut list)?;
    options::add(&mut list)?;
    holders::add(&mut list)?;
    signatures::add(&mut list)?;
    encoding::add(&mut list)?;
    let names: BTreeSet<&str> = list.0.iter().map(|entry| entry.name.as_str()).collect();
    anyhow::ensure!(names.len() == list.0.len(), "two certificates of the corpus have one name");
    list.0.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(list.0)
}

#[derive(Default)]
struct List(Vec<Entry>);

impl List {
    /// A good certificate with something changed before it is signed.
    fn signed(&mut self, name: &str, reason: &str, what: &str, change: impl FnOnce(&mut Fields)) -> Result<&mut Entry> {
        self.signed_by(Authority::Ed25519, name, reason, what, change)
    }

    fn signed_by(
        &mut self,
        authority: Authority,
        name: &str,
        reason: &str,
        what: &str,
        change: impl FnOnce(&mut Fields),
    ) -> Result<&mut Entry> {
        let mut fields = Fields::good()?;
        change(&mut fields);
        let label = fields.name.clone();
        let certificate = fields.signed_by(authority)?;
        self.line(name, reason, what, wire::line(&label, &certificate))
    }

    /// A good certificate whose signature is made by hand, over what is to be signed.
    fn signature(
        &mut self,
        authority: Authority,
        name: &str,
        reason: &str,
        what: &str,
        make: impl FnOnce(&[u8]) -> Result<Vec<u8>>,
    ) -> Result<&mut Entry> {
        let fields = Fields { authority: authority.blob()?, ..Fields::good()? };
        let signature = make(&fields.signed_part())?;
        self.bytes(name, reason, what, &fields.with_signature(&signature))
    }

    fn bytes(&mut self, name: &str, reason: &str, what: &str, certificate: &[u8]) -> Result<&mut Entry> {
        self.line(name, reason, what, wire::line(wire::ED25519.as_bytes(), certificate))
    }

    /// `reason` is the refusal's code, or empty for what must be accepted.
    fn line(&mut self, name: &str, reason: &str, what: &str, line: String) -> Result<&mut Entry> {
        let reason = (!reason.is_empty()).then(|| reason.to_owned());
        let openssh_reads = !openssh::UNREAD.contains(&name);
        let (sshd, stricter) = sshd::verdict(name, reason.is_none());
        let (name, what, stricter) = (name.to_owned(), what.to_owned(), stricter.map(str::to_owned));
        self.0.push(Entry { name, reason, what, openssh_reads, sshd, stricter, line_only: false, line });
        self.0.last_mut().context("it was just added")
    }
}
