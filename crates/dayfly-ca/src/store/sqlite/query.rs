//! The questions to the store, as SQL.

use super::{damaged, integer, number};
use crate::store::{
    Bastion, Certificate, Minted, Person, PersonKey, Position, Row, Session, StoreError, rotation::BastionReportHeld,
    sign_in::ProviderAccount,
};
use dayfly_core::{identity::Subject, name::BastionName};
use rusqlite::{Connection, OptionalExtension, Params, params};
use std::{collections::BTreeSet, fmt::Display, str::FromStr};
use uuid::Uuid;

const PERSON: &str = "SELECT subject, key_fingerprint, public_key, groups, disabled, issuer, issuer_subject, shown
    FROM person LEFT JOIN enrolled_key ON fingerprint = key_fingerprint";

pub(super) const CERTIFICATE: &str =
    "SELECT serial, digest, subject, ends_at, role, grant_id, key_fingerprint, issued_at, evidence FROM certificate";

const BASTION: &str = "SELECT name, key_fingerprint, public_key, targets, dials_from, host_names, address, disabled, seen_at, trusted
    FROM bastion JOIN enrolled_key ON fingerprint = key_fingerprint";

pub(super) fn person_by_key(connection: &Connection, key_fingerprint: &str) -> Result<Option<Person>, StoreError> {
    Ok(many(connection, &format!("{PERSON} WHERE key_fingerprint = ?1"), [key_fingerprint], read_person)?.pop())
}

pub(super) fn person_by_account(connection: &Connection, issuer: &str, issuer_subject: &str) -> Result<Option<Person>, StoreError> {
    Ok(many(connection, &format!("{PERSON} WHERE issuer = ?1 AND issuer_subject = ?2"), [issuer, issuer_subject], read_person)?.pop())
}

pub(super) fn person(connection: &Connection, subject: &Subject) -> Result<Option<Person>, StoreError> {
    Ok(many(connection, &format!("{PERSON} WHERE subject = ?1"), [subject.to_string()], read_person)?.pop())
}

pub(super) fn people(connection: &Connection) -> Result<Vec<Person>, StoreError> {
    many(connection, &format!("{PERSON} ORDER BY subject"), [], read_person)
}

pub(super) fn bastion_by_key(connection: &Connection, key_fingerprint: &str) -> Result<Option<Bastion>, StoreError> {
    Ok(many(connection, &format!("{BASTION} WHERE key_fingerprint = ?1"), [key_fingerprint], read_bastion)?.pop())
}

pub(super) fn bastions(connection: &Connection) -> Result<Vec<Bastion>, StoreError> {
    many(connection, &format!("{BASTION} ORDER BY name"), [], read_bastion)
}

pub(super) fn certificate(connection: &Connection, serial: u64) -> Result<Option<Certificate>, StoreError> {
    // A serial that cannot be stored was never issued; strangers may well write one.
    let Ok(key) = integer(serial) else { return Ok(None) };
    Ok(many(connection, &format!("{CERTIFICATE} WHERE serial = ?1"), [key], read_certificate)?.pop())
}

pub(super) fn session(connection: &Connection, id: Uuid) -> Result<Option<Session>, StoreError> {
    let read = |row: &rusqlite::Row<'_>| {
        let (serial, ends_at): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
        let minted =
            serial.zip(ends_at).map(|(serial, ends_at)| Ok::<_, StoreError>(Minted { serial: number(serial)?, ends_at: number(ends_at)? }));
        Ok(Session {
            id,
            parent_serial: number(row.get(0)?)?,
            certificate: minted.transpose()?,
            bastion: parsed("bastion", row.get::<_, String>(3)?)?,
            target: parsed("target", row.get::<_, String>(4)?)?,
        })
    };
    let sql = "SELECT parent_serial, serial, ends_at, bastion, target FROM session WHERE id = ?1";
    Ok(many(connection, sql, [id.as_bytes().as_slice()], read)?.pop())
}

