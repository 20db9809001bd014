//! Hosts as SQL: changes, and questions.
//!
//! Of changes the outer error is the file's and ends the transaction; the inner one is the change's alone.

use super::{
    change::{Applied, Outcome, add_key, insert, json},
    damaged, integer, number,
    query::{many, parsed, set},
};
use crate::store::{
    StoreError, Unique,
    host::{Host, HostCertificateHeld, HostCertificateNote, HostKey, HostReportHeld, HostReportNote, HostToken},
};
use dayfly_core::name::HostName;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

const HOST: &str = "SELECT name, names, target, token_digest, token_expires_at, token_used, key_fingerprint, public_key,
    certificate_serial, certificate_ends_at, seen_at, krl_number, krl_digest, krl_current_at, trusted, disabled
    FROM host LEFT JOIN enrolled_key ON fingerprint = key_fingerprint";

pub(super) fn add(connection: &Connection, host: &Host) -> Outcome {
    let sql = "INSERT INTO host (name, names, target, token_digest, token_expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let expires_at = match integer(host.token.expires_at) {
        Ok(expires_at) => expires_at,
        Err(error) => return Ok(Err(error)),
    };
    let target = host.target.as_ref().map(AsRef::<str>::as_ref);
    let values = params![host.name.as_str(), json(&host.names), target, host.token.digest, expires_at];
    insert(connection, sql, values, || StoreError::Conflict(Unique::Host))
}

pub(super) fn issue_token(connection: &Connection, host: &HostName, token: &HostToken) -> Outcome {
    let expires_at = match integer(token.expires_at) {
        Ok(expires_at) => expires_at,
        Err(error) => return Ok(Err(error)),
    };
    // The key of a host that was disabled must not come back to life with the host.
    let sql = "UPDATE host SET key_fingerprint = NULL WHERE name = ?1 AND disabled = 1";
    connection.prepare_cached(sql)?.execute([host.as_str()])?;
    forget_keys_of_nobody(connection)?;
    let sql = "UPDATE host SET token_digest = ?2, token_expires_at = ?3, token_used = 0, disabled = 0 WHERE name = ?1";
    update(connection, host, sql, params![host.as_str(), token.digest, expires_at])
}

pub(super) fn enroll(connection: &Connection, host: &HostName, token: &[u8; 32], fingerprint: &str, public_key: &str) -> Outcome {
    let sql = "UPDATE host SET token_used = 1, key_fingerprint = NULL
        WHERE name = ?1 AND token_digest = ?2 AND token_used = 0 AND disabled = 0";
    if connection.prepare_cached(sql)?.execute(params![host.as_str(), token])? == 0 {
        return Ok(Err(StoreError::Conflict(Unique::HostToken)));
    }
    forget_keys_of_nobody(connection)?;
    if let Err(conflict) = add_key(connection, fingerprint, public_key)? {
        return Ok(Err(conflict));
    }
    let sql = "UPDATE host SET key_fingerprint = ?2, certificate_serial = NULL, certificate_ends_at = NULL WHERE name = ?1";
    update(connection, host, sql, params![host.as_str(), fingerprint])
}

