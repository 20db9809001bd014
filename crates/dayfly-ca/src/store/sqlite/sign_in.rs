//! Sign-ins as SQL: changes and questions.

use super::{
    change::{Applied, Outcome, exists, insert, json},
    damaged, integer, number,
    query::{many, parsed},
};
use crate::store::{
    StoreError, Unique,
    sign_in::{Holder, NewSignIn, ProviderAccount, SignIn, SignInBy},
};
use dayfly_core::name::GroupName;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeSet;

/// How long an ended sign-in is remembered, in seconds: its key is told for so long that it has ended.
const REMEMBERED: i64 = 30 * 24 * 60 * 60;

/// Keeps a sign-in: its token is used up, its holder known, its key nobody else's.
pub(super) fn add(connection: &Connection, new: &NewSignIn) -> Outcome {
    let NewSignIn { sign_in, holder } = new;
    if exists(connection, "SELECT 1 FROM enrolled_key WHERE fingerprint = ?1", [&sign_in.key_fingerprint])? {
        return Ok(Err(StoreError::Conflict(Unique::Key)));
    }
    let (proven_at, ends_at) = match (integer(sign_in.proven_at), integer(sign_in.ends_at)) {
        (Ok(proven_at), Ok(ends_at)) => (proven_at, ends_at),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let subject = sign_in.subject.to_string();
    let held = match holder {
        Holder::Person { account, groups } => keep_person(connection, &subject, account, groups)?,
        Holder::Machine { token, token_ends_at } => keep_machine(connection, &subject, token, *token_ends_at, proven_at)?,
    };
    if let Err(conflict) = held {
        return Ok(Err(conflict));
    }
    connection.prepare_cached("DELETE FROM sign_in WHERE ends_at < ?1")?.execute([proven_at.saturating_sub(REMEMBERED)])?;
    let sql = "INSERT INTO sign_in (key_fingerprint, subject, provider, issuer, issuer_subject, proven_at, ends_at, is_ended, claims)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let claims = serde_json::json!(sign_in.claims).to_string();
    let SignIn { key_fingerprint, by, issuer, issuer_subject, is_ended, .. } = sign_in;
    let values = params![key_fingerprint, subject, by.provider(), issuer, issuer_subject, proven_at, ends_at, is_ended, claims];
    insert(connection, sql, values, || StoreError::Conflict(Unique::Key))
}

/// The groups of now take the place of those before. A name that is somebody else's stays theirs.
fn keep_person(connection: &Connection, subject: &str, account: &ProviderAccount, groups: &BTreeSet<GroupName>) -> Outcome {
    let known = "SELECT subject FROM person WHERE issuer = ?1 AND issuer_subject = ?2";
    let mut known = connection.prepare_cached(known)?;
    let known: Option<String> = known.query_row([&account.issuer, &account.subject], |row| row.get(0)).optional()?;
    match known {
        Some(known) if known == subject => {
            let sql = "UPDATE person SET groups = ?2, shown = ?3 WHERE subject = ?1";
            connection.prepare_cached(sql)?.execute(params![subject, json(groups), account.shown])?;
            Ok(Ok(Applied::Now))
        }
        Some(_) => Ok(Err(StoreError::Conflict(Unique::Person))),
        None => {
            let sql = "INSERT INTO person (subject, groups, issuer, issuer_subject, shown) VALUES (?1, ?2, ?3, ?4, ?5)";
            let values = params![subject, json(groups), account.issuer, account.subject, account.shown];
            insert(connection, sql, values, || StoreError::Conflict(Unique::Person))
        }
    }
}

/// A machine that was enrolled keeps what it has.
fn keep_machine(connection: &Connection, subject: &str, token: &[u8; 32], token_ends_at: u64, now: i64) -> Outcome {
    let token_ends_at = match integer(token_ends_at) {
        Ok(ends_at) => ends_at,
        Err(error) => return Ok(Err(error)),
    };
    connection.prepare_cached("DELETE FROM used_token WHERE ends_at < ?1")?.execute([now])?;
    let sql = "INSERT INTO used_token (digest, ends_at) VALUES (?1, ?2)";
    if let Err(conflict) = insert(connection, sql, params![token, token_ends_at], || StoreError::Conflict(Unique::Token))? {
        return Ok(Err(conflict));
    }
    connection.prepare_cached("INSERT OR IGNORE INTO person (subject, groups) VALUES (?1, '[]')")?.execute([subject])?;
    Ok(Ok(Applied::Now))
}

/// Ends the sign-in of a key.
pub(super) fn end(connection: &Connection, key_fingerprint: &str) -> Outcome {
    let mut statement = connection.prepare_cached("UPDATE sign_in SET is_ended = 1 WHERE key_fingerprint = ?1")?;
    match statement.execute([key_fingerprint])? {
        0 => Ok(Err(StoreError::Unknown(format!("sign-in of the key {key_fingerprint}")))),
        _ => Ok(Ok(Applied::Now)),
    }
}

pub(super) fn by_key(connection: &Connection, key_fingerprint: &str) -> Result<Option<SignIn>, StoreError> {
    let sql = "SELECT key_fingerprint, subject, provider, issuer, issuer_subject, proven_at, ends_at, is_ended, claims
        FROM sign_in WHERE key_fingerprint = ?1";
    Ok(many(connection, sql, [key_fingerprint], read)?.pop())
}

fn read(row: &Row<'_>) -> Result<SignIn, StoreError> {
    Ok(SignIn {
        key_fingerprint: row.get(0)?,
        subject: parsed("subject", row.get::<_, String>(1)?)?,
        by: row.get::<_, Option<String>>(2)?.map_or(SignInBy::Token, SignInBy::Provider),
        issuer: row.get(3)?,
        issuer_subject: row.get(4)?,
        proven_at: number(row.get(5)?)?,
        ends_at: number(row.get(6)?)?,
        is_ended: row.get(7)?,
        claims: serde_json::from_str(&row.get::<_, String>(8)?).map_err(|error| damaged("sign-in's claims", error))?,
    })
}
