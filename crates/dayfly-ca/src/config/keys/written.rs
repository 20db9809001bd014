//! `[keys]` as it is written → [`Keys`], every mistake with its line.

use super::{AgentKey, Calls, Custody, Key, Keys, LockMemory, TokenKey};
use crate::{
    config::document::{Document, Placed},
    mistake::{Mistake, Mistakes},
};
use dayfly_core::rotation::Purpose;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

/// How long an agent or a token may take for one signature, if the key does not say.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest that an agent or a token may be given.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);

/// The sessions that are held with an agent or a token, if the key does not say.
const SESSIONS: usize = 4;

/// The most sessions with one agent or token.
const MOST_SESSIONS: usize = 64;

/// The keys of `[keys]` that must be there.
pub(in crate::config) const REQUIRED: [&str; 5] = ["user_ca", "session_ca", "host_ca", "inner_host_ca", "log"];

/// `[keys]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct WrittenKeys {
    user_ca: Written,
    session_ca: Written,
    host_ca: Written,
    inner_host_ca: Written,
    log: Written,
    #[serde(default)]
    lock_memory: LockMemory,
    #[serde(default)]
    next: WrittenNext,
}

/// `[keys.next]` as it is written: the keys that rotations shall lead to.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenNext {
    user_ca: Option<Written>,
    session_ca: Option<Written>,
    host_ca: Option<Written>,
    inner_host_ca: Option<Written>,
}

/// One key as it is written: a path, or a table.
enum Written {
    Path(String),
    Table(Box<WrittenTable>),
}

