//! An event as a row of the log, linked to the newest.

use super::writer::Entry;
use crate::store::{Position, StoreError};
use dayfly_core::log_link::Chain;
use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

/// How far the clock may stand behind the log, in milliseconds, before nothing is signed any more: clocks are corrected by seconds all the time.
const CLOCK_TOLERANCE: i64 = 60_000;

/// The end of the log, as this transaction has it.
pub(super) struct Tail {
    chain: Chain,
    /// The latest time that the CA's own host put into the log, in Unix milliseconds.
    latest: i64,
    latest_on_disk: i64,
}

impl Tail {
    /// Another process may have appended since, so this is read inside every transaction.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut newest = connection.prepare_cached("SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1")?;
        let newest = newest.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?))).optional()?;
        let chain = newest.map_or_else(Chain::default, |(seq, hash)| Chain::after(seq.unsigned_abs(), hash));
        let latest = connection.prepare_cached("SELECT latest FROM clock")?.query_row([], |row| row.get(0))?;
        Ok(Self { chain, latest, latest_on_disk: latest })
    }

    /// The newest row.
    pub(super) fn position(&self) -> Position {
        Position { seq: self.chain.seq(), hash: *self.chain.hash() }
    }

    /// Notes the latest time, once for the whole transaction.
    pub(super) fn write_clock(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.latest > self.latest_on_disk {
            connection.prepare_cached("UPDATE clock SET latest = ?1")?.execute([self.latest])?;
        }
        Ok(())
    }
}

/// Appends a row. The outer error is the file's, the inner one this event's.
pub(super) fn append(connection: &Connection, tail: &mut Tail, entry: &Entry) -> rusqlite::Result<Result<Position, StoreError>> {
    if entry.permits_signing && entry.time < tail.latest.saturating_sub(CLOCK_TOLERANCE) {
        return Ok(Err(clock_went_back(entry.time, tail.latest)));
    }
    let mut chain = tail.chain.clone();
    let (seq, hash) = chain.append(entry.bytes.as_bytes());
    let row = params![seq.cast_signed(), entry.bytes, hash];
    connection.prepare_cached("INSERT INTO log (seq, event, hash) VALUES (?1, ?2, ?3)")?.execute(row)?;
    tail.chain = chain;
    if entry.is_own_time {
        tail.latest = tail.latest.max(entry.time);
    }
    Ok(Ok(Position { seq, hash }))
}

/// A certificate that is signed by a clock that went back would be valid at times that have passed.
fn clock_went_back(now: i64, latest: i64) -> StoreError {
    let text = |milliseconds: i64| {
        OffsetDateTime::from_unix_timestamp(milliseconds / 1000).map_or_else(|_| format!("{milliseconds} ms"), |time| time.to_string())
    };
    StoreError::Unavailable(format!(
        "this host's clock says {} and the log has seen {}: nothing is signed while time runs backwards, correct the clock",
        text(now),
        text(latest)
    ))
}
