//! A TOML file that is read mistake by mistake: one that cannot be used is noted with its line, and what stands beside it is still looked at.

use crate::mistake::{Mistake, Mistakes};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

/// What to do where nothing better is known.
const SEE_EXAMPLE: &str = "see ca-config.example.toml, which explains every key";

/// A file's text.
pub(super) struct Document {
    pub(super) path: PathBuf,
    text: String,
}

/// A table, and where it stands.
pub(super) type Table<'t> = Spanned<DeTable<'t>>;

/// A value that was read from a table, and the lines of the table and its keys.
pub(super) struct Placed<T> {
    pub(super) value: T,
    line: usize,
    keys: BTreeMap<String, usize>,
}

impl<T> Placed<T> {
    pub(super) fn into_value(self) -> T {
        self.value
    }

    /// The line of `key`, or of the table if it does not have it.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.keys.get(key).copied().unwrap_or(self.line)
    }
}

impl Document {
    pub(super) fn read(path: &Path) -> Result<Self, Mistakes> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Mistake::new(path, format!("cannot be read: {error}"), "name the file with --config, or make one with `dayfly-ca init`")
        })?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// Relative paths in the file are relative to where it is.
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// The whole file. Mistakes of syntax hide others, so they come alone.
    pub(super) fn table(&self) -> Result<Table<'_>, Mistakes> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let mut mistakes: Vec<_> = errors.iter().map(|error| self.mistake(error.span(), error.message())).collect();
        mistakes.sort_by_key(|mistake| mistake.line);
        Mistakes(mistakes).or(table)
    }

    /// Reads `table` as a `T`. Every key that cannot be read, and every one of `required` that is missing, is a mistake of its own.
    pub(super) fn read_table<'t, T: Deserialize<'t>>(
        &self,
        table: Table<'t>,
        what: &str,
        required: &[&str],
        mistakes: &mut Mistakes,
    ) -> Option<Placed<T>> {
        let (span, mut table) = (table.span(), table.into_inner());
        let found_before = mistakes.0.len();
        let line = self.line_at(span.start);
        let keys = table.keys().map(|key| (key.get_ref().to_string(), self.line_at(key.span().start))).collect();
        let missing = required.iter().filter(|key| !table.contains_key(**key));
        mistakes.0.extend(
            missing.map(|key| Mistake::new(&self.path, format!("{what} has no `{key}`"), format!("add it; {SEE_EXAMPLE}")).at(line)),
        );
        loop {
            let attempt = Spanned::new(span.clone(), DeValue::Table(table.clone()));
            let error = match T::deserialize(ValueDeserializer::from(attempt)) {
                Ok(value) if mistakes.0.len() == found_before => return Some(Placed { value, line, keys }),
                Ok(_) => return None,
                Err(error) => error,
            };
            // What is read on without a key that was bad or missing misses it: that is known already.
            if mistakes.0.len() > found_before && error.message().starts_with("missing field") {
                return None;
            }
            mistakes.0.push(self.mistake(error.span(), error.message()));
            if !remove_at(&mut table, error.span()) {
                return None;
            }
        }
    }

    /// A mistake at a place in the text. What the message says after its last colon, or after "expected", is what to do.
    pub(super) fn mistake(&self, span: Option<Range<usize>>, message: &str) -> Mistake {
        let (cause, remedy) = match (message.split_once(", expected "), message.rsplit_once(": ")) {
            (Some((cause, expected)), _) => (cause, format!("expected {expected}")),
            (None, Some((cause, remedy))) => (cause, remedy.to_owned()),
            (None, None) => (message, SEE_EXAMPLE.to_owned()),
        };
        let mistake = Mistake::new(&self.path, cause.replace("unknown field", "unknown key"), remedy);
        match span {
            Some(span) => mistake.at(self.line_at(span.start)),
            None => mistake,
        }
    }

    fn line_at(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// Takes the key away that a mistake is about, so that the others can be read.
fn remove_at(table: &mut DeTable<'_>, span: Option<Range<usize>>) -> bool {
    let Some(span) = span else { return false };
    let is_about = |whole: Range<usize>| whole.start <= span.start && span.end <= whole.end;
    let found = table.iter().find(|(key, value)| is_about(key.span()) || is_about(value.span()));
    let Some(key) = found.map(|(key, _)| key.get_ref().to_string()) else { return false };
    table.remove(key.as_str()).is_some()
}

/// Takes a table out of the one that it stands in.
pub(super) fn take_table<'t>(outer: &mut DeTable<'t>, name: &str) -> Option<Table<'t>> {
    let value = outer.remove(name)?;
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Some(Spanned::new(span, table)),
        _ => Some(Spanned::new(span, DeTable::new())),
    }
}

/// Takes an array of tables, `[[name]]`, out of the table that it stands in; what is no table comes as an empty one, which misses everything.
pub(super) fn take_tables<'t>(outer: &mut DeTable<'t>, name: &str) -> Vec<Table<'t>> {
    let Some(value) = outer.remove(name) else { return Vec::new() };
    let span = value.span();
    let entries = match value.into_inner() {
        DeValue::Array(array) => array.into_iter().collect(),
        other => vec![Spanned::new(span, other)],
    };
    let table = |entry: Spanned<DeValue<'t>>| {
        let span = entry.span();
        match entry.into_inner() {
            DeValue::Table(table) => Spanned::new(span, table),
            _ => Spanned::new(span, DeTable::new()),
        }
    };
    entries.into_iter().map(table).collect()
}
