//! The store in one SQLite file (write-ahead log, `synchronous=FULL`).
//!
//! | Part | What it is |
//! |---|---|
//! | `connection` | how the file is made and opened |
//! | `schema` | migrations, and the refusal of a newer schema |
//! | `writer` | one thread that writes whatever waits as one transaction |
//! | `change` | a [`Change`] as SQL |
//! | `append` | an event as a row of the log |
//! | `factor` | second factors |
//! | `host` | hosts: changes and questions |
//! | `readers` | a few connections that only read |
//! | `query` | the questions, as SQL |
//! | `inventory` | the inventory's sources |
//! | `rotation` | rotations, and what bastions trust |
//! | `sign_in` | keys that are signed in: changes and questions |
//! | `device` | devices: changes and questions |
//! | `revocation` | what is revoked, and which certificates that covers |
//!
//! Another process may append at any time (`dayfly-ca user add` while the CA serves): the newest row is read inside each transaction, which holds the
//! lock for writing from its beginning.

use super::{
    Answer, Bastion, Certificate, Change, ListRecord, Person, Position, Revocation, RevocationState, RevokedSerials, Row, Session, Store,
    StoreError,
    device::DeviceRecord,
    factor::{Authenticator, Credential},
    host::Host,
    inventory::SourceRecord,
    rotation::RotationRecord,
    sign_in::SignIn,
};
use dayfly_core::{
    audit::AuditEvent,
    certificate::Revoked,
    identity::{FactorMethod, Subject},
    name::{BastionName, DeviceId, SubjectName},
    rotation::Purpose,
};
use readers::Readers;
use rusqlite::Connection;
use std::{collections::BTreeMap, path::Path};
use uuid::Uuid;
use writer::Writer;

mod append;
mod change;
mod connection;
mod credential;
mod device;
mod factor;
mod host;
mod inventory;
mod query;
mod readers;
mod revocation;
mod rotation;
mod schema;
mod sign_in;
mod writer;

/// The store in one SQLite file.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
}

impl SqliteStore {
    /// Makes the file, readable by its owner alone, and opens it. Refuses a file that exists.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        connection::create(path)?;
        Self::open(path)
    }

    /// Opens a file that exists. A missing one is never made here: a mistyped path must not begin a second log.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut writing = connection::open_for_writing(path)?;
        schema::migrate(&mut writing)?;
        Ok(Self { readers: Readers::open(path)?, writer: Writer::start(writing)? })
    }

    /// Asks a question on one of the reading connections.
    fn ask<'a, T: Send + 'static>(&'a self, question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static) -> Answer<'a, T> {
        Box::pin(self.readers.ask(question))
    }
}

