//! Rotations as SQL, and what bastions were seen to trust.
//!
//! Of changes the outer error is the file's and ends the transaction; the inner one is the change's alone.

use super::{
    change::{Applied, Outcome, insert, json},
    damaged, integer, number,
    query::{many, parsed, set},
};
use crate::store::{
    StoreError, Unique,
    rotation::{BastionReportHeld, RotationRecord, RotationStep, replaces_another},
};
use dayfly_core::{
    name::BastionName,
    rotation::{Purpose, Rotation, Stage},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use ssh_key::{PublicKey, public::KeyData};
use std::{collections::BTreeSet, path::PathBuf};

/// Begins a rotation. One that is under way already, and a key that there was before, are conflicts.
pub(super) fn begin(connection: &Connection, record: &RotationRecord) -> Outcome {
    let values = (line(&record.old_key), line(&record.new_key), integer(record.started_at), written(record.rotation.stage));
    let (old, new, started_at, stage) = match values {
        (Ok(old), Ok(new), Ok(started_at), Ok(stage)) => (old, new, started_at, stage),
        (Err(error), ..) | (_, Err(error), ..) | (_, _, Err(error), _) | (.., Err(error)) => return Ok(Err(error)),
    };
    let file = match record.file.as_ref().map(|file| file.to_str().ok_or(file)) {
        None => None,
        Some(Ok(file)) => Some(file),
        Some(Err(file)) => return Ok(Err(StoreError::Unavailable(format!("{} is no UTF-8 and cannot be stored", file.display())))),
    };
    // Whoever read before somebody else's rotation would bring back a key that gave way in it.
    let is_outdated = match all(connection) {
        Ok(rotations) => replaces_another(&rotations, record),
        Err(error) => return Ok(Err(error)),
    };
    if is_outdated {
        return Ok(Err(StoreError::Conflict(Unique::Rotation)));
    }
    let sql = "INSERT INTO rotation (purpose, old_key, new_key, file, stage, is_over, despite, endorsement, started_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (purpose, despite) = (record.rotation.purpose.as_str(), json(&record.rotation.despite));
    let values = params![purpose, old, new, file, stage, record.rotation.is_over(), despite, record.endorsement, started_at];
    insert(connection, sql, values, || StoreError::Conflict(Unique::Rotation))
}

/// Takes a step, if the rotation is where the step begins.
pub(super) fn step(connection: &Connection, step: &RotationStep) -> Outcome {
    let (from, to) = match (written(step.from), written(step.to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let is_over = matches!(step.to, Stage::Retired | Stage::Abandoned);
    let sql = "UPDATE rotation SET stage = ?3, is_over = ?4, endorsement = coalesce(?5, endorsement)
        WHERE purpose = ?1 AND stage = ?2 AND is_over = 0";
    match connection.prepare_cached(sql)?.execute(params![step.purpose.as_str(), from, to, is_over, step.endorsement])? {
        0 => Ok(Err(StoreError::Conflict(Unique::RotationStep))),
        _ => Ok(Ok(Applied::Now)),
    }
}

/// Adds to those who may be left behind.
pub(super) fn despite(connection: &Connection, purpose: Purpose, names: &BTreeSet<String>) -> Outcome {
    let sql = "SELECT despite FROM rotation WHERE purpose = ?1 AND is_over = 0";
    let earlier = connection.prepare_cached(sql)?.query_row([purpose.as_str()], |row| row.get::<_, String>(0)).optional()?;
    let Some(earlier) = earlier else { return Ok(Err(StoreError::Unknown(format!("rotation of {purpose} under way")))) };
    let all: BTreeSet<String> = match set::<String>("name", earlier) {
        Ok(earlier) => earlier.union(names).cloned().collect(),
        Err(error) => return Ok(Err(error)),
    };
    let sql = "UPDATE rotation SET despite = ?2 WHERE purpose = ?1 AND is_over = 0";
    connection.prepare_cached(sql)?.execute(params![purpose.as_str(), json(&all)])?;
    Ok(Ok(Applied::Now))
}

/// Notes what a bastion trusts. What tells nothing new is noted without an event.
pub(super) fn note_bastion(connection: &Connection, bastion: &BastionName, report: &BastionReportHeld) -> Outcome {
    let at = match integer(report.seen_at) {
        Ok(at) => at,
        Err(error) => return Ok(Err(error)),
    };
    let sql = "SELECT trusted FROM bastion WHERE name = ?1 AND seen_at IS NOT NULL";
    let earlier = connection.prepare_cached(sql)?.query_row([bastion.as_str()], |row| row.get::<_, String>(0)).optional()?;
    let trusted = json(&report.trusted);
    let sql = "UPDATE bastion SET seen_at = ?2, trusted = ?3 WHERE name = ?1";
    match connection.prepare_cached(sql)?.execute(params![bastion.as_str(), at, trusted])? {
        0 => Ok(Err(StoreError::Unknown(format!("bastion {bastion}")))),
        _ if earlier.as_ref() == Some(&trusted) => Ok(Ok(Applied::Before)),
        _ => Ok(Ok(Applied::Now)),
    }
}

/// All rotations, oldest first.
pub(super) fn all(connection: &Connection) -> Result<Vec<RotationRecord>, StoreError> {
    let sql = "SELECT purpose, stage, despite, old_key, new_key, file, endorsement, started_at FROM rotation ORDER BY id";
    many(connection, sql, [], read)
}

/// When the last certificate ends that is known to be an authority's, in Unix seconds; 0 if none is.
pub(super) fn last_end(connection: &Connection, purpose: Purpose) -> Result<u64, StoreError> {
    let sql = match purpose {
        Purpose::User => "SELECT max(ends_at) FROM certificate",
        Purpose::Session => "SELECT max(ends_at) FROM session",
        Purpose::Host => "SELECT max(certificate_ends_at) FROM host",
        // They are not kept.
        Purpose::InnerHost => return Ok(0),
    };
    let last: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    last.map_or(Ok(0), number)
}

fn read(row: &Row<'_>) -> Result<RotationRecord, StoreError> {
    let stage: String = row.get(1)?;
    let rotation = Rotation {
        purpose: parsed("purpose", row.get::<_, String>(0)?)?,
        stage: serde_json::from_str(&stage).map_err(|error| damaged("stage of a rotation", error))?,
        despite: set("name", row.get::<_, String>(2)?)?,
    };
    Ok(RotationRecord {
        rotation,
        old_key: key(&row.get::<_, String>(3)?)?,
        new_key: key(&row.get::<_, String>(4)?)?,
        file: row.get::<_, Option<String>>(5)?.map(PathBuf::from),
        endorsement: row.get(6)?,
        started_at: number(row.get(7)?)?,
    })
}

fn written(stage: Stage) -> Result<String, StoreError> {
    serde_json::to_string(&stage).map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn line(key: &KeyData) -> Result<String, StoreError> {
    PublicKey::from(key.clone()).to_openssh().map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn key(line: &str) -> Result<KeyData, StoreError> {
    PublicKey::from_openssh(line).map(|key| key.key_data().clone()).map_err(|error| damaged("key of a rotation", error))
}
