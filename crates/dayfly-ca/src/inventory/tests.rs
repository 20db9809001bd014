//! What sources come to: with a reader that is told what to say, a store in memory, and a clock that stands still.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{
    reader::{Reader, Reading},
    refresh::keep_reading,
    *,
};
use crate::{
    config::{Permits, Place},
    installation::Installation,
};
use dayfly_core::{
    clock::Clock as _,
    principal::Principal,
    signer::{SeedSigner, Signer as _},
    target::Mode,
};
use ssh_key::PublicKey;
use std::{collections::VecDeque, sync::Mutex as StdMutex, time::Duration};

fn source(name: &str) -> SourceSettings {
    SourceSettings {
        name: name.parse().unwrap(),
        place: Place::Directory(format!("/targets/{name}").into()),
        refresh: Duration::from_secs(300),
        timeout: Duration::from_secs(30),
        max_bytes: 1 << 20,
        permits: Permits { groups: ["cloud".parse().unwrap()].into(), ..Permits::default() },
    }
}

/// A recorded target with a key and an address of its own.
fn target(name: &str, seed: u8) -> Target {
    let key = PublicKey::from(SeedSigner::new(seed).public_key().clone()).to_openssh().unwrap();
    let text = serde_json::json!({"name": name, "address": format!("198.51.100.{seed}"), "host_keys": [key], "mode": "record", "groups": ["cloud"]});
    serde_json::from_value(text).unwrap()
}

/// A CA whose configuration has these sources.
async fn ca_with(sources: &[SourceSettings]) -> Installation {
    let ca = Installation::new();
    configured(&ca, sources).await.unwrap();
    ca
}

async fn configured(ca: &Installation, sources: &[SourceSettings]) -> Result<(), Trouble> {
    let written = written(ca);
    replace(ca.authority(), written, sources.to_vec()).await.unwrap()
}

/// The sample's rules without what sources added.
fn written(ca: &Installation) -> RuleBook {
    let inventory = dayfly_core::policy::sample::inventory();
    RuleBook { inventory, ..RuleBook::clone(&ca.authority().rules.load()) }
}

async fn said(ca: &Installation, source: &SourceSettings, targets: &[Target]) {
    take(ca.authority(), source, Ok(targets.to_vec())).await.unwrap();
}

fn knows(ca: &Installation, name: &str) -> bool {
    ca.authority().rules.load().inventory.get(name).is_some()
}

async fn failure(ca: &Installation, source: &SourceSettings) -> Option<String> {
    let records = ca.store.inventory_sources().await.unwrap();
    assert!(records.iter().all(|record| record.tried_at == ca.clock.unix_seconds()), "dated by the CA's clock");
    records.into_iter().find(|record| record.name == source.name)?.failure.map(|failure| failure.kind)
}

fn events(ca: &Installation) -> Vec<(Event, Option<String>)> {
    let ours = |event: &AuditEvent| matches!(event.event, Event::InventoryRefreshed | Event::InventoryFailed);
    let told = |event: AuditEvent| (event.event, event.facts.get("kind").or(event.facts.get("added")).cloned());
    ca.store.events().into_iter().filter(ours).map(told).collect()
}

#[tokio::test]
async fn what_a_source_lists_is_in_force_and_in_the_log_and_what_it_said_stays_while_it_fails() {
    let cloud = source("cloud");
    let ca = ca_with(std::slice::from_ref(&cloud)).await;
    said(&ca, &cloud, &[target("c1", 101), target("c2", 102)]).await;
    assert!(knows(&ca, "c1") && knows(&ca, "db1"));
    let event = ca.store.events().pop().unwrap();
    let fact = |name: &str| event.facts.get(name).cloned().unwrap_or_default();
    assert_eq!((fact("source"), fact("targets"), fact("added")), ("cloud".to_owned(), "2".to_owned(), "c1,c2".to_owned()));

    for trouble in [Trouble::TimedOut(Duration::from_secs(30)), Trouble::TimedOut(Duration::from_secs(30)), Trouble::Bad("x".to_owned())] {
        take(ca.authority(), &cloud, Err(trouble)).await.unwrap();
        assert!(knows(&ca, "c1"), "the last good answer is kept");
        assert!(ca.authority().sources.is_failing());
    }
    let kind = |kind: &str| (Event::InventoryFailed, Some(kind.to_owned()));
    assert_eq!(events(&ca)[1..], [kind("timed_out"), kind("bad")], "once for each change of state");
    said(&ca, &cloud, &[target("c1", 101), target("c2", 102)]).await;
    assert_eq!((events(&ca).len(), failure(&ca, &cloud).await), (4, None), "that it answers again is news");
    assert!(!ca.authority().sources.is_failing());
    said(&ca, &cloud, &[target("c1", 103)]).await;
    assert!(knows(&ca, "c1") && !knows(&ca, "c2"));
    let facts = ca.store.events().pop().unwrap().facts;
    assert_eq!((facts.get("changed").map(String::as_str), facts.get("removed").map(String::as_str)), (Some("c1"), Some("c2")));
}

