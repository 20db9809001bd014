//! Devices as SQL.
//!
//! Of changes the outer error is the file's and ends the transaction; the inner one is the change's alone.

use super::{
    change::{Applied, Outcome, add_key, insert},
    damaged, integer, number,
    query::{many, parsed},
};
use crate::store::{StoreError, Unique, device::DeviceRecord};
use dayfly_core::{
    device::Posture,
    name::{DeviceId, SubjectName},
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

const DEVICE: &str = "SELECT id, owner, key_fingerprint, public_key, added_at, approved_at, seen_at, posture, disabled
    FROM device JOIN enrolled_key ON fingerprint = key_fingerprint";

pub(super) fn add(connection: &Connection, device: &DeviceRecord) -> Outcome {
    let (times, posture) = match (times(device), json(&device.posture)) {
        (Ok(times), Ok(posture)) => (times, posture),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    if let Err(conflict) = add_key(connection, &device.key_fingerprint, &device.public_key)? {
        return Ok(Err(conflict));
    }
    let sql = "INSERT INTO device (id, owner, key_fingerprint, added_at, approved_at, seen_at, posture, disabled)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (added_at, approved_at, seen_at) = times;
    let owner = device.owner.as_str();
    let values = params![device.id.as_str(), owner, device.key_fingerprint, added_at, approved_at, seen_at, posture, device.disabled];
    insert(connection, sql, values, || StoreError::Conflict(Unique::Device))
}

pub(super) fn approve(connection: &Connection, id: &DeviceId, at: u64) -> Outcome {
    match integer(at) {
        Ok(at) => {
            let sql = "UPDATE device SET approved_at = coalesce(approved_at, ?2) WHERE id = ?1 AND disabled = 0";
            update(connection, id, sql, params![id.as_str(), at])
        }
        Err(error) => Ok(Err(error)),
    }
}

pub(super) fn disable(connection: &Connection, id: &DeviceId) -> Outcome {
    update(connection, id, "UPDATE device SET disabled = 1 WHERE id = ?1", [id.as_str()])
}

/// What it tells is news if it differs in more than its time.
pub(super) fn note(connection: &Connection, id: &DeviceId, posture: &Posture) -> Outcome {
    let (at, told) = match (integer(posture.reported_at), json(posture)) {
        (Ok(at), Ok(told)) => (at, told),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let earlier = connection.prepare_cached("SELECT posture FROM device WHERE id = ?1")?.query_row([id.as_str()], |row| row.get(0));
    let earlier: Option<String> = earlier.optional()?;
    let is_news = earlier.and_then(|earlier| read_posture(&earlier).ok()).is_none_or(|earlier| !earlier.tells_the_same_as(posture));
    let sql = "UPDATE device SET seen_at = max(seen_at, ?2), posture = ?3 WHERE id = ?1 AND disabled = 0";
    let noted = update(connection, id, sql, params![id.as_str(), at, told])?;
    Ok(noted.map(|applied| if is_news { applied } else { Applied::Before }))
}

/// It was there when a certificate was issued.
pub(super) fn see(connection: &Connection, id: &DeviceId, at: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE device SET seen_at = max(seen_at, ?2) WHERE id = ?1")?.execute(params![id.as_str(), at])?;
    Ok(())
}

fn update(connection: &Connection, id: &DeviceId, sql: &str, values: impl Params) -> Outcome {
    match connection.prepare_cached(sql)?.execute(values)? {
        0 => Ok(Err(StoreError::Unknown(format!("device {id}")))),
        _ => Ok(Ok(Applied::Now)),
    }
}

pub(super) fn by_key(connection: &Connection, key_fingerprint: &str) -> Result<Option<DeviceRecord>, StoreError> {
    Ok(many(connection, &format!("{DEVICE} WHERE key_fingerprint = ?1"), [key_fingerprint], read)?.pop())
}

pub(super) fn by_id(connection: &Connection, id: &DeviceId) -> Result<Option<DeviceRecord>, StoreError> {
    Ok(many(connection, &format!("{DEVICE} WHERE id = ?1"), [id.as_str()], read)?.pop())
}

pub(super) fn of_owner(connection: &Connection, owner: &SubjectName) -> Result<Vec<DeviceRecord>, StoreError> {
    many(connection, &format!("{DEVICE} WHERE owner = ?1 ORDER BY id"), [owner.as_str()], read)
}

pub(super) fn all(connection: &Connection) -> Result<Vec<DeviceRecord>, StoreError> {
    many(connection, &format!("{DEVICE} ORDER BY id"), [], read)
}

fn read(row: &Row<'_>) -> Result<DeviceRecord, StoreError> {
    Ok(DeviceRecord {
        id: parsed("device", row.get::<_, String>(0)?)?,
        owner: parsed("device's owner", row.get::<_, String>(1)?)?,
        key_fingerprint: row.get(2)?,
        public_key: row.get(3)?,
        added_at: number(row.get(4)?)?,
        approved_at: row.get::<_, Option<i64>>(5)?.map(number).transpose()?,
        seen_at: number(row.get(6)?)?,
        posture: read_posture(&row.get::<_, String>(7)?)?,
        disabled: row.get(8)?,
    })
}

fn times(device: &DeviceRecord) -> Result<(i64, Option<i64>, i64), StoreError> {
    Ok((integer(device.added_at)?, device.approved_at.map(integer).transpose()?, integer(device.seen_at)?))
}

fn read_posture(text: &str) -> Result<Posture, StoreError> {
    serde_json::from_str(text).map_err(|error| damaged("posture", error))
}

fn json(posture: &Posture) -> Result<String, StoreError> {
    serde_json::to_string(posture).map_err(|error| StoreError::Unavailable(error.to_string()))
}
