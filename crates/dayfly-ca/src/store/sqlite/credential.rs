//! Passkeys and security keys as SQL.
//!
//! Of changes the outer error is the file's and ends the transaction; the inner one is the change's alone.

use super::{
    change::{Applied, Outcome, exists, insert},
    integer, number,
    query::{many, parsed},
};
use crate::store::{
    StoreError, Unique,
    factor::{Credential, CredentialUsed, FactorUsed},
};
use dayfly_core::{identity::Subject, name::FactorName};
use rusqlite::{Connection, params};

pub(super) fn add(connection: &Connection, credential: &Credential) -> Outcome {
    let added_at = match integer(credential.added_at) {
        Ok(added_at) => added_at,
        Err(error) => return Ok(Err(error)),
    };
    if exists(connection, "SELECT 1 FROM credential WHERE id = ?1", [&credential.id])? {
        return Ok(Err(StoreError::Conflict(Unique::Credential)));
    }
    let sql = "INSERT INTO credential (subject, name, method, id, material, counter, added_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (subject, name) = (credential.subject.to_string(), credential.name.as_str());
    let values = params![subject, name, credential.method.as_str(), credential.id, credential.material, credential.counter, added_at];
    insert(connection, sql, values, || StoreError::Conflict(Unique::FactorName))
}

/// An authenticator counts onwards, or never counts (W3C WebAuthn § 6.1.1).
pub(super) fn used(connection: &Connection, used: &CredentialUsed) -> Outcome {
    let sql = "UPDATE credential SET counter = ?3, material = ?4
        WHERE subject = ?1 AND name = ?2 AND (counter < ?3 OR (counter = 0 AND ?3 = 0))";
    let values = params![used.subject.to_string(), used.name.as_str(), used.counter, used.material];
    match connection.prepare_cached(sql)?.execute(values)? {
        0 => Ok(Err(StoreError::Conflict(Unique::Counter))),
        _ => Ok(Ok(Applied::Now)),
    }
}

pub(super) fn prove(connection: &Connection, used: &FactorUsed) -> Outcome {
    let at = match integer(used.at) {
        Ok(at) => at,
        Err(error) => return Ok(Err(error)),
    };
    let sql = "INSERT OR REPLACE INTO factor_proof (subject, key_fingerprint, method, proven_at)
        SELECT subject, ?3, method, ?4 FROM credential WHERE subject = ?1 AND name = ?2";
    let values = params![used.subject.to_string(), used.name.as_str(), used.key_fingerprint, at];
    match connection.prepare_cached(sql)?.execute(values)? {
        0 => Ok(Err(unknown(&used.name))),
        _ => Ok(Ok(Applied::Now)),
    }
}

/// What others of its kind have proven goes with it: which of them it was is not kept.
pub(super) fn remove(connection: &Connection, subject: &Subject, name: &FactorName) -> Outcome {
    let whose = params![subject.to_string(), name.as_str()];
    let sql = "DELETE FROM factor_proof WHERE subject = ?1 AND method = (SELECT method FROM credential WHERE subject = ?1 AND name = ?2)";
    connection.prepare_cached(sql)?.execute(whose)?;
    match connection.prepare_cached("DELETE FROM credential WHERE subject = ?1 AND name = ?2")?.execute(whose)? {
        0 => Ok(Err(unknown(name))),
        _ => Ok(Ok(Applied::Now)),
    }
}

pub(super) fn of(connection: &Connection, subject: &Subject) -> Result<Vec<Credential>, StoreError> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Credential {
            subject: parsed("subject", row.get::<_, String>(0)?)?,
            name: parsed("second factor", row.get::<_, String>(1)?)?,
            method: parsed("second factor", row.get::<_, String>(2)?)?,
            id: row.get(3)?,
            material: row.get(4)?,
            counter: row.get(5)?,
            added_at: number(row.get(6)?)?,
        })
    };
    let sql = "SELECT subject, name, method, id, material, counter, added_at FROM credential WHERE subject = ?1 ORDER BY name";
    many(connection, sql, [subject.to_string()], read)
}

fn unknown(name: &FactorName) -> StoreError {
    StoreError::Unknown(format!("second factor {name}"))
}