#[tokio::test]
async fn row_38_no_source_lists_a_host_that_is_listed_elsewhere() {
    let (cloud, fleet) = (source("cloud"), source("fleet"));
    let ca = ca_with(&[cloud.clone(), fleet.clone()]).await;
    said(&ca, &cloud, &[target("c1", 101)]).await;
    let own = dayfly_core::policy::sample::inventory().get("db1").unwrap().clone();
    for double in [
        Target { name: "db1".parse().unwrap(), ..target("f1", 104) },
        Target { address: format!("::ffff:{}", own.address), ..target("f1", 104) },
        Target { host_keys: own.host_keys.clone(), ..target("f1", 104) },
        Target { name: "db".parse().unwrap(), ..target("f1", 104) },
        target("c1", 104),
        Target { name: "f1".parse().unwrap(), ..target("c1", 101) },
    ] {
        let before = ca.authority().rules.load_full();
        said(&ca, &fleet, std::slice::from_ref(&double)).await;
        assert_eq!(failure(&ca, &fleet).await.as_deref(), Some("double"), "{double:?}");
        assert!(Arc::ptr_eq(&before, &ca.authority().rules.load_full()), "nothing changes");
    }
    // Whoever came first stays, also where the other stands first in the file.
    said(&ca, &fleet, &[target("f1", 104)]).await;
    assert!(knows(&ca, "f1"));
    said(&ca, &cloud, &[target("c1", 101), target("f1", 105)]).await;
    assert_eq!(failure(&ca, &cloud).await.as_deref(), Some("double"));
    assert!(knows(&ca, "c1") && knows(&ca, "f1"));
}

