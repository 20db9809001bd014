//! The inventory's sources as SQL.
//!
//! Of changes the outer error is the file's and ends the transaction; the inner one is the change's alone.

use super::{
    change::{Applied, Outcome},
    damaged, integer, number,
    query::{many, parsed},
};
use crate::store::{
    StoreError,
    inventory::{SourceAnswer, SourceFailure, SourceRecord, SourceTrouble},
};
use dayfly_core::name::SourceName;
use rusqlite::{Connection, Row, params};

const SOURCE: &str = "SELECT name, place, targets, read_at, tried_at, failure_kind, failure, failed_since FROM inventory_source";

/// Keeps what a source said. What tells nothing new is noted without an event.
pub(super) fn keep(connection: &Connection, answer: &SourceAnswer) -> Outcome {
    let earlier = match by_name(connection, &answer.name) {
        Ok(earlier) => earlier,
        Err(error) => return Ok(Err(error)),
    };
    let (record, is_news) = answer.clone().after(earlier.as_ref());
    put(connection, earlier.as_ref(), &record, is_news)
}

/// Notes that a source gave no answer that can be used. A failure of the same kind is noted without an event.
pub(super) fn fail(connection: &Connection, trouble: &SourceTrouble) -> Outcome {
    let earlier = match by_name(connection, &trouble.name) {
        Ok(earlier) => earlier,
        Err(error) => return Ok(Err(error)),
    };
    let (record, is_news) = trouble.clone().after(earlier.as_ref());
    put(connection, earlier.as_ref(), &record, is_news)
}

/// All sources that were ever read, by name.
pub(super) fn all(connection: &Connection) -> Result<Vec<SourceRecord>, StoreError> {
    many(connection, &format!("{SOURCE} ORDER BY name"), [], read)
}

fn by_name(connection: &Connection, name: &SourceName) -> Result<Option<SourceRecord>, StoreError> {
    Ok(many(connection, &format!("{SOURCE} WHERE name = ?1"), [name.as_str()], read)?.pop())
}

fn put(connection: &Connection, earlier: Option<&SourceRecord>, record: &SourceRecord, is_news: bool) -> Outcome {
    let times =
        (integer(record.read_at), integer(record.tried_at), record.failure.as_ref().map(|failure| integer(failure.since)).transpose());
    let (read_at, tried_at, since) = match times {
        (Ok(read_at), Ok(tried_at), Ok(since)) => (read_at, tried_at, since),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => return Ok(Err(error)),
    };
    let (kind, detail) = record.failure.as_ref().map(|failure| (&failure.kind, &failure.detail)).unzip();
    let name = record.name.as_str();
    // What it lists may be long, and is most often what it was.
    if earlier.is_some_and(|earlier| earlier.targets == record.targets) {
        let sql = "UPDATE inventory_source SET place = ?2, read_at = ?3, tried_at = ?4, failure_kind = ?5, failure = ?6, failed_since = ?7
            WHERE name = ?1";
        connection.prepare_cached(sql)?.execute(params![name, record.place, read_at, tried_at, kind, detail, since])?;
    } else {
        let targets = match record.targets.as_ref().map(serde_json::to_string).transpose() {
            Ok(targets) => targets,
            Err(error) => return Ok(Err(StoreError::Unavailable(error.to_string()))),
        };
        let sql = "INSERT OR REPLACE INTO inventory_source (name, place, targets, read_at, tried_at, failure_kind, failure, failed_since)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        connection.prepare_cached(sql)?.execute(params![name, record.place, targets, read_at, tried_at, kind, detail, since])?;
    }
    Ok(Ok(if is_news { Applied::Now } else { Applied::Before }))
}

fn read(row: &Row<'_>) -> Result<SourceRecord, StoreError> {
    let targets: Option<String> = row.get(2)?;
    let targets = targets.map(|text| serde_json::from_str(&text)).transpose();
    let failure: (Option<String>, Option<String>, Option<i64>) = (row.get(5)?, row.get(6)?, row.get(7)?);
    let failure = match failure {
        (Some(kind), Some(detail), Some(since)) => Some(SourceFailure { kind, detail, since: number(since)? }),
        _ => None,
    };
    Ok(SourceRecord {
        name: parsed("source", row.get::<_, String>(0)?)?,
        place: row.get(1)?,
        targets: targets.map_err(|error| damaged("source's targets", error))?,
        read_at: number(row.get(3)?)?,
        tried_at: number(row.get(4)?)?,
        failure,
    })
}
