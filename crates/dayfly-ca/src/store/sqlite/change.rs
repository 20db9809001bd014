//! A [`Change`] as SQL.
//!
//! In every signature here the outer error is the file's and ends the transaction; the inner one is this change's alone.

use super::{credential, device, factor, host, integer, inventory, revocation, rotation, sign_in};
use crate::store::{Bastion, Certificate, Change, Person, Session, StoreError, Unique};
use dayfly_core::{
    identity::Subject,
    name::{BastionName, TargetName},
};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, ffi, params};
use std::collections::BTreeSet;

/// What became of a change.
pub(super) enum Applied {
    /// It was made.
    Now,
    /// It had been made before, together with its event.
    Before,
}

pub(super) type Outcome = rusqlite::Result<Result<Applied, StoreError>>;

/// Makes a change.
pub(super) fn apply(connection: &Connection, change: &Change) -> Outcome {
    match change {
        Change::None => Ok(Ok(Applied::Now)),
        Change::AddPerson(person) => add_person(connection, person),
        Change::DisablePerson(subject) => disable_person(connection, subject),
        Change::AddBastion(bastion) => add_bastion(connection, bastion),
        Change::AddCertificate(certificate) => add_certificate(connection, certificate),
        Change::AddSession(session) => add_session(connection, session),
        Change::AddInnerHostKey { key_fingerprint, bastion, target } => add_inner_host_key(connection, key_fingerprint, bastion, target),
        Change::AddHost(added) => host::add(connection, added),
        Change::IssueHostToken { host, token } => host::issue_token(connection, host, token),
        Change::EnrollHost { host, token, key_fingerprint, public_key } => {
            host::enroll(connection, host, token, key_fingerprint, public_key)
        }
        Change::NoteHostCertificate(note) => host::note_certificate(connection, note),
        Change::NoteHostReport(note) => host::note_report(connection, note),
        Change::DisableHost(name) => host::disable(connection, name),
        Change::AddSignIn(new) => sign_in::add(connection, new),
        Change::EndSignIn(key_fingerprint) => sign_in::end(connection, key_fingerprint),
        Change::Revoke(added) => revocation::add(connection, added),
        Change::PublishList(list) => revocation::publish_list(connection, list),
        Change::AddAuthenticator(added) => factor::add(connection, added),
        Change::UseCode(used) => factor::use_code(connection, used),
        Change::RefuseCode { subject, retry_at } => factor::refuse_code(connection, subject, *retry_at),
        Change::AddCredential(added) => credential::add(connection, added),
        Change::UseCredential(used) => credential::used(connection, used),
        Change::ProveFactor(used) => credential::prove(connection, used),
        Change::RemoveCredential { subject, name } => credential::remove(connection, subject, name),
        Change::RemoveFactors(subject) => factor::remove(connection, subject),
        Change::AddDevice(added) => device::add(connection, added),
        Change::ApproveDevice { id, at } => device::approve(connection, id, *at),
        Change::NoteDevice { id, posture } => device::note(connection, id, posture),
        Change::DisableDevice(id) => device::disable(connection, id),
        Change::BeginRotation(record) => rotation::begin(connection, record),
        Change::StepRotation(step) => rotation::step(connection, step),
        Change::RotateDespite { purpose, names } => rotation::despite(connection, *purpose, names),
        Change::NoteBastionReport { bastion, report } => rotation::note_bastion(connection, bastion, report),
        Change::KeepSource(answer) => inventory::keep(connection, answer),
        Change::FailSource(trouble) => inventory::fail(connection, trouble),
        Change::BastionEvent { bastion, number } => note_bastion_event(connection, bastion, *number),
    }
}

fn add_person(connection: &Connection, person: &Person) -> Outcome {
    if let Some(key) = &person.key
        && let Err(conflict) = add_key(connection, &key.fingerprint, &key.line)?
    {
        return Ok(Err(conflict));
    }
    let sql = "INSERT INTO person (subject, key_fingerprint, groups, disabled) VALUES (?1, ?2, ?3, ?4)";
    let fingerprint = person.key.as_ref().map(|key| key.fingerprint.as_str());
    let values = params![person.subject.to_string(), fingerprint, json(&person.groups), person.disabled];
    insert(connection, sql, values, || StoreError::Conflict(Unique::Person))
}

