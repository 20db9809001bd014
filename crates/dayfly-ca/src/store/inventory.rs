//! What the store remembers of the inventory's sources: what each said last that could be used, and what is wrong with it since.

use dayfly_core::{name::SourceName, target::Target};

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRecord {
    /// Its name.
    pub name: SourceName,
    /// What was read, in words. What was said elsewhere is not this place's.
    pub place: String,
    /// What it said last that could be used; `None` if it never did.
    pub targets: Option<Vec<Target>>,
    /// When it said that last, in Unix seconds; 0 if it never did.
    pub read_at: u64,
    /// When it was read last, whatever came of it.
    pub tried_at: u64,
    /// What is wrong with it.
    pub failure: Option<SourceFailure>,
}

/// What is wrong with a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFailure {
    /// Which kind of failure, one word.
    pub kind: String,
    /// A sentence.
    pub detail: String,
    /// Since when it is of this kind, in Unix seconds.
    pub since: u64,
}

/// A source answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAnswer {
    /// Which.
    pub name: SourceName,
    /// What was read.
    pub place: String,
    /// What it said.
    pub targets: Vec<Target>,
    /// When, in Unix seconds.
    pub at: u64,
}

/// A source gave no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTrouble {
    /// Which.
    pub name: SourceName,
    /// What was read.
    pub place: String,
    /// Which kind of failure, one word.
    pub kind: String,
    /// A sentence.
    pub detail: String,
    /// When, in Unix seconds.
    pub at: u64,
}

impl SourceAnswer {
    /// What is remembered from here on, and whether it is news.
    pub(super) fn after(self, earlier: Option<&SourceRecord>) -> (SourceRecord, bool) {
        let Self { name, place, targets, at } = self;
        let is_news =
            earlier.is_none_or(|earlier| earlier.failure.is_some() || earlier.place != place || earlier.targets.as_ref() != Some(&targets));
        (SourceRecord { name, place, targets: Some(targets), read_at: at, tried_at: at, failure: None }, is_news)
    }
}

impl SourceTrouble {
    /// What is remembered from here on, and whether it is news. What the same place said before stays.
    pub(super) fn after(self, earlier: Option<&SourceRecord>) -> (SourceRecord, bool) {
        let Self { name, place, kind, detail, at } = self;
        let same_place = earlier.filter(|earlier| earlier.place == place);
        let same_kind = same_place.and_then(|earlier| earlier.failure.as_ref()).filter(|failure| failure.kind == kind);
        let since = same_kind.map_or(at, |failure| failure.since);
        let record = SourceRecord {
            name,
            place,
            targets: same_place.and_then(|earlier| earlier.targets.clone()),
            read_at: same_place.map_or(0, |earlier| earlier.read_at),
            tried_at: at,
            failure: Some(SourceFailure { kind, detail, since }),
        };
        (record, same_kind.is_none())
    }
}
