//! Revocations as SQL: what is revoked, and which certificates that covers.

use super::{
    change::{Applied, Outcome},
    damaged, integer, number,
    query::{CERTIFICATE, many, read_certificate},
};
use crate::store::{Certificate, ListRecord, Revocation, RevocationState, RevokedSerials, StoreError};
use dayfly_core::certificate::Revoked;
use rusqlite::{Connection, OptionalExtension, params};

/// Adds a revocation. The same again is one more.
pub(super) fn add(connection: &Connection, revocation: &Revocation) -> Outcome {
    let (at, ends_at) = match (integer(revocation.at), revocation.ends_at.map(integer).transpose()) {
        (Ok(at), Ok(ends_at)) => (at, ends_at),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let sql = "INSERT INTO revocation (kind, value, revoked_at, revoked_by, reason, ends_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (kind, value) = (revocation.revoked.kind(), revocation.revoked.value());
    connection.prepare_cached(sql)?.execute(params![kind, value, at, revocation.by, revocation.reason, ends_at])?;
    Ok(Ok(Applied::Now))
}

/// Notes a list whose number follows that of the last one. Another process may have published meanwhile.
pub(super) fn publish_list(connection: &Connection, list: &ListRecord) -> Outcome {
    let last: Option<i64> = connection.prepare_cached("SELECT number FROM revocation_list")?.query_row([], |row| row.get(0)).optional()?;
    let (Ok(number), Ok(generated_at)) = (integer(list.number), integer(list.generated_at)) else {
        return Ok(Err(StoreError::Unavailable("the list's number or time cannot be stored".to_owned())));
    };
    if number != last.unwrap_or(0).saturating_add(1) {
        return Ok(Err(StoreError::Conflict(crate::store::Unique::RevocationList)));
    }
    let sql = "INSERT OR REPLACE INTO revocation_list (only, number, generated_at, digest) VALUES (1, ?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute(params![number, generated_at, list.digest])?;
    Ok(Ok(Applied::Now))
}

pub(super) fn published_list(connection: &Connection) -> Result<Option<ListRecord>, StoreError> {
    let read =
        |row: &rusqlite::Row<'_>| Ok(ListRecord { number: number(row.get(0)?)?, generated_at: number(row.get(1)?)?, digest: row.get(2)? });
    Ok(many(connection, "SELECT number, generated_at, digest FROM revocation_list", [], read)?.pop())
}

pub(super) fn state(connection: &Connection) -> Result<RevocationState, StoreError> {
    // None is ever taken away, so the last number counts them.
    let sql = "SELECT (SELECT coalesce(max(id), 0) FROM revocation), (SELECT count(*) FROM person WHERE disabled = 1)";
    let read = |row: &rusqlite::Row<'_>| Ok(RevocationState { revocations: number(row.get(0)?)?, disabled: number(row.get(1)?)? });
    Ok(many(connection, sql, [], read)?.pop().unwrap_or_default())
}

pub(super) fn revocations(connection: &Connection) -> Result<Vec<Revocation>, StoreError> {
    let sql = "SELECT kind, value, revoked_at, revoked_by, reason, ends_at FROM revocation ORDER BY id";
    many(connection, sql, [], |row| {
        let (kind, value): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Revocation {
            revoked: Revoked::parse(&kind, &value).map_err(|error| damaged("revocation", error))?,
            at: number(row.get(2)?)?,
            by: row.get(3)?,
            reason: row.get(4)?,
            ends_at: row.get::<_, Option<i64>>(5)?.map(number).transpose()?,
        })
    })
}

