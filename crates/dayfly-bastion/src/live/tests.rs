#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn target(name: &str) -> TargetName {
    name.parse().unwrap()
}

fn facts(person: &str, name: &str) -> LiveFacts {
    LiveFacts {
        id: Uuid::now_v7(),
        person: person.parse().unwrap(),
        role: "db-admin".parse().unwrap(),
        account: None,
        target: target(name),
        mode: Mode::Passthrough,
        peer: "192.0.2.1:1".parse().unwrap(),
        since: OffsetDateTime::UNIX_EPOCH,
        review: None,
    }
}

fn counts() -> Counts {
    Counts::new(Default::default(), Default::default())
}

fn limits() -> Limits {
    Limits { max_sessions: 4, max_sessions_per_person: 2, max_sessions_per_target: 3, ..Limits::default() }
}

#[test]
fn row_39_one_person_cannot_take_every_session_and_is_told_which_limit_it_was() {
    let live = Arc::new(Live::default());
    let first = live.take_place("alice", &target("db1"), &limits()).unwrap();
    let _second = live.take_place("alice", &target("web1"), &limits()).unwrap();
    let refusal = live.take_place("alice", &target("db1"), &limits()).unwrap_err();
    assert!(refusal.reason == Reason::LimitReached && refusal.message.starts_with("alice has 2 sessions"), "{refusal:?}");
    let _bob = live.take_place("bob", &target("db1"), &limits()).unwrap();
    let _carol = live.take_place("carol", &target("web1"), &limits()).unwrap();
    assert!(live.take_place("mallory", &target("db1"), &limits()).unwrap_err().message.starts_with("the bastion carries 4"));
    drop(first);
    assert!(live.take_place("alice", &target("db1"), &limits()).is_ok());
}

#[test]
fn row_39_one_target_cannot_be_overrun() {
    let live = Arc::new(Live::default());
    let _three: Vec<_> = ["alice", "bob", "carol"].iter().map(|who| live.take_place(who, &target("db1"), &limits()).unwrap()).collect();
    assert!(live.take_place("mallory", &target("db1"), &limits()).unwrap_err().message.starts_with("db1 has 3"));
    assert!(live.take_place("mallory", &target("web1"), &limits()).is_ok());
}

#[tokio::test]
async fn a_session_is_seen_from_its_permission_to_its_end_and_ends_when_told() {
    let live = Arc::new(Live::default());
    let place = live.take_place("alice", &target("db1"), &limits()).unwrap();
    assert!(live.sessions().is_empty());
    let seat = place.begin(facts("alice", "db1"), counts());
    let found = live.find(seat.facts.id).unwrap();
    let order = |message: &str, uid| Order { message: message.to_owned(), by: OrderedBy::Operator(uid) };
    assert!(found.end(order("lunch", 7)) && !found.end(order("again", 8)));
    assert_eq!((seat.ending().await, seat.ended_by()), (order("lunch", 7), Some(OrderedBy::Operator(7))));
    let mut watching = found.watch();
    seat.show(&Bytes::from_static(b"out"));
    assert_eq!(watching.recv().await.unwrap(), "out");
    drop((seat, found));
    assert!(live.sessions().is_empty());
    assert!(watching.recv().await.is_err(), "whoever watches learns of the end");
}

proptest! {
    #[test]
    fn row_39_no_limit_is_ever_passed_and_nothing_is_left_behind(steps in prop::collection::vec((0..3_u8, 0..3_u8, any::<bool>()), 0..60)) {
        let live = Arc::new(Live::default());
        let mut held = Vec::new();
        for (person, name, leaves) in steps {
            let (person, name) = (format!("p{person}"), target(&format!("t{name}")));
            if leaves && !held.is_empty() {
                held.remove(0);
            } else if let Ok(place) = live.take_place(&person, &name, &limits()) {
                held.push((person, name, place));
            }
            prop_assert!(held.len() <= 4);
            for (person, name, _) in &held {
                prop_assert!(held.iter().filter(|(other, _, _)| other == person).count() <= 2);
                prop_assert!(held.iter().filter(|(_, other, _)| other == name).count() <= 3);
            }
        }
        held.clear();
        let state = live.lock();
        prop_assert!(state.places == 0 && state.by_person.is_empty() && state.by_target.is_empty());
    }
}