pub(super) fn add_key(connection: &Connection, fingerprint: &str, public_key: &str) -> Outcome {
    // A key that is signed in speaks for somebody already.
    if exists(connection, "SELECT 1 FROM sign_in WHERE key_fingerprint = ?1", [fingerprint])? {
        return Ok(Err(StoreError::Conflict(Unique::Key)));
    }
    let sql = "INSERT INTO enrolled_key (fingerprint, public_key) VALUES (?1, ?2)";
    insert(connection, sql, params![fingerprint, public_key], || StoreError::Conflict(Unique::Key))
}

fn disable_person(connection: &Connection, subject: &Subject) -> Outcome {
    let mut statement = connection.prepare_cached("UPDATE person SET disabled = 1 WHERE subject = ?1")?;
    match statement.execute([subject.to_string()])? {
        0 => Ok(Err(StoreError::Unknown(format!("person {subject}")))),
        _ => Ok(Ok(Applied::Now)),
    }
}

fn add_bastion(connection: &Connection, bastion: &Bastion) -> Outcome {
    if let Err(conflict) = add_key(connection, &bastion.key_fingerprint, &bastion.public_key)? {
        return Ok(Err(conflict));
    }
    let sql = "INSERT INTO bastion (name, key_fingerprint, targets, dials_from, host_names, address, disabled) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let values = params![
        bastion.name.as_str(),
        bastion.key_fingerprint,
        json(&bastion.targets),
        json(&bastion.dials_from),
        json(&bastion.host_names),
        bastion.address,
        bastion.disabled
    ];
    insert(connection, sql, values, || StoreError::Conflict(Unique::Bastion))
}

fn add_certificate(connection: &Connection, certificate: &Certificate) -> Outcome {
    let numbers = [certificate.serial, certificate.ends_at, certificate.issued_at].map(integer);
    let [Ok(serial), Ok(ends_at), Ok(issued_at)] = numbers else {
        return Ok(numbers.into_iter().find_map(Result::err).map_or(Ok(Applied::Now), Err));
    };
    if exists(connection, "SELECT 1 FROM session WHERE serial = ?1", [serial])? {
        return Ok(Err(StoreError::Conflict(Unique::Serial)));
    }
    let sql = "INSERT INTO certificate (serial, digest, subject, ends_at, role, grant_id, key_fingerprint, issued_at, evidence)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (role, grant) = (certificate.role.as_ref().map(ToString::to_string), certificate.grant.map(|grant| grant.to_string()));
    let evidence = certificate.evidence.as_ref().map(serde_json::to_string).transpose();
    let evidence = match evidence {
        Ok(evidence) => evidence,
        Err(error) => return Ok(Err(StoreError::Unavailable(error.to_string()))),
    };
    let values = params![
        serial,
        certificate.digest,
        certificate.subject.to_string(),
        ends_at,
        role,
        grant,
        certificate.key_fingerprint,
        issued_at,
        evidence
    ];
    if let Some(known) = certificate.evidence.as_ref().and_then(|evidence| evidence.device.as_ref()) {
        device::see(connection, &known.id, issued_at)?;
    }
    match insert(connection, sql, values, || StoreError::Conflict(Unique::Serial)) {
        Err(error) if is_dangling(&error) => Ok(Err(StoreError::Unknown(format!("person {}", certificate.subject)))),
        outcome => outcome,
    }
}

