//! `[[inventory]]`: places beside the file where targets are listed, and what each of them may say.

use super::{
    document::{Document, Placed},
    span::Span,
};
use crate::mistake::Mistakes;
use dayfly_core::{
    name::{SourceName, TargetGroupName},
    target::ALL,
};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The largest answer that may be configured, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A place where targets are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// Its name.
    pub name: SourceName,
    /// What is read.
    pub place: Place,
    /// How often.
    pub refresh: Duration,
    /// How long one reading may take.
    pub timeout: Duration,
    /// The largest answer, in bytes.
    pub max_bytes: u64,
    /// What its answer may say.
    pub permits: Permits,
}

/// What a source is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Every `*.toml` of this directory.
    Directory(PathBuf),
    /// What a program prints: its path, and its arguments.
    Command(PathBuf, Vec<String>),
}

/// As the store keeps it beside what it said, so that what was said elsewhere is not taken for this place's.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "directory {}", path.display()),
            Self::Command(program, arguments) => write!(f, "command {} {arguments:?}", program.display()),
        }
    }
}

/// What a source may say of its targets. Without more it lists recorded targets in no group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permits {
    /// How every name begins.
    pub name_prefix: String,
    /// The target groups that it may put targets into.
    pub groups: BTreeSet<TargetGroupName>,
    /// Whether a target may go unrecorded.
    pub passthrough: bool,
    /// Whether a target may admit literal principals.
    pub literal_principals: bool,
    /// Whether a target may be at an address that means another host to everybody: loopback, or of a link.
    pub local_addresses: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    name: SourceName,
    directory: Option<String>,
    command: Option<Vec<String>>,
    #[serde(default = "five_minutes")]
    refresh: Span<1, { 24 * 60 * 60 }>,
    #[serde(default = "half_a_minute")]
    timeout: Span<1, { 10 * 60 }>,
    #[serde(default = "sixteen_mebibytes")]
    max_bytes: u64,
    #[serde(default)]
    name_prefix: String,
    #[serde(default)]
    groups: BTreeSet<TargetGroupName>,
    #[serde(default)]
    may_passthrough: bool,
    #[serde(default)]
    may_literal_principals: bool,
    #[serde(default)]
    may_local_addresses: bool,
}

fn five_minutes<const LEAST: u64, const MOST: u64>() -> Span<LEAST, MOST> {
    Span(Duration::from_secs(5 * 60))
}

fn half_a_minute<const LEAST: u64, const MOST: u64>() -> Span<LEAST, MOST> {
    Span(Duration::from_secs(30))
}

fn sixteen_mebibytes() -> u64 {
    16 * 1024 * 1024
}

/// Two sources of one name, one without a place or with two, and a program that is looked for are mistakes.
pub(super) fn check(document: &Document, written: Vec<Placed<Written>>) -> Result<Vec<SourceSettings>, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut sources: Vec<SourceSettings> = Vec::new();
    for placed in written {
        let lines = ["name", "directory", "command", "max_bytes", "groups"].map(|key| (key, placed.line_of(key)));
        let mut mistake = |key: &str, text: &str| {
            let line = lines.iter().find(|(name, _)| *name == key).map_or(1, |(_, line)| *line);
            mistakes.0.push(document.mistake(None, text).at(line));
        };
        let one = placed.into_value();
        if sources.iter().any(|source| source.name == one.name) {
            mistake("name", &format!("source {} is defined twice: rename one of the two", one.name));
        }
        if !(1..=LARGEST).contains(&one.max_bytes) {
            mistake("max_bytes", &format!("max_bytes is out of bounds: write a number from 1 to {LARGEST}"));
        }
        if one.groups.contains(ALL) {
            mistake("groups", "every target is in the group \"all\": leave it out");
        }
        let Some(place) = place(document, &one, &mut mistake) else { continue };
        sources.push(SourceSettings {
            name: one.name,
            place,
            refresh: one.refresh.0,
            timeout: one.timeout.0,
            max_bytes: one.max_bytes,
            permits: Permits {
                name_prefix: one.name_prefix,
                groups: one.groups,
                passthrough: one.may_passthrough,
                literal_principals: one.may_literal_principals,
                local_addresses: one.may_local_addresses,
            },
        });
    }
    mistakes.or(sources)
}

fn place(document: &Document, written: &Written, mistake: &mut impl FnMut(&str, &str)) -> Option<Place> {
    match (&written.directory, &written.command) {
        (Some(directory), None) => Some(Place::Directory(document.beside(Path::new(directory)))),
        (None, Some(command)) => match command.split_first() {
            Some((program, arguments)) if Path::new(program).is_absolute() => {
                Some(Place::Command(PathBuf::from(program), arguments.to_vec()))
            }
            _ => {
                mistake("command", "the command does not begin with a program's whole path: write [\"/usr/local/bin/…\", …]");
                None
            }
        },
        _ => {
            let text = format!("source {} has not exactly one of directory and command: write one of the two", written.name);
            mistake("name", &text);
            None
        }
    }
}