/// A key that is not simply a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTable {
    file: Option<String>,
    agent: Option<String>,
    key: Option<String>,
    pkcs11: Option<String>,
    token: Option<String>,
    label: Option<String>,
    id: Option<String>,
    pin_file: Option<String>,
    timeout: Option<String>,
    sessions: Option<usize>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path, or a table with file, agent or pkcs11")
    }

    fn visit_str<E: de::Error>(self, path: &str) -> Result<Written, E> {
        Ok(Written::Path(path.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
        WrittenTable::deserialize(MapAccessDeserializer::new(map)).map(|table| Written::Table(Box::new(table)))
    }
}

/// Checks what is written, key by key.
pub(in crate::config) fn read(document: &Document, written: Placed<WrittenKeys>, mistakes: &mut Mistakes) -> Option<Keys> {
    let lines = REQUIRED.map(|name| written.line_of(name));
    let line_of_next = written.line_of("next");
    let WrittenKeys { user_ca, session_ca, host_ca, inner_host_ca, log, lock_memory, next } = written.into_value();
    let next = read_next(document, next, line_of_next, mistakes);
    let read = [user_ca, session_ca, host_ca, inner_host_ca, log].into_iter().zip(REQUIRED).zip(lines).map(|((written, purpose), line)| {
        let custody = custody(document, written)
            .map_err(|(cause, remedy)| Mistake::new(&document.path, format!("{purpose}: {cause}"), remedy).at(line));
        Some(Key { purpose, custody: mistakes.keep(custody)?, file: document.path.clone(), line })
    });
    let read: Vec<Option<Key>> = read.collect();
    let [user_ca, session_ca, host_ca, inner_host_ca, log] = read.into_iter().collect::<Option<Vec<Key>>>()?.try_into().ok()?;
    Some(Keys { user_ca, session_ca, host_ca, inner_host_ca, log, next: next?, lock_memory })
}

fn read_next(document: &Document, next: WrittenNext, line: usize, mistakes: &mut Mistakes) -> Option<BTreeMap<Purpose, Key>> {
    let WrittenNext { user_ca, session_ca, host_ca, inner_host_ca } = next;
    let written = [
        (Purpose::User, "next.user_ca", user_ca),
        (Purpose::Session, "next.session_ca", session_ca),
        (Purpose::Host, "next.host_ca", host_ca),
        (Purpose::InnerHost, "next.inner_host_ca", inner_host_ca),
    ];
    let written = written.into_iter().filter_map(|(purpose, name, written)| Some((purpose, name, written?)));
    let read = written.map(|(purpose, name, written)| {
        let custody =
            custody(document, written).map_err(|(cause, remedy)| Mistake::new(&document.path, format!("{name}: {cause}"), remedy).at(line));
        Some((purpose, Key { purpose: name, custody: mistakes.keep(custody)?, file: document.path.clone(), line }))
    });
    read.collect::<Vec<_>>().into_iter().collect()
}

/// What is wrong, and what to do.
type Wrong = (String, &'static str);

fn custody(document: &Document, written: Written) -> Result<Custody, Wrong> {
    let table = match written {
        Written::Path(path) => return Ok(Custody::File(document.beside(Path::new(&path)))),
        Written::Table(table) => *table,
    };
    let beside = |path: &String| document.beside(Path::new(path));
    match (&table.file, &table.agent, &table.pkcs11) {
        (Some(path), None, None) => {
            table.allow_only(&[])?;
            Ok(Custody::File(beside(path)))
        }
        (None, Some(socket), None) => {
            table.allow_only(&["key", "timeout", "sessions"])?;
            let key =
                table.key.clone().ok_or(missing("key", "name which of the agent's keys it is: its line in ssh-add -L, or SHA256:…"))?;
            Ok(Custody::Agent(AgentKey { socket: beside(socket), key, calls: table.calls()? }))
        }
        (None, None, Some(module)) => {
            table.allow_only(&["token", "label", "id", "pin_file", "timeout", "sessions"])?;
            let token = table.token.clone().ok_or(missing("token", "add the token's label, which pkcs11-tool --list-token-slots shows"))?;
            let id = table.id.as_deref().map(hexadecimal).transpose()?;
            if table.label.is_none() && id.is_none() {
                return Err(missing("label", "add the key's label or id, which pkcs11-tool --list-objects shows"));
            }
            let pin_file = table.pin_file.as_ref().map(beside);
            Ok(Custody::Token(TokenKey { module: beside(module), token, label: table.label.clone(), id, pin_file, calls: table.calls()? }))
        }
        _ => Err(("the key has not exactly one of file, agent and pkcs11".to_owned(), "say who holds the key: one of the three")),
    }
}

fn missing(key: &str, remedy: &'static str) -> Wrong {
    (format!("there is no `{key}`"), remedy)
}

impl WrittenTable {
    /// Refuses what another custody would want: it would be ignored silently.
    fn allow_only(&self, allowed: &[&str]) -> Result<(), Wrong> {
        let present = [
            ("key", self.key.is_some()),
            ("token", self.token.is_some()),
            ("label", self.label.is_some()),
            ("id", self.id.is_some()),
            ("pin_file", self.pin_file.is_some()),
            ("timeout", self.timeout.is_some()),
            ("sessions", self.sessions.is_some()),
        ];
        match present.iter().find(|(name, is_present)| *is_present && !allowed.contains(name)) {
            Some((name, _)) => Err((format!("`{name}` means nothing for a key that is kept there"), "remove it")),
            None => Ok(()),
        }
    }

    fn calls(&self) -> Result<Calls, Wrong> {
        let remedy = "write a time between 100ms and 2m";
        let timeout = match &self.timeout {
            Some(text) => humantime::parse_duration(text).map_err(|error| (format!("timeout {text:?}: {error}"), remedy))?,
            None => TIMEOUT,
        };
        if timeout < Duration::from_millis(100) || timeout > LONGEST_TIMEOUT {
            return Err(("the timeout is too short or too long".to_owned(), remedy));
        }
        let sessions = self.sessions.unwrap_or(SESSIONS);
        if sessions == 0 || sessions > MOST_SESSIONS {
            return Err((format!("{sessions} sessions are too few or too many"), "write a number from 1 to 64"));
        }
        Ok(Calls { timeout, sessions })
    }
}

/// `0a1b…`, with or without colons between the bytes.
fn hexadecimal(text: &str) -> Result<Vec<u8>, Wrong> {
    let wrong = || (format!("the id {text:?} is not hexadecimal"), "write it as pkcs11-tool --list-objects shows it");
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pair = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits.chunks(2).map(pair).collect::<Option<Vec<u8>>>().ok_or_else(wrong)
}