impl Store for SqliteStore {
    fn commit(&self, change: Change, event: AuditEvent) -> Answer<'_, Position> {
        Box::pin(self.writer.commit(change, event))
    }

    fn person_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<Person>> {
        Box::pin(self.readers.look_up(|connection| query::person_by_key(connection, key_fingerprint)))
    }

    fn person_by_account<'a>(&'a self, issuer: &'a str, issuer_subject: &'a str) -> Answer<'a, Option<Person>> {
        Box::pin(self.readers.look_up(|connection| query::person_by_account(connection, issuer, issuer_subject)))
    }

    fn sign_in_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<SignIn>> {
        Box::pin(self.readers.look_up(|connection| sign_in::by_key(connection, key_fingerprint)))
    }

    fn person<'a>(&'a self, subject: &'a Subject) -> Answer<'a, Option<Person>> {
        Box::pin(self.readers.look_up(|connection| query::person(connection, subject)))
    }

    fn people(&self) -> Answer<'_, Vec<Person>> {
        self.ask(query::people)
    }

    fn bastion_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<Bastion>> {
        Box::pin(self.readers.look_up(|connection| query::bastion_by_key(connection, key_fingerprint)))
    }

    fn bastions(&self) -> Answer<'_, Vec<Bastion>> {
        self.ask(query::bastions)
    }

    fn host_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<Host>> {
        Box::pin(self.readers.look_up(|connection| host::by_key(connection, key_fingerprint)))
    }

    fn host_by_token<'a>(&'a self, token: &'a [u8; 32]) -> Answer<'a, Option<Host>> {
        Box::pin(self.readers.look_up(|connection| host::by_token(connection, token)))
    }

    fn hosts(&self) -> Answer<'_, Vec<Host>> {
        self.ask(host::all)
    }

    fn certificate(&self, serial: u64) -> Answer<'_, Option<Certificate>> {
        Box::pin(self.readers.look_up(move |connection| query::certificate(connection, serial)))
    }

    fn session(&self, id: Uuid) -> Answer<'_, Option<Session>> {
        Box::pin(self.readers.look_up(move |connection| query::session(connection, id)))
    }

    fn revocation_state(&self) -> Answer<'_, RevocationState> {
        Box::pin(self.readers.look_up(revocation::state))
    }

    fn revocations(&self) -> Answer<'_, Vec<Revocation>> {
        self.ask(revocation::revocations)
    }

    fn covered<'a>(&'a self, revoked: &'a Revoked, at: u64) -> Answer<'a, Vec<Certificate>> {
        let revoked = revoked.clone();
        self.ask(move |connection| revocation::covered(connection, &revoked, at))
    }

    fn revoked_serials(&self, now: u64) -> Answer<'_, RevokedSerials> {
        self.ask(move |connection| revocation::revoked_serials(connection, now))
    }

    fn published_list(&self) -> Answer<'_, Option<ListRecord>> {
        Box::pin(self.readers.look_up(revocation::published_list))
    }

    fn device_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<DeviceRecord>> {
        Box::pin(self.readers.look_up(|connection| device::by_key(connection, key_fingerprint)))
    }

    fn device<'a>(&'a self, id: &'a DeviceId) -> Answer<'a, Option<DeviceRecord>> {
        Box::pin(self.readers.look_up(|connection| device::by_id(connection, id)))
    }

    fn devices_of<'a>(&'a self, owner: &'a SubjectName) -> Answer<'a, Vec<DeviceRecord>> {
        Box::pin(self.readers.look_up(|connection| device::of_owner(connection, owner)))
    }

    fn devices(&self) -> Answer<'_, Vec<DeviceRecord>> {
        Box::pin(self.readers.look_up(device::all))
    }

    fn authenticator<'a>(&'a self, subject: &'a Subject) -> Answer<'a, Option<Authenticator>> {
        Box::pin(self.readers.look_up(|connection| factor::authenticator(connection, subject)))
    }

    fn credentials<'a>(&'a self, subject: &'a Subject) -> Answer<'a, Vec<Credential>> {
        Box::pin(self.readers.look_up(|connection| credential::of(connection, subject)))
    }

    fn factors<'a>(&'a self, subject: &'a Subject, key_fingerprint: &'a str) -> Answer<'a, BTreeMap<FactorMethod, u64>> {
        Box::pin(self.readers.look_up(|connection| factor::proofs(connection, subject, key_fingerprint)))
    }

    fn rotations(&self) -> Answer<'_, Vec<RotationRecord>> {
        Box::pin(self.readers.look_up(rotation::all))
    }

    fn last_end(&self, purpose: Purpose) -> Answer<'_, u64> {
        self.ask(move |connection| rotation::last_end(connection, purpose))
    }

    fn inventory_sources(&self) -> Answer<'_, Vec<SourceRecord>> {
        self.ask(inventory::all)
    }

    fn last_bastion_event<'a>(&'a self, bastion: &'a BastionName) -> Answer<'a, u64> {
        let bastion = bastion.clone();
        self.ask(move |connection| query::last_bastion_event(connection, &bastion))
    }

    fn rows(&self, after: u64, limit: u32) -> Answer<'_, Vec<Row>> {
        self.ask(move |connection| query::rows(connection, after, limit))
    }

    fn head(&self) -> Answer<'_, Option<Position>> {
        self.ask(query::head)
    }
}

/// What went wrong, in words that tell whoever operates the CA what to do.
fn unavailable(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    let remedy = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full: make room",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another process kept it locked: end that process, or try again",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "the file or its directory cannot be written: check who owns them, and the file system"
        }
        Some(ErrorCode::SystemIoFailure) => "the disk failed: check it, and the room on it",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "the file is damaged or no store: restore it from a backup",
        _ => "this should not happen: check the file",
    };
    StoreError::Unavailable(format!("{remedy} ({error})"))
}

/// The store holds something that it never wrote.
fn damaged(what: &str, cause: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("it holds a {what} that cannot be read: restore it from a backup ({cause})"))
}

/// SQLite's integers are signed. What does not fit was never stored.
fn integer(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Unavailable(format!("{value} is too large a number to store")))
}

/// The way back. Nothing negative is ever stored.
fn number(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|error| damaged("number", error))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        unavailable(&error)
    }
}

#[cfg(test)]
mod tests;
