//! What an administrator says of a rotation: that it begins, who may be left behind, that it is given up.

use super::facts;
use crate::{
    failure::Failure,
    store::{
        Change, Store,
        rotation::{RotationRecord, RotationStep},
    },
};
use dayfly_core::{
    audit::AuditEvent,
    reason::{Reason, Refusal},
    rotation::{Purpose, Rotation, Stage},
    signature::authority_strength,
};
use ssh_key::public::KeyData;
use std::{collections::BTreeSet, path::PathBuf};

/// A new key, and the one whose place it shall take.
pub struct Prepared {
    /// Which authority's.
    pub purpose: Purpose,
    /// The key that signs now.
    pub old_key: KeyData,
    /// The new one.
    pub new_key: KeyData,
    /// The file that it was made in.
    pub file: Option<PathBuf>,
    /// Who may be left behind.
    pub despite: BTreeSet<String>,
    /// Where it begins: [`Stage::Prepared`], unless the old key is lost.
    pub stage: Stage,
}

/// Begins a rotation. `about` is the event, without its facts; its time is when the rotation was prepared. A key that serves another purpose, or did, or that
/// was retired, does not begin one.
pub async fn prepare(store: &dyn Store, prepared: Prepared, in_use: &[KeyData], about: AuditEvent) -> Result<RotationRecord, Failure> {
    let rotations = store.rotations().await?;
    let new = &prepared.new_key;
    // One that was given up may be tried again, for what it was meant for: somebody may still trust it for that.
    let may_return = |record: &RotationRecord| record.rotation.stage == Stage::Abandoned && record.rotation.purpose == prepared.purpose;
    let was_here = |record: &RotationRecord| record.old_key == *new || (record.new_key == *new && !may_return(record));
    if in_use.contains(new) || rotations.iter().any(was_here) {
        let message = "the new key is one that the CA has, or had";
        return Err(Refusal::new(Reason::KeyInUse, message, "make a new one, and name it in [keys.next]").into());
    }
    authority_strength(new)?;
    let rotation = Rotation { purpose: prepared.purpose, stage: prepared.stage, despite: prepared.despite };
    let started_at = u64::try_from(about.time.unix_timestamp()).unwrap_or_default();
    let Prepared { old_key, new_key, file, .. } = prepared;
    let record = RotationRecord { rotation, old_key, new_key, file, endorsement: None, started_at };
    store.commit(Change::BeginRotation(Box::new(record.clone())), facts(about, &record)).await?;
    Ok(record)
}

/// Lets these be left behind.
pub async fn despite(store: &dyn Store, record: &RotationRecord, names: BTreeSet<String>, about: AuditEvent) -> Result<(), Failure> {
    let joined = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let about = facts(about, record).fact("despite", joined);
    store.commit(Change::RotateDespite { purpose: record.rotation.purpose, names }, about).await?;
    Ok(())
}

/// Gives a rotation up: the old key stays. Once the new one has signed, there is only forward.
pub async fn abandon(store: &dyn Store, record: &RotationRecord, about: AuditEvent) -> Result<(), Failure> {
    if !record.rotation.can_be_abandoned() {
        let message = format!("the {} CA signs with its new key already", record.rotation.purpose);
        return Err(Refusal::new(Reason::BadRequest, message, "let it finish, and rotate again to a third key").into());
    }
    let step = RotationStep { purpose: record.rotation.purpose, from: record.rotation.stage, to: Stage::Abandoned, endorsement: None };
    store.commit(Change::StepRotation(step), facts(about, record)).await?;
    Ok(())
}
