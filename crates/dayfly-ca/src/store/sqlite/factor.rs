//! Second factors as SQL.
//!
//! Of changes the outer error is the file's and ends the transaction; the inner one is the change's alone.

use super::{
    change::{Applied, Outcome},
    integer, number,
    query::{many, parsed},
};
use crate::store::{
    StoreError, Unique,
    factor::{Authenticator, CodeUsed},
};
use dayfly_core::identity::{FactorMethod, Subject};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Adds one that is not confirmed, in the place of another such.
pub(super) fn add(connection: &Connection, authenticator: &Authenticator) -> Outcome {
    let sql = "INSERT INTO authenticator (subject, secret) VALUES (?1, ?2)
        ON CONFLICT (subject) DO UPDATE SET secret = excluded.secret WHERE confirmed_at IS NULL";
    let secret: &[u8] = &authenticator.secret;
    match connection.prepare_cached(sql)?.execute(params![authenticator.subject.to_string(), secret])? {
        0 => Ok(Err(StoreError::Conflict(Unique::Authenticator))),
        _ => Ok(Ok(Applied::Now)),
    }
}

/// A code counts once: only one that is later than every other that was used, and if no wrong one has come since it was looked at.
pub(super) fn use_code(connection: &Connection, used: &CodeUsed) -> Outcome {
    let (step, at) = match (integer(used.step), integer(used.at)) {
        (Ok(step), Ok(at)) => (step, at),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let subject = used.subject.to_string();
    let sql = "UPDATE authenticator SET last_step = ?2, failures = 0, retry_at = 0, confirmed_at = coalesce(confirmed_at, ?3)
        WHERE subject = ?1 AND last_step < ?2 AND failures = ?4";
    if connection.prepare_cached(sql)?.execute(params![subject, step, at, used.failures])? == 0 {
        return Ok(Err(StoreError::Conflict(Unique::Code)));
    }
    let sql = "INSERT OR REPLACE INTO factor_proof (subject, key_fingerprint, method, proven_at) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![subject, used.key_fingerprint, FactorMethod::Totp.as_str(), at])?;
    Ok(Ok(Applied::Now))
}

/// One more wrong code.
pub(super) fn refuse_code(connection: &Connection, subject: &Subject, retry_at: u64) -> Outcome {
    let retry_at = match integer(retry_at) {
        Ok(retry_at) => retry_at,
        Err(error) => return Ok(Err(error)),
    };
    let sql = "UPDATE authenticator SET failures = failures + 1, retry_at = max(retry_at, ?2) WHERE subject = ?1";
    connection.prepare_cached(sql)?.execute(params![subject.to_string(), retry_at])?;
    Ok(Ok(Applied::Now))
}

/// Takes everything away that proves a second factor of this person.
pub(super) fn remove(connection: &Connection, subject: &Subject) -> Outcome {
    let subject_text = subject.to_string();
    let delete = |sql: &str| connection.prepare_cached(sql)?.execute([&subject_text]);
    delete("DELETE FROM factor_proof WHERE subject = ?1")?;
    match delete("DELETE FROM authenticator WHERE subject = ?1")? + delete("DELETE FROM credential WHERE subject = ?1")? {
        0 => Ok(Err(StoreError::Unknown(format!("second factor of {subject}")))),
        _ => Ok(Ok(Applied::Now)),
    }
}

pub(super) fn authenticator(connection: &Connection, subject: &Subject) -> Result<Option<Authenticator>, StoreError> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Authenticator {
            subject: parsed("subject", row.get::<_, String>(0)?)?,
            secret: Zeroizing::new(row.get(1)?),
            confirmed_at: row.get::<_, Option<i64>>(2)?.map(number).transpose()?,
            last_step: number(row.get(3)?)?,
            failures: row.get(4)?,
            retry_at: number(row.get(5)?)?,
        })
    };
    let sql = "SELECT subject, secret, confirmed_at, last_step, failures, retry_at FROM authenticator WHERE subject = ?1";
    Ok(many(connection, sql, [subject.to_string()], read)?.pop())
}

/// The second factors that were proven by requests which this key signed, and when.
pub(super) fn proofs(connection: &Connection, subject: &Subject, key_fingerprint: &str) -> Result<BTreeMap<FactorMethod, u64>, StoreError> {
    let read = |row: &rusqlite::Row<'_>| Ok((parsed("second factor", row.get::<_, String>(0)?)?, number(row.get(1)?)?));
    let sql = "SELECT method, proven_at FROM factor_proof WHERE subject = ?1 AND key_fingerprint = ?2";
    Ok(many(connection, sql, params![subject.to_string(), key_fingerprint], read)?.into_iter().collect())
}