fn add_session(connection: &Connection, session: &Session) -> Outcome {
    let minted = session.certificate.map(|minted| Ok::<_, StoreError>((integer(minted.serial)?, integer(minted.ends_at)?))).transpose();
    let (parent, minted) = match (integer(session.parent_serial), minted) {
        (Ok(parent), Ok(minted)) => (parent, minted),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let (serial, ends_at) = minted.unzip();
    let id = session.id.as_bytes().as_slice();
    if exists(connection, "SELECT 1 FROM session WHERE id = ?1", [id])? {
        return Ok(Err(StoreError::Conflict(Unique::Session)));
    }
    if exists(connection, "SELECT 1 FROM certificate WHERE serial = ?1", [serial])? {
        return Ok(Err(StoreError::Conflict(Unique::Serial)));
    }
    let sql = "INSERT INTO session (id, parent_serial, serial, ends_at, bastion, target) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![id, parent, serial, ends_at, session.bastion.as_str(), session.target.as_str()];
    match insert(connection, sql, values, || StoreError::Conflict(Unique::Serial)) {
        Err(error) if is_dangling(&error) => {
            Ok(Err(StoreError::Unknown(format!("certificate {}, or no bastion {}", session.parent_serial, session.bastion))))
        }
        outcome => outcome,
    }
}

/// The same key for the same name again is no conflict, and is an event of its own.
fn add_inner_host_key(connection: &Connection, key_fingerprint: &str, bastion: &BastionName, target: &TargetName) -> Outcome {
    let same = "SELECT 1 FROM inner_host_key WHERE fingerprint = ?1 AND bastion = ?2 AND target = ?3";
    if exists(connection, same, [key_fingerprint, bastion.as_str(), target.as_str()])? {
        return Ok(Ok(Applied::Now));
    }
    let sql = "INSERT INTO inner_host_key (fingerprint, bastion, target) VALUES (?1, ?2, ?3)";
    let values = [key_fingerprint, bastion.as_str(), target.as_str()];
    match insert(connection, sql, values, || StoreError::Conflict(Unique::InnerHostKey)) {
        Err(error) if is_dangling(&error) => Ok(Err(StoreError::Unknown(format!("bastion {bastion}")))),
        outcome => outcome,
    }
}

/// A bastion's events come one after the other. What came before comes again when the bastion never got the answer.
fn note_bastion_event(connection: &Connection, bastion: &BastionName, number: u64) -> Outcome {
    let mut last = connection.prepare_cached("SELECT last_event FROM bastion WHERE name = ?1")?;
    let Some(last) = last.query_row([bastion.as_str()], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(Err(StoreError::Unknown(format!("bastion {bastion}"))));
    };
    let expected = last.unsigned_abs().saturating_add(1);
    if number < expected {
        return Ok(Ok(Applied::Before));
    }
    if number > expected {
        return Ok(Err(StoreError::OutOfOrder { bastion: bastion.clone(), expected, found: number }));
    }
    let mut statement = connection.prepare_cached("UPDATE bastion SET last_event = ?2 WHERE name = ?1")?;
    statement.execute(params![bastion.as_str(), number.cast_signed()])?;
    Ok(Ok(Applied::Now))
}

/// Inserts a row; `conflict` if one like it is there already.
pub(super) fn insert(connection: &Connection, sql: &str, values: impl Params, conflict: impl FnOnce() -> StoreError) -> Outcome {
    match connection.prepare_cached(sql)?.execute(values) {
        Ok(_) => Ok(Ok(Applied::Now)),
        Err(error) if is_doubled(&error) => Ok(Err(conflict())),
        Err(error) => Err(error),
    }
}

pub(super) fn exists(connection: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<bool> {
    connection.prepare_cached(sql)?.exists(values)
}

fn is_doubled(error: &rusqlite::Error) -> bool {
    violates(error, &[ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_ROWID])
}

fn is_dangling(error: &rusqlite::Error) -> bool {
    violates(error, &[ffi::SQLITE_CONSTRAINT_FOREIGNKEY])
}

fn violates(error: &rusqlite::Error, codes: &[i32]) -> bool {
    error.sqlite_error().is_some_and(|error| error.code == ErrorCode::ConstraintViolation && codes.contains(&error.extended_code))
}

/// A set as a JSON array.
pub(super) fn json<T: ToString>(set: &BTreeSet<T>) -> String {
    serde_json::Value::from_iter(set.iter().map(T::to_string)).to_string()
}
