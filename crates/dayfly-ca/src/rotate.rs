//! The rotation pipeline: an authority's key gives way to another, a step at a time ([`dayfly_core::rotation`]).
//!
//! Which step comes next follows from what the store holds: the rotation's stage, what hosts and bastions reported, and the time. A step is in the log and in
//! the store before its effect is in memory, so whatever is cut off is taken up again where it stood. Facts of its events: `purpose`, `old`, `new`, and
//! `despite` (who was not seen with the new key and is left behind).

mod holders;
mod prepare;
#[cfg(test)]
mod tests;

pub use holders::holders;
pub use prepare::{Prepared, abandon, despite, prepare};

use crate::{
    authority::{Authority, with_signer},
    config::RuleBook,
    failure::Failure,
    host_certificate::HOST_TTL_SECONDS,
    mistake::Mistake,
    signer::keyring::{AuthorityKeys, former, latest},
    store::{
        Change, StoreError, Unique,
        rotation::{RotationRecord, RotationStep},
    },
};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    certificate::{LONGEST_INNER_HOST_TTL_SECONDS, SESSION_TTL_SECONDS},
    rotation::{Endorsement, Purpose, Stage, Step},
    signature::fingerprint,
    signer::Signer,
};
use ssh_key::public::KeyData;
use std::{sync::Arc, time::Duration};

/// How often the CA looks whether a step can be taken.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Opens the keys that rotations lead to, wherever they are kept.
pub trait NextKeys: Send + Sync {
    /// Opens `wanted`, a key of this authority.
    fn open(&self, purpose: Purpose, rotations: &[RotationRecord], wanted: &KeyData) -> Result<Arc<dyn Signer>, Mistake>;
}

