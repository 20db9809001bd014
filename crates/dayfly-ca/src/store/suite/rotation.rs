//! What every store must do for rotations.

use super::{bastion, event};
use crate::store::{
    Change, Store, StoreError, Unique,
    rotation::{BastionReportHeld, RotationRecord, RotationStep},
};
use dayfly_core::{
    audit::Event,
    rotation::{Purpose, Rotation, Stage},
    signer::{SeedSigner, Signer as _},
};
use std::collections::BTreeSet;

pub(crate) async fn an_authority_has_one_rotation_at_a_time_and_a_step_is_taken_once(store: &impl Store) {
    let key = |seed| SeedSigner::new(seed).public_key().clone();
    let record = |purpose, old, new| RotationRecord {
        rotation: Rotation { purpose, stage: Stage::Prepared, despite: BTreeSet::from(["target:db1".to_owned()]) },
        old_key: key(old),
        new_key: key(new),
        file: Some("/keys/user_ca-2026-01-02".into()),
        endorsement: None,
        started_at: 5,
    };
    let begin = async |record| store.commit(Change::BeginRotation(Box::new(record)), event(Event::RotationPrepared)).await;
    let step = async |from, to, endorsement: Option<&str>| {
        let step = RotationStep { purpose: Purpose::User, from, to, endorsement: endorsement.map(str::to_owned) };
        store.commit(Change::StepRotation(step), event(Event::RotationPublished)).await
    };
    assert_eq!(store.rotations().await.unwrap(), []);
    begin(record(Purpose::User, 1, 2)).await.unwrap();
    begin(record(Purpose::Host, 3, 4)).await.unwrap();
    assert!(matches!(begin(record(Purpose::User, 1, 5)).await, Err(StoreError::Conflict(Unique::Rotation))));
    assert!(matches!(begin(record(Purpose::Session, 6, 2)).await, Err(StoreError::Conflict(Unique::Rotation))), "a key for two");

    let published = Stage::Published { at: 7 };
    step(Stage::Prepared, published, Some("word")).await.unwrap();
    assert!(matches!(step(Stage::Prepared, published, None).await, Err(StoreError::Conflict(Unique::RotationStep))));
    let names = BTreeSet::from(["people".to_owned()]);
    store.commit(Change::RotateDespite { purpose: Purpose::User, names }, event(Event::RotationDespite)).await.unwrap();
    let [user, host] = store.rotations().await.unwrap().try_into().unwrap();
    let despite = BTreeSet::from(["people".to_owned(), "target:db1".to_owned()]);
    let expected = Rotation { purpose: Purpose::User, stage: published, despite };
    assert_eq!(user, RotationRecord { rotation: expected, endorsement: Some("word".to_owned()), ..record(Purpose::User, 1, 2) });
    assert_eq!(host, record(Purpose::Host, 3, 4));

    // Given up, and tried again with the same key; retired, and never again.
    step(published, Stage::Abandoned, None).await.unwrap();
    begin(record(Purpose::User, 1, 2)).await.unwrap();
    step(Stage::Prepared, Stage::Retired, None).await.unwrap();
    assert!(matches!(begin(record(Purpose::User, 1, 2)).await, Err(StoreError::Conflict(Unique::Rotation))));
    let outdated = begin(record(Purpose::User, 1, 5)).await;
    assert!(matches!(outdated, Err(StoreError::Conflict(Unique::Rotation))), "the key that was retired would sign again");
    begin(record(Purpose::User, 2, 5)).await.unwrap();
    let nobody = Change::RotateDespite { purpose: Purpose::Session, names: BTreeSet::new() };
    assert!(matches!(store.commit(nobody, event(Event::RotationDespite)).await, Err(StoreError::Unknown(_))));
    assert_eq!(store.last_end(Purpose::User).await.unwrap(), 0);

    // What a bastion trusts.
    let gate = bastion("gate", "gate");
    store.commit(Change::AddBastion(gate.clone()), event(Event::BastionAdded)).await.unwrap();
    let note = async |seen_at| {
        let report = BastionReportHeld { seen_at, trusted: BTreeSet::from(["SHA256:k".to_owned()]) };
        store.commit(Change::NoteBastionReport { bastion: gate.name.clone(), report }, event(Event::BastionReported)).await.unwrap().seq
    };
    assert_eq!(note(10).await, note(20).await, "the second tells nothing new");
    assert_eq!(store.bastions().await.unwrap()[0].report.as_ref().map(|report| report.seen_at), Some(20));
}