/// A key that its host has given up may be enrolled again, also by another holder.
fn forget_keys_of_nobody(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "DELETE FROM enrolled_key WHERE fingerprint NOT IN (SELECT key_fingerprint FROM person WHERE key_fingerprint IS NOT NULL)
        AND fingerprint NOT IN (SELECT key_fingerprint FROM bastion)
        AND fingerprint NOT IN (SELECT key_fingerprint FROM device)
        AND fingerprint NOT IN (SELECT key_fingerprint FROM host WHERE key_fingerprint IS NOT NULL)";
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

pub(super) fn note_certificate(connection: &Connection, note: &HostCertificateNote) -> Outcome {
    let (serial, ends_at) = match (integer(note.certificate.serial), integer(note.certificate.ends_at)) {
        (Ok(serial), Ok(ends_at)) => (serial, ends_at),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let sql = "UPDATE host SET certificate_serial = ?2, certificate_ends_at = ?3 WHERE name = ?1 AND disabled = 0";
    update(connection, &note.host, sql, params![note.host.as_str(), serial, ends_at])
}

pub(super) fn note_report(connection: &Connection, note: &HostReportNote) -> Outcome {
    let (at, krl) = match (integer(note.at), note.krl.as_ref().map(|(number, _)| integer(*number)).transpose()) {
        (Ok(at), Ok(krl)) => (at, krl),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let digest = note.krl.as_ref().map(|(_, digest)| digest.as_str());
    let earlier = "SELECT krl_number, krl_digest, trusted FROM host WHERE name = ?1 AND seen_at IS NOT NULL";
    let earlier = connection.prepare_cached(earlier)?.query_row([note.host.as_str()], |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?))
    });
    let told = (krl, digest.map(str::to_owned), json(&note.trusted));
    let is_news = earlier.optional()?.is_none_or(|earlier| earlier != told);
    let sql = "UPDATE host SET seen_at = ?2, krl_number = ?3, krl_digest = ?4, trusted = ?5,
        krl_current_at = CASE WHEN ?6 THEN ?2 ELSE krl_current_at END WHERE name = ?1";
    let noted = update(connection, &note.host, sql, params![note.host.as_str(), at, krl, digest, told.2, note.is_current])?;
    Ok(noted.map(|applied| if is_news { applied } else { Applied::Before }))
}

pub(super) fn disable(connection: &Connection, host: &HostName) -> Outcome {
    update(connection, host, "UPDATE host SET disabled = 1, token_used = 1 WHERE name = ?1", params![host.as_str()])
}

fn update(connection: &Connection, host: &HostName, sql: &str, values: impl Params) -> Outcome {
    match connection.prepare_cached(sql)?.execute(values)? {
        0 => Ok(Err(StoreError::Unknown(format!("host {host}")))),
        _ => Ok(Ok(Applied::Now)),
    }
}

pub(super) fn by_key(connection: &Connection, key_fingerprint: &str) -> Result<Option<Host>, StoreError> {
    Ok(many(connection, &format!("{HOST} WHERE key_fingerprint = ?1"), [key_fingerprint], read)?.pop())
}

pub(super) fn by_token(connection: &Connection, token: &[u8; 32]) -> Result<Option<Host>, StoreError> {
    Ok(many(connection, &format!("{HOST} WHERE token_digest = ?1"), [token], read)?.pop())
}

pub(super) fn all(connection: &Connection) -> Result<Vec<Host>, StoreError> {
    many(connection, &format!("{HOST} ORDER BY name"), [], read)
}

fn read(row: &Row<'_>) -> Result<Host, StoreError> {
    let optional = |index: usize| row.get::<_, Option<i64>>(index)?.map(number).transpose();
    let (serial, ends_at) = (optional(8)?, optional(9)?);
    Ok(Host {
        name: parsed("host", row.get::<_, String>(0)?)?,
        names: set("host name", row.get::<_, String>(1)?)?,
        target: row.get::<_, Option<String>>(2)?.map(|target| parsed("target", target)).transpose()?,
        token: HostToken { digest: row.get(3)?, expires_at: number(row.get(4)?)?, is_used: row.get(5)? },
        key: match (row.get::<_, Option<String>>(6)?, row.get::<_, Option<String>>(7)?) {
            (Some(fingerprint), Some(line)) => Some(HostKey { fingerprint, line }),
            (None, None) => None,
            _ => return Err(damaged("host key", "its public half is missing")),
        },
        certificate: serial.zip(ends_at).map(|(serial, ends_at)| HostCertificateHeld { serial, ends_at }),
        report: read_report(row)?,
        disabled: row.get(15)?,
    })
}

fn read_report(row: &Row<'_>) -> Result<Option<HostReportHeld>, StoreError> {
    let optional = |index: usize| row.get::<_, Option<i64>>(index)?.map(number).transpose();
    let Some(seen_at) = optional(10)? else { return Ok(None) };
    Ok(Some(HostReportHeld {
        seen_at,
        krl: optional(11)?.zip(row.get::<_, Option<String>>(12)?),
        current_at: optional(13)?,
        trusted: set("fingerprint", row.get::<_, String>(14)?)?,
    }))
}