/// The certificates that `revoked` covers, were it revoked at `at`: those that have ended, too.
pub(super) fn covered(connection: &Connection, revoked: &Revoked, at: u64) -> Result<Vec<Certificate>, StoreError> {
    let at = integer(at)?;
    let find = |condition: &str, value: &dyn rusqlite::ToSql| {
        many(
            connection,
            &format!("{CERTIFICATE} WHERE issued_at IS NOT NULL AND issued_at <= ?1 AND {condition}"),
            params![at, value],
            read_certificate,
        )
    };
    match revoked {
        Revoked::Serial(serial) => match integer(*serial) {
            Ok(serial) => many(connection, &format!("{CERTIFICATE} WHERE serial = ?1"), [serial], read_certificate),
            Err(_) => Ok(Vec::new()),
        },
        Revoked::KeyId(text) => find("subject || ' role=' || role || ' grant=' || grant_id = ?2", text),
        Revoked::Person(subject) => many(connection, &format!("{CERTIFICATE} WHERE subject = ?1"), [subject.to_string()], read_certificate),
        Revoked::Key(fingerprint) => find("(key_fingerprint = ?2 OR json_extract(evidence, '$.proof.fingerprint') = ?2)", fingerprint),
        Revoked::Role(role) => find("role = ?2", &role.as_str()),
        Revoked::Grant(grant) => find("grant_id = ?2", &grant.to_string()),
        // Which CA key signed which certificate is not remembered here.
        Revoked::Ca(_) => Ok(Vec::new()),
    }
}

/// A certificate `c` that somebody's being disabled, or a revocation in force at `?1`, covers.
const COVERED: &str = "(
    EXISTS (SELECT 1 FROM person p WHERE p.subject = c.subject AND p.disabled = 1)
    OR EXISTS (SELECT 1 FROM revocation r WHERE (r.ends_at IS NULL OR r.ends_at > ?1) AND (
        (r.kind = 'serial' AND r.value = CAST(c.serial AS TEXT)) OR (r.kind = 'person' AND r.value = c.subject)
        OR (r.kind = 'grant' AND r.value = c.grant_id) OR (r.kind = 'role' AND r.value = c.role AND c.issued_at <= r.revoked_at)
        OR (r.kind = 'key' AND (r.value = c.key_fingerprint OR r.value = json_extract(c.evidence, '$.proof.fingerprint')))
        OR (r.kind = 'key-id' AND r.value = c.subject || ' role=' || c.role || ' grant=' || c.grant_id))))";

/// What is revoked and alive at `now`.
pub(super) fn revoked_serials(connection: &Connection, now: u64) -> Result<RevokedSerials, StoreError> {
    let now = integer(now)?;
    let serials = |sql: &str| many(connection, sql, [now], |row| number(row.get(0)?));
    let certificates = serials(&format!("SELECT c.serial FROM certificate c WHERE c.ends_at > ?1 AND {COVERED} ORDER BY c.serial"))?;
    let sessions = serials(&format!(
        "SELECT s.serial FROM session s JOIN certificate c ON c.serial = s.parent_serial WHERE s.ends_at > ?1 AND s.serial IS NOT NULL AND ({COVERED}
             OR EXISTS (SELECT 1 FROM revocation r WHERE r.kind = 'serial' AND r.value = CAST(s.serial AS TEXT) AND (r.ends_at IS NULL OR r.ends_at > ?1)))
         ORDER BY s.serial"
    ))?;
    // Serials past what SQLite's integers hold are nobody's here, so they are compared as texts.
    let sql = "SELECT DISTINCT r.value FROM revocation r WHERE r.kind = 'serial' AND (r.ends_at IS NULL OR r.ends_at > ?1)
        AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.serial = CAST(r.value AS INTEGER) AND CAST(c.serial AS TEXT) = r.value)
        AND NOT EXISTS (SELECT 1 FROM session s WHERE s.serial = CAST(r.value AS INTEGER) AND CAST(s.serial AS TEXT) = r.value)";
    let mut others =
        many(connection, sql, [now], |row| row.get::<_, String>(0)?.parse().map_err(|error| damaged("revoked serial", error)))?;
    others.sort_unstable();
    Ok(RevokedSerials { certificates, sessions, others })
}