#[tokio::test]
async fn row_38_a_source_says_nothing_that_others_stand_on() {
    let cloud = source("cloud");
    let ca = ca_with(std::slice::from_ref(&cloud)).await;
    let named = |name: &str| Target { name: name.parse().unwrap(), ..target("c1", 101) };
    let overreaching = [
        Target { mode: Mode::Passthrough, ..target("c1", 101) },
        Target { groups: ["db".parse().unwrap()].into(), ..target("c1", 101) },
        Target {
            literal_principals: [(Principal::try_from("dba".to_owned()).unwrap(), ["root".parse().unwrap()].into())].into(),
            ..target("c1", 101)
        },
        // People would be told to trust its key under a bastion's or another host's name.
        named("gate"),
        named("www.example.org"),
        // Certificates for the group would be certificates for it.
        named("cloud"),
        Target { address: "127.1".to_owned(), ..target("c1", 101) },
        // The bastion's own services, and the credentials that clouds serve.
        Target { address: "127.0.0.1".to_owned(), ..target("c1", 101) },
        Target { address: "::ffff:169.254.169.254".to_owned(), ..target("c1", 101) },
        Target { address: "::1".to_owned(), ..target("c1", 101) },
        Target { host_keys: Vec::new(), ..target("c1", 101) },
    ];
    for one in overreaching {
        said(&ca, &cloud, &[target("c2", 102), one.clone()]).await;
        assert_eq!(failure(&ca, &cloud).await.as_deref(), Some("bad"), "{one:?}");
        assert!(!knows(&ca, "c2") && !knows(&ca, one.name.as_str()), "an answer is used as a whole or not at all");
    }
    let permits = Permits { name_prefix: "aws-".to_owned(), passthrough: true, ..cloud.permits.clone() };
    let allowed = SourceSettings { permits, ..cloud.clone() };
    configured(&ca, std::slice::from_ref(&allowed)).await.unwrap();
    said(&ca, &allowed, &[target("c1", 101)]).await;
    assert_eq!(failure(&ca, &allowed).await.as_deref(), Some("bad"), "another prefix");
    let commented = format!("{} x\u{1b}]52", target("c1", 101).host_keys[0]);
    let passthrough = Target { mode: Mode::Passthrough, host_keys: vec![commented], ..target("aws-c1", 101) };
    said(&ca, &allowed, &[passthrough]).await;
    assert!(knows(&ca, "aws-c1"));
    let line = ca.authority().rules.load().inventory.get("aws-c1").unwrap().host_keys[0].clone();
    assert_eq!(line.split(' ').count(), 2, "row 25: no comment comes along: {line}");
    let local = SourceSettings { permits: Permits { local_addresses: true, ..cloud.permits.clone() }, ..cloud.clone() };
    configured(&ca, std::slice::from_ref(&local)).await.unwrap();
    said(&ca, &local, &[Target { address: "127.0.0.1".to_owned(), ..target("c1", 101) }]).await;
    assert!(knows(&ca, "c1"));
    // What is forbidden from now on is out of force at once.
    configured(&ca, std::slice::from_ref(&cloud)).await.unwrap();
    assert!(!knows(&ca, "aws-c1") && !knows(&ca, "c1"));
}

#[tokio::test]
async fn a_ca_that_is_started_again_knows_what_was_said_last_at_the_same_place() {
    let cloud = source("cloud");
    let ca = ca_with(std::slice::from_ref(&cloud)).await;
    said(&ca, &cloud, &[target("c1", 101)]).await;
    let again = async |settings: SourceSettings| begin(ca.store.as_ref(), written(&ca), vec![settings]).await.unwrap().0;
    assert!(again(cloud.clone()).await.inventory.get("c1").is_some());
    let elsewhere = SourceSettings { place: Place::Directory("/elsewhere".into()), ..cloud.clone() };
    assert!(again(elsewhere).await.inventory.get("c1").is_none());
    let composed = in_force(ca.store.as_ref(), &written(&ca), std::slice::from_ref(&cloud)).await.unwrap();
    assert_eq!(composed.origins.get("c1").map(|name| name.as_str()), Some("cloud"));
}

#[tokio::test]
async fn rules_that_list_what_a_source_lists_are_refused_and_sources_go_with_the_configuration() {
    let cloud = source("cloud");
    let ca = ca_with(std::slice::from_ref(&cloud)).await;
    said(&ca, &cloud, &[target("c1", 101), target("c2", 102)]).await;
    let mut doubling = written(&ca);
    doubling.inventory = doubling.inventory.beside([Target { groups: Default::default(), ..target("c1", 110) }]).unwrap();
    let refused = replace(ca.authority(), doubling, vec![cloud.clone()]).await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("source cloud lists it as well"), "{refused}");
    assert!(knows(&ca, "c2"), "everything stays as it was");
    configured(&ca, &[]).await.unwrap();
    assert!(!knows(&ca, "c1"));
    said(&ca, &cloud, &[target("c1", 101)]).await;
    assert!(!knows(&ca, "c1"), "it was asked for by a configuration that is not in force any more");
}

#[tokio::test]
async fn what_cannot_be_logged_is_not_in_force() {
    let cloud = source("cloud");
    let ca = ca_with(std::slice::from_ref(&cloud)).await;
    ca.store.fail(|event| event == Event::InventoryRefreshed);
    assert!(take(ca.authority(), &cloud, Ok(vec![target("c1", 101)])).await.is_err());
    assert!(!knows(&ca, "c1"));
}

/// Says what it is told, in order, and then the last of it again.
struct Told(StdMutex<BTreeMap<SourceName, VecDeque<Said>>>, StdMutex<Vec<SourceSettings>>);

