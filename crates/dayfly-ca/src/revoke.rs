//! The revocation pipeline: what is revoked, until when it has to be → what that covers → one row in the log together with the revocation.
//!
//! Facts of its event: `kind`, `value`, `until` (RFC 3339, or `for good`), `certificates` (how many that are alive it covers) and `stated_reason`.

use crate::{
    failure::Failure,
    store::{Certificate, Change, Revocation, Store},
};
use dayfly_core::{
    audit::AuditEvent,
    certificate::Revoked,
    reason::{Reason, Refusal},
    validity::{LONGEST_SESSION_SECONDS, LONGEST_TTL_SECONDS},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A revocation that was looked into, and nothing more yet.
#[derive(Debug)]
pub struct Prepared {
    /// The revocation.
    pub revocation: Revocation,
    /// The certificates that it covers and that are alive, by serial.
    pub alive: Vec<Certificate>,
}

/// Looks into what is to be revoked, at `revocation.at`. Without an end it gets one if nothing it covers can outlive it. Refuses what would do nothing
/// because of a mistyped name.
pub async fn prepare(store: &dyn Store, mut revocation: Revocation) -> Result<Prepared, Failure> {
    let now = revocation.at;
    if revocation.ends_at.is_some_and(|end| end <= now) {
        return Err(refused("the revocation would end before it begins", "name a time to come with --until"));
    }
    if let Revoked::Person(subject) = &revocation.revoked
        && store.person(subject).await?.is_none()
    {
        return Err(refused(&format!("there is no {subject}"), "`dayfly-ca user list` lists everybody"));
    }
    let covered = store.covered(&revocation.revoked, now).await?;
    if covered.is_empty() && matches!(revocation.revoked, Revoked::Role(_) | Revoked::Grant(_)) {
        let message = format!("no certificate was ever issued by {} {}", revocation.revoked.kind(), revocation.revoked.value());
        return Err(refused(&message, "correct it; `dayfly log tail` tells what was issued"));
    }
    let last_end = covered.iter().map(|certificate| certificate.ends_at).max();
    let natural_end = match &revocation.revoked {
        // One that is being issued at this moment is covered too, and lives no longer.
        Revoked::Role(_) => Some(now.saturating_add(LONGEST_TTL_SECONDS).saturating_add(LONGEST_SESSION_SECONDS)),
        // Its sessions may outlive it.
        Revoked::Grant(_) | Revoked::Serial(_) | Revoked::KeyId(_) => {
            last_end.map(|end| end.max(now).saturating_add(LONGEST_SESSION_SECONDS))
        }
        Revoked::Person(_) | Revoked::Key(_) | Revoked::Ca(_) => None,
    };
    revocation.ends_at = revocation.ends_at.or(natural_end);
    let mut alive: Vec<Certificate> = covered.into_iter().filter(|certificate| certificate.ends_at > now).collect();
    alive.sort_by_key(|certificate| certificate.serial);
    Ok(Prepared { revocation, alive })
}

/// Revokes. `event` is the row that whoever does it begins; it is in the log, together with the revocation, before this returns.
pub async fn revoke(store: &dyn Store, prepared: Prepared, event: AuditEvent) -> Result<(), Failure> {
    let Prepared { revocation, alive } = prepared;
    let event = event
        .fact("kind", revocation.revoked.kind())
        .fact("value", revocation.revoked.value())
        .fact("until", until(revocation.ends_at))
        .fact("certificates", alive.len());
    let event = match &revocation.reason {
        Some(reason) => event.fact("stated_reason", reason),
        None => event,
    };
    let event = match &revocation.revoked {
        Revoked::Serial(serial) => event.serial(*serial),
        Revoked::Person(subject) => event.subject(subject),
        Revoked::Role(role) => event.role(role),
        Revoked::KeyId(_) | Revoked::Key(_) | Revoked::Grant(_) | Revoked::Ca(_) => event,
    };
    store.commit(Change::Revoke(revocation), event).await?;
    Ok(())
}

/// An end in words: RFC 3339, or `for good`.
pub fn until(ends_at: Option<u64>) -> String {
    let Some(end) = ends_at else { return "for good".to_owned() };
    let time = i64::try_from(end).ok().and_then(|end| OffsetDateTime::from_unix_timestamp(end).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{end} s after 1970"))
}

fn refused(message: &str, remedy: &str) -> Failure {
    Failure::Refused(Refusal::new(Reason::BadRequest, message, remedy))
}

#[cfg(test)]
mod tests;
