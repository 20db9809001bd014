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
    signer::{
        away::AwaySigner,
        keyring::{AuthorityKeys, former, latest},
    },
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

/// How long it waits at most before it tries again what failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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

/// Takes every step of every authority's rotation that can be taken, again and again. One that is held up holds no other up.
pub async fn keep_turning(authority: &Authority, keys: Arc<dyn NextKeys>) {
    let [user, session, host, inner_host] = Purpose::ALL.map(|purpose| keep_turning_one(authority, &keys, purpose));
    tokio::join!(user, session, host, inner_host);
}

/// What cannot be done is in the log once, and tried again, less often each time.
async fn keep_turning_one(authority: &Authority, keys: &Arc<dyn NextKeys>, purpose: Purpose) {
    let (mut last_failure, mut pause) = (None, INTERVAL);
    loop {
        let failure = turn(authority, keys, purpose).await.err().map(|stuck| stuck.to_string());
        if let Some(detail) = failure.as_ref().filter(|detail| last_failure.as_ref() != Some(*detail)) {
            tracing::error!(%purpose, "a rotation is stuck: {detail}");
            let event = authority.event(Event::RotationFailed, Outcome::Failed).fact("purpose", purpose).detail(detail);
            if let Err(error) = authority.store.commit(Change::None, event).await {
                tracing::error!(%error, "that could not be logged");
            }
        }
        pause = if failure.is_some() { pause.saturating_mul(2).min(LONGEST_PAUSE) } else { INTERVAL };
        last_failure = failure;
        tokio::time::sleep(pause).await;
    }
}

/// Takes every step of one authority's rotation that can be taken now, and has the keyring say what the store says.
pub async fn turn(authority: &Authority, keys: &Arc<dyn NextKeys>, purpose: Purpose) -> Result<(), Stuck> {
    loop {
        let rotations = authority.store.rotations().await?;
        let Some(record) = latest(&rotations, purpose) else { return Ok(()) };
        follow(authority, keys, &rotations, record).await?;
        let book = authority.rules.load_full();
        let told_after = authority.rotation.people_told_after.as_secs();
        let holders = match record.rotation.stage {
            Stage::Published { .. } => holders(authority.store.as_ref(), &book.inventory, &rotations, record, told_after).await?,
            // Nobody else is waited for.
            _ => Vec::new(),
        };
        let old_is_revoked = authority.revocations.current().await?.cover_key(&record.old_key);
        let Ok(step) = record.rotation.next(authority.clock.unix_seconds(), &holders, old_is_revoked) else { return Ok(()) };
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

/// Has the keyring say what the store says, whoever wrote it there. A key that ought to sign and cannot be opened signs nothing, and no other in its place.
async fn follow(
    authority: &Authority,
    keys: &Arc<dyn NextKeys>,
    rotations: &[RotationRecord],
    record: &RotationRecord,
) -> Result<(), Stuck> {
    let purpose = record.rotation.purpose;
    let (now, trusted, signs) = (authority.keyring.of(purpose), record.trusted_keys(), record.signing_key());
    let signs_already = now.is_there && now.signer.public_key() == signs;
    if now.trusted == trusted && signs_already {
        return Ok(());
    }
    let opened = if signs_already { Ok(Arc::clone(&now.signer)) } else { open(keys, rotations, purpose, signs).await };
    let (signer, is_there, stuck): (Arc<dyn Signer>, _, _) = match opened {
        Ok(signer) => (signer, true, Ok(())),
        Err(stuck) => (Arc::new(AwaySigner::new(signs.clone(), stuck.to_string())), false, Err(stuck)),
    };
    authority.keyring.turn(purpose, AuthorityKeys { signer, is_there, trusted, former: former(rotations, purpose) });
    tracing::info!(%purpose, stage = record.rotation.stage.as_str(), "an authority's keys have changed");
    stuck
}

/// Opens a key on a thread where nobody else waits.
async fn open(
    keys: &Arc<dyn NextKeys>,
    rotations: &[RotationRecord],
    purpose: Purpose,
    wanted: &KeyData,
) -> Result<Arc<dyn Signer>, Stuck> {
    let (keys, rotations, wanted) = (Arc::clone(keys), rotations.to_vec(), wanted.clone());
    let opened = tokio::task::spawn_blocking(move || keys.open(purpose, &rotations, &wanted)).await.map_err(Failure::from)?;
    Ok(opened?)
}

/// Both keys are trusted from here on. The new one has shown that it signs, and the old one has vouched for it.
async fn publish(
    authority: &Authority,
    keys: &Arc<dyn NextKeys>,
    rotations: &[RotationRecord],
    record: &RotationRecord,
) -> Result<(), Stuck> {
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
    keys: &Arc<dyn NextKeys>,
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
async fn prove(keys: &Arc<dyn NextKeys>, rotations: &[RotationRecord], record: &RotationRecord) -> Result<(), Stuck> {
    let purpose = record.rotation.purpose;
    let new = open(keys, rotations, purpose, &record.new_key).await?;
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