type Said = Result<Vec<Target>, Trouble>;

impl Told {
    fn new(answers: &[(&SourceSettings, Vec<Said>)]) -> Arc<Self> {
        let answers = answers.iter().map(|(source, answers)| (source.name.clone(), answers.iter().cloned().collect()));
        Arc::new(Self(StdMutex::new(answers.collect()), StdMutex::default()))
    }

    fn read_so_far(&self) -> usize {
        self.1.lock().unwrap().len()
    }

    fn reads_of(&self, source: &SourceSettings) -> usize {
        self.1.lock().unwrap().iter().filter(|read| *read == source).count()
    }
}

impl Reader for Told {
    fn read<'a>(&'a self, source: &'a SourceSettings) -> Reading<'a> {
        Box::pin(async move {
            self.1.lock().unwrap().push(source.clone());
            let answer = self
                .0
                .lock()
                .unwrap()
                .get_mut(&source.name)
                .and_then(|answers| if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() });
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

/// Until it is so. A test that waits in vain is ended by whoever runs the tests.
async fn until(so: impl Fn() -> bool) {
    while !so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn each_source_is_read_in_its_own_time_at_a_reload_at_once_and_never_for_a_request() {
    let stuck = source("stuck");
    let cloud = SourceSettings { refresh: Duration::from_millis(1), ..source("cloud") };
    let ca = ca_with(&[stuck.clone(), cloud.clone()]).await;
    let reader = Told::new(&[(&cloud, vec![Ok(vec![target("c1", 101)]), Ok(vec![target("c2", 102)]), Err(Trouble::Bad("x".to_owned()))])]);
    let service = Arc::clone(&ca.service);
    let as_reader: Arc<dyn Reader> = reader.clone();
    let reading = tokio::spawn(async move { keep_reading(service.authority(), as_reader).await });
    until(|| events(&ca).len() == 3).await;
    assert!(knows(&ca, "c2") && !knows(&ca, "c1"), "again and again, though another one says nothing: {:?}", events(&ca));
    until(|| reader.read_so_far() > 10).await;
    assert_eq!(events(&ca).len(), 3, "it fails as before");

    let slow = SourceSettings { refresh: Duration::from_secs(24 * 60 * 60), ..source("cloud") };
    configured(&ca, std::slice::from_ref(&slow)).await.unwrap();
    until(|| reader.reads_of(&slow) == 1).await;
    configured(&ca, std::slice::from_ref(&slow)).await.unwrap();
    until(|| reader.reads_of(&slow) == 2).await;
    crate::bastion_inventory::inventory(ca.authority(), &ca.store.bastions().await.unwrap()[0]).await.unwrap();
    assert_eq!(reader.reads_of(&slow), 2, "a request reads nothing");
    reading.abort();
}

#[tokio::test]
async fn thousands_of_targets_stand_beside_the_documents() {
    const MANY: u16 = 2000;
    let cloud = source("cloud");
    let ca = ca_with(std::slice::from_ref(&cloud)).await;
    let many = (0..MANY).map(|n| {
        let [high, low] = n.to_be_bytes();
        let bytes: [u8; 32] = std::array::from_fn(|index| [7, high, low, 7][index % 4]);
        let key = ssh_key::public::KeyData::Ed25519(ssh_key::public::Ed25519PublicKey(bytes));
        let line = PublicKey::from(key).to_openssh().unwrap();
        Target { address: format!("10.0.{high}.{low}"), host_keys: vec![line], ..target(&format!("c{n}"), 101) }
    });
    said(&ca, &cloud, &many.collect::<Vec<_>>()).await;
    assert_eq!(failure(&ca, &cloud).await, None);
    let book = ca.authority().rules.load_full();
    let own = dayfly_core::policy::sample::inventory().iter().count();
    assert_eq!(book.inventory.iter().count(), own + usize::from(MANY));
    assert_eq!(book.inventory.within(&"cloud".parse().unwrap()).count(), usize::from(MANY));
    assert!(ca.store.events().pop().unwrap().facts["added"].contains("(cut, "), "the log's row has its bound");
}
