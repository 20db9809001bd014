//! Certificates with one defect each, and the generator that writes them.
//!
//! Everything here is text and bytes, so that whoever judges certificates can be tried with them: the verifier, the bastion, OpenSSH, other
//! people's libraries. `README.md` says what the files are and how to add one.
//!
//! | Module | What it is |
//! |---|---|
//! | [`keys`] | the authorities and holders: test keys, the same at every run |
//! | [`wire`] | a certificate's fields as they stand on the wire, right or wrong |
//! | [`certificates`] | the list: what is wrong with each, and what must be said of it |
//! | [`random`] | as many certificates as one wants, for programs that are to agree about them |

pub mod certificates;
pub mod keys;
pub mod random;
pub mod wire;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};

/// When the certificates are looked at, in Unix seconds: 2027-01-15. Good ones are valid from 2020 to 2100, so that they are good by the
/// system's clock too.
pub const NOW: u64 = 1_800_000_000;

/// The address from which they are used. Loopback will do as well.
pub const PEER: &str = "192.0.2.7";

/// The one principal of a certificate that nothing else is said about.
pub const PRINCIPAL: &str = "deploy@db1";

/// The serial of the certificate that was revoked by it.
pub const REVOKED_SERIAL: u64 = 666;

/// Whose certificates are revoked, all of them.
pub const REVOKED_SUBJECT: &str = "mallory";

/// A certificate, and what must be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its defect, which is the name of its file without `.pub`.
    pub name: String,
    /// The code of the refusal; none: it must be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is wrong with it, or odd about it, in a sentence.
    pub what: String,
    /// Whether `ssh-keygen -L` reads it. It judges form only.
    pub openssh_reads: bool,
    /// What `sshd` makes of it, 9.2 and 10 alike, when somebody shows it, with what is trusted and revoked here. It never sees a line.
    pub sshd: Sshd,
    /// Why it is refused here although `sshd` would let its holder in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stricter: Option<String>,
    /// Whether the defect is in the line alone, and gone when its bytes travel in the protocol.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub line_only: bool,
    /// The certificate's line.
    #[serde(skip)]
    pub line: String,
}

/// What `sshd` makes of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sshd {
    /// It is no certificate, or does not do.
    Refuses,
    /// It would do, and nobody here has the private key to log in with.
    Takes,
    /// Its holder is let in.
    Admits,
}

#[derive(Serialize, Deserialize)]
struct Index {
    certificate: Vec<Entry>,
}

/// The committed certificates, read from their files.
pub fn committed() -> Result<Vec<Entry>> {
    let index = fs::read_to_string(folder().join("certificates.toml")).context("the corpus has no index")?;
    let mut entries = toml::from_str::<Index>(&index)?.certificate;
    for entry in &mut entries {
        let path = path(&entry.name);
        entry.line = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(entries)
}

/// Writes the files anew, and removes those that have no defect any more.
pub fn write(entries: &[Entry]) -> Result<()> {
    for stale in fs::read_dir(folder().join("certificates"))? {
        fs::remove_file(stale?.path())?;
    }
    for entry in entries {
        fs::write(path(&entry.name), &entry.line)?;
    }
    let head = "# What each certificate of this corpus is. Written by the generator: see README.md.\n\n";
    let index = toml::to_string(&Index { certificate: entries.to_vec() })?;
    fs::write(folder().join("certificates.toml"), format!("{head}{index}"))?;
    Ok(())
}

/// The file of the certificate of that name.
pub fn path(name: &str) -> PathBuf {
    folder().join("certificates").join(format!("{name}.pub"))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