/// Why a step could not be taken. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Stuck {
    /// The key is not where it should be.
    #[error(transparent)]
    Key(#[from] Mistake),
    /// Anything else.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<StoreError> for Stuck {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

/// Takes every step that can be taken, again and again. What cannot be is in the log once, and tried again.
pub async fn keep_turning(authority: &Authority, keys: &dyn NextKeys) {
    let mut last_failure = [const { None }; Purpose::ALL.len()];
    loop {
        for (purpose, last) in Purpose::ALL.into_iter().zip(&mut last_failure) {
            let failure = turn(authority, keys, purpose).await.err().map(|stuck| stuck.to_string());
            if let Some(detail) = failure.as_ref().filter(|detail| last.as_ref() != Some(*detail)) {
                tracing::error!(%purpose, "a rotation is stuck: {detail}");
                let event = authority.event(Event::RotationFailed, Outcome::Failed).fact("purpose", purpose).detail(detail);
                if let Err(error) = authority.store.commit(Change::None, event).await {
                    tracing::error!(%error, "that could not be logged");
                }
            }
            *last = failure;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Takes every step of one authority's rotation that can be taken now, and has the keyring say what the store says.
pub async fn turn(authority: &Authority, keys: &dyn NextKeys, purpose: Purpose) -> Result<(), Stuck> {
    loop {
        let rotations = authority.store.rotations().await?;
        let Some(record) = latest(&rotations, purpose) else { return Ok(()) };
        follow(authority, keys, &rotations, record)?;
        let book = authority.rules.load_full();
        let told_after = authority.rotation.people_told_after.as_secs();
        let holders = holders(authority.store.as_ref(), &book.inventory, &rotations, record, told_after).await?;
        let Ok(step) = record.rotation.next(authority.clock.unix_seconds(), &holders) else { return Ok(()) };
        let taken = match step {
            Step::Publish => publish(authority, keys, &rotations, record).await,
            Step::Switch { despite } => switch(authority, keys, &rotations, record, &despite, &book).await,
            Step::Retire => commit(authority, record, Stage::Retired, None, about(authority, Event::RotationRetired, record)).await,
        };
        match taken {
            // Another process took this step, or a command changed the rotation meanwhile: see what it is now.
            Err(Stuck::Failure(Failure::Store(StoreError::Conflict(Unique::RotationStep)))) | Ok(()) => {}
            Err(stuck) => return Err(stuck),
        }
    }
}

/// Has the keyring say what the store says, whoever wrote it there.
fn follow(authority: &Authority, keys: &dyn NextKeys, rotations: &[RotationRecord], record: &RotationRecord) -> Result<(), Stuck> {
    let purpose = record.rotation.purpose;
    let (now, trusted) = (authority.keyring.of(purpose), record.trusted_keys());
    if now.trusted == trusted && now.signer.public_key() == record.signing_key() {
        return Ok(());
    }
    let signer = if now.signer.public_key() == record.signing_key() {
        Arc::clone(&now.signer)
    } else {
        keys.open(purpose, rotations, record.signing_key())?
    };
    authority.keyring.turn(purpose, AuthorityKeys { signer, trusted, former: former(rotations, purpose) });
    tracing::info!(%purpose, stage = record.rotation.stage.as_str(), "an authority's keys have changed");
    Ok(())
}

/// Both keys are trusted from here on. The new one has shown that it signs, and the old one has vouched for it.
async fn publish(authority: &Authority, keys: &dyn NextKeys, rotations: &[RotationRecord], record: &RotationRecord) -> Result<(), Stuck> {
    prove(keys, rotations, record).await?;
    let (purpose, new) = (record.rotation.purpose, record.new_key.clone());
    let old = authority.keyring.signer(purpose);
    let endorsement = with_signer(&old, move |old| Endorsement::make(old, purpose, &new)).await.map_err(Failure::from)?;
    let endorsement = endorsement.map_err(Failure::from)?.signature;
    let at = authority.clock.unix_seconds();
    commit(authority, record, Stage::Published { at }, Some(endorsement), about(authority, Event::RotationPublished, record)).await
}

/// The new key signs from here on. What the old one has signed, or is about to, ends before it is retired.
async fn switch(
    authority: &Authority,
    keys: &dyn NextKeys,
    rotations: &[RotationRecord],
    record: &RotationRecord,
    despite: &[String],
    book: &RuleBook,
) -> Result<(), Stuck> {
    prove(keys, rotations, record).await?;
    let longest = longest_life(authority, record.rotation.purpose, book).saturating_add(authority.rotation.in_flight.as_secs());
    let known = authority.store.last_end(record.rotation.purpose).await?;
    let last_end = authority.clock.unix_seconds().saturating_add(longest).max(known);
    let event = about(authority, Event::RotationSwitched, record).fact("old_ends", last_end);
    let event = if despite.is_empty() { event } else { event.fact("despite", despite.join(", ")) };
    commit(authority, record, Stage::Switched { last_end }, None, event).await
}

/// Whether the new key signs, wherever it is kept. Before anybody depends on it.
async fn prove(keys: &dyn NextKeys, rotations: &[RotationRecord], record: &RotationRecord) -> Result<(), Stuck> {
    let purpose = record.rotation.purpose;
    let new = keys.open(purpose, rotations, &record.new_key)?;
    let key = record.new_key.clone();
    let proof = with_signer(&new, move |new| Endorsement::make(new, purpose, &key)).await.map_err(Failure::from)?;
    proof.map(drop).map_err(|error| Stuck::Failure(error.into()))
}

async fn commit(
    authority: &Authority,
    record: &RotationRecord,
    to: Stage,
    endorsement: Option<String>,
    event: AuditEvent,
) -> Result<(), Stuck> {
    let step = RotationStep { purpose: record.rotation.purpose, from: record.rotation.stage, to, endorsement };
    authority.store.commit(Change::StepRotation(step), event).await?;
    Ok(())
}

/// The longest that a certificate lives which an authority signs now, in seconds.
fn longest_life(authority: &Authority, purpose: Purpose, book: &RuleBook) -> u64 {
    match purpose {
        Purpose::User => book.roles.iter().map(|role| role.max_ttl.seconds()).max().unwrap_or_default(),
        Purpose::Session => SESSION_TTL_SECONDS,
        Purpose::Host => authority.hosts.certificate_ttl.as_secs().max(HOST_TTL_SECONDS),
        Purpose::InnerHost => LONGEST_INNER_HOST_TTL_SECONDS,
    }
}

fn about(authority: &Authority, event: Event, record: &RotationRecord) -> AuditEvent {
    facts(authority.event(event, Outcome::Done), record)
}

/// What every event on a rotation says.
fn facts(event: AuditEvent, record: &RotationRecord) -> AuditEvent {
    let event = event.fact("purpose", record.rotation.purpose);
    event.fact("old", fingerprint(&record.old_key)).fact("new", fingerprint(&record.new_key))
}