pub(super) fn last_bastion_event(connection: &Connection, bastion: &BastionName) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT last_event FROM bastion WHERE name = ?1")?;
    let last = statement.query_row([bastion.as_str()], |row| row.get(0)).optional()?;
    last.map_or(Ok(0), number)
}

pub(super) fn rows(connection: &Connection, after: u64, limit: u32) -> Result<Vec<Row>, StoreError> {
    // Nothing comes after a number that cannot be stored.
    let Ok(after) = integer(after) else { return Ok(Vec::new()) };
    let read = |row: &rusqlite::Row<'_>| {
        let position = Position { seq: number(row.get(0)?)?, hash: row.get(2)? };
        let event = row.get_ref(1)?.as_bytes().map_err(|error| damaged("row", error))?.to_vec();
        Ok(Row { position, event })
    };
    many(connection, "SELECT seq, event, hash FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2", params![after, limit], read)
}

pub(super) fn head(connection: &Connection) -> Result<Option<Position>, StoreError> {
    let read = |row: &rusqlite::Row<'_>| Ok(Position { seq: number(row.get(0)?)?, hash: row.get(1)? });
    Ok(many(connection, "SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1", [], read)?.pop())
}

pub(super) fn many<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn read_certificate(row: &rusqlite::Row<'_>) -> Result<Certificate, StoreError> {
    Ok(Certificate {
        serial: number(row.get(0)?)?,
        digest: row.get(1)?,
        subject: parsed("subject", row.get::<_, String>(2)?)?,
        ends_at: number(row.get(3)?)?,
        role: row.get::<_, Option<String>>(4)?.map(|role| parsed("role", role)).transpose()?,
        grant: row.get::<_, Option<String>>(5)?.map(|grant| parsed("grant", grant)).transpose()?,
        key_fingerprint: row.get(6)?,
        issued_at: row.get::<_, Option<i64>>(7)?.map_or(Ok(0), number)?,
        evidence: row
            .get::<_, Option<String>>(8)?
            .map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|error| damaged("evidence", error))?,
    })
}

fn read_person(row: &rusqlite::Row<'_>) -> Result<Person, StoreError> {
    Ok(Person {
        subject: parsed("subject", row.get::<_, String>(0)?)?,
        key: row.get::<_, Option<String>>(1)?.zip(row.get(2)?).map(|(fingerprint, line)| PersonKey { fingerprint, line }),
        account: match row.get::<_, Option<String>>(5)?.zip(row.get(6)?) {
            Some((issuer, subject)) => Some(ProviderAccount { issuer, subject, shown: row.get(7)? }),
            None => None,
        },
        groups: set("group", row.get::<_, String>(3)?)?,
        disabled: row.get(4)?,
    })
}

fn read_bastion(row: &rusqlite::Row<'_>) -> Result<Bastion, StoreError> {
    Ok(Bastion {
        name: parsed("bastion", row.get::<_, String>(0)?)?,
        key_fingerprint: row.get(1)?,
        public_key: row.get(2)?,
        targets: set("target", row.get::<_, String>(3)?)?,
        dials_from: set("network", row.get::<_, String>(4)?)?,
        host_names: set("host name", row.get::<_, String>(5)?)?,
        address: row.get(6)?,
        disabled: row.get(7)?,
        report: match row.get::<_, Option<i64>>(8)? {
            Some(seen_at) => Some(BastionReportHeld { seen_at: number(seen_at)?, trusted: set("fingerprint", row.get::<_, String>(9)?)? }),
            None => None,
        },
    })
}

pub(super) fn parsed<T: FromStr<Err: Display>>(what: &str, text: String) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| damaged(what, error))
}

/// A JSON array as a set.
pub(super) fn set<T: FromStr<Err: Display> + Ord>(what: &str, text: String) -> Result<BTreeSet<T>, StoreError> {
    let entries: Vec<String> = serde_json::from_str(&text).map_err(|error| damaged(what, error))?;
    entries.into_iter().map(|entry| parsed(what, entry)).collect()
}
