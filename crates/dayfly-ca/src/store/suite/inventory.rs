//! What every store must do for the inventory's sources.

use super::event;
use crate::store::{
    Change, Store,
    inventory::{SourceAnswer, SourceFailure, SourceTrouble},
};
use dayfly_core::{audit::Event, policy::sample, target::Target};

pub(crate) async fn a_sources_last_answer_stays_while_it_fails_and_only_news_are_events(store: &impl Store) {
    let targets: Vec<Target> = sample::inventory().iter().cloned().collect();
    let keep = async |place: &str, targets: &[Target], at| {
        let answer = SourceAnswer { name: "cloud".parse().unwrap(), place: place.to_owned(), targets: targets.to_vec(), at };
        store.commit(Change::KeepSource(Box::new(answer)), event(Event::InventoryRefreshed)).await.unwrap().seq
    };
    let fail = async |place: &str, kind: &str, at| {
        let (kind, detail) = (kind.to_owned(), format!("at {at}"));
        let trouble = SourceTrouble { name: "cloud".parse().unwrap(), place: place.to_owned(), kind, detail, at };
        store.commit(Change::FailSource(Box::new(trouble)), event(Event::InventoryFailed)).await.unwrap().seq
    };
    let only = async || -> super::super::inventory::SourceRecord {
        let [only] = store.inventory_sources().await.unwrap().try_into().unwrap();
        only
    };
    assert_eq!(store.inventory_sources().await.unwrap(), []);

    assert_eq!(fail("here", "bad", 5).await, 1);
    assert_eq!((only().await.targets, only().await.read_at), (None, 0));
    assert_eq!(keep("here", &targets, 10).await, 2);
    assert_eq!(keep("here", &targets, 20).await, 2, "the same again is no news");
    assert_eq!((only().await.targets.as_ref(), only().await.read_at, only().await.failure), (Some(&targets), 20, None));

    assert_eq!(fail("here", "timed_out", 30).await, 3);
    assert_eq!(fail("here", "timed_out", 40).await, 3, "it fails as before");
    let failed = only().await;
    assert_eq!(failed.failure, Some(SourceFailure { kind: "timed_out".to_owned(), detail: "at 40".to_owned(), since: 30 }));
    assert_eq!((failed.targets.as_ref(), failed.read_at, failed.tried_at), (Some(&targets), 20, 40), "what it said stays");
    assert_eq!(fail("here", "bad", 50).await, 4, "it fails otherwise");
    assert_eq!(keep("here", &targets, 60).await, 5, "it answers again");
    assert_eq!(keep("here", &targets[1..], 70).await, 6);
    assert_eq!(only().await.targets.unwrap().len(), targets.len() - 1);

    assert_eq!(fail("there", "bad", 80).await, 7);
    assert_eq!((only().await.targets, only().await.read_at), (None, 0), "what was said elsewhere is not this place's");
}
