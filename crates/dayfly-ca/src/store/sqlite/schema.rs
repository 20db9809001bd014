//! Migrations: each brings the schema one version further, once, and in one transaction with the note that it did.

use super::StoreError;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// What marks the file as a store of ours: "dfly".
const APPLICATION_ID: i64 = 0x6466_6c79;

/// The migrations, by the version that each leads to, from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_revocations.sql"),
    include_str!("migrations/0003_hosts.sql"),
    include_str!("migrations/0004_rotations.sql"),
    include_str!("migrations/0005_evidence.sql"),
    include_str!("migrations/0006_sign_in.sql"),
    include_str!("migrations/0007_factors.sql"),
    include_str!("migrations/0008_devices.sql"),
    include_str!("migrations/0009_credentials.sql"),
    include_str!("migrations/0010_inventory.sql"),
];

/// Brings the schema to the newest version. Refuses one that is newer still, and a file of another program.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    migrate_by(connection, MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i64 = transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, tables) {
        (APPLICATION_ID, _) => {}
        (0, 0) => begin(&transaction)?,
        _ => return Err(StoreError::Unavailable("the file is another program's database: name the right file".to_owned())),
    }
    let version = version(&transaction)?;
    if version > migrations.len() {
        let newest = migrations.len();
        let text =
            format!("its schema has version {version} and this program knows {newest}: use the program that wrote it, or a later one");
        return Err(StoreError::Unavailable(text));
    }
    for migration in migrations.iter().skip(version) {
        transaction.execute_batch(migration)?;
        transaction.execute("UPDATE schema_version SET version = version + 1", [])?;
    }
    Ok(transaction.commit()?)
}

fn begin(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.execute_batch(
        "CREATE TABLE schema_version (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL) STRICT;
         INSERT INTO schema_version (only, version) VALUES (1, 0);",
    )?;
    Ok(())
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    let version: Option<i64> = connection.query_row("SELECT version FROM schema_version", [], |row| row.get(0)).optional()?;
    usize::try_from(version.unwrap_or(0)).map_err(|error| super::damaged("version of its schema", error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn certificates_of_before_get_role_grant_key_and_time_from_the_log() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, MIGRATIONS.get(..1).unwrap()).unwrap();
        connection
            .execute_batch(
                r#"INSERT INTO enrolled_key VALUES ('SHA256:a', 'k'); INSERT INTO person VALUES ('alice', 'SHA256:a', '[]', 0);
                INSERT INTO certificate VALUES (5, zeroblob(32), 'alice', 1800000000), (6, zeroblob(32), 'alice', 1800000000);
                INSERT INTO log VALUES (1, '{"time":"2026-01-02T03:04:05Z","event":"certificate.issued","role":"db-admin","serial":5,"facts":{"grant":"g","key":"SHA256:k"}}', zeroblob(32)),
                    (2, '{"time":"2026-01-02T03:04:06Z","event":"certificate.refused","role":"web","serial":6}', zeroblob(32));"#,
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let read = |serial: i64| {
            let sql = "SELECT role, grant_id, key_fingerprint, issued_at FROM certificate WHERE serial = ?1";
            type Told = (Option<String>, Option<String>, Option<String>, Option<i64>);
            connection.query_row(sql, [serial], |row| -> rusqlite::Result<Told> { row.try_into() }).unwrap()
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read(5), (text("db-admin"), text("g"), text("SHA256:k"), Some(1_767_323_045)));
        assert_eq!(read(6), (None, None, None, None));
    }

    #[test]
    fn people_stay_enrolled_when_those_without_a_key_come() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        migrate_by(&mut connection, MIGRATIONS.get(..5).unwrap()).unwrap();
        connection
            .execute_batch(
                "INSERT INTO enrolled_key VALUES ('SHA256:a', 'k'); INSERT INTO person VALUES ('alice', 'SHA256:a', '[\"dba\"]', 1);
                INSERT INTO certificate (serial, digest, subject, ends_at) VALUES (5, zeroblob(32), 'alice', 1800000000);",
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let alice = super::super::query::person_by_key(&connection, "SHA256:a").unwrap().unwrap();
        assert!(alice.disabled && alice.groups.len() == 1 && alice.account.is_none());
        let broken: Vec<String> = super::super::query::many(&connection, "PRAGMA foreign_key_check", [], |row| Ok(row.get(0)?)).unwrap();
        assert_eq!(broken, Vec::<String>::new());
        let orphan = "INSERT INTO certificate (serial, digest, subject, ends_at) VALUES (6, zeroblob(32), 'mallory', 1)";
        assert!(connection.execute_batch(orphan).is_err(), "certificates still stand on people");
        assert!(connection.execute_batch("DELETE FROM person").is_err());
    }
}
