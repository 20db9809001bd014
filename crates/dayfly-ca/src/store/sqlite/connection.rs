//! How the file is made and opened.

use super::StoreError;
use crate::private_file;
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{path::Path, time::Duration};

/// How long to wait for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// More statements than there are here: each is prepared once.
const CACHED_STATEMENTS: usize = 64;

/// Makes an empty file that only its owner reads and writes. SQLite gives its companions (`-wal`, `-shm`) the same permissions.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    private_file::create(path, b"").map_err(|error| StoreError::Unavailable(format!("{} cannot be made: {error}", path.display())))
}

/// Opens a file that exists for reading and writing.
pub(super) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    // Never by opening it: closing any descriptor of the file would drop the locks that this process holds on it (POSIX advisory locks).
    private_file::check(path).map_err(|mistake| StoreError::Unavailable(mistake.to_string()))?;
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // NORMAL could lose the last commits when the power fails, and with them certificates that are out already.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Opens a file that exists for reading.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.pragma_update(None, "trusted_schema", false)?;
    // One plan a statement: without it SQLite prepares a statement anew when its values change, to look for a better one.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}
