//! What bastions may report, and in which order.

#![allow(clippy::unwrap_used)]

use super::append;
use crate::{failure::Failure, installation::Installation};
use dayfly_api::bastion::{EventBatch, NumberedEvent};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome, Reporter},
    policy::sample,
    reason::Reason,
};

fn ended(number: u64) -> NumberedEvent {
    numbered(number, Event::SessionEnded)
}

fn numbered(number: u64, event: Event) -> NumberedEvent {
    NumberedEvent { number, event: AuditEvent::new(sample::context().now, event, Outcome::Done, Reporter::Ca).fact("number", number) }
}

async fn send(ca: &Installation, events: Vec<NumberedEvent>) -> Result<u64, Failure> {
    let bastion = ca.bastion_call("gate").await.bastion;
    append(ca.authority(), &bastion, EventBatch { events }).await.map(|receipt| receipt.last)
}

fn is_bad(answer: Result<u64, Failure>) -> bool {
    matches!(answer, Err(Failure::Refused(refusal)) if refusal.reason == Reason::BadRequest)
}

#[tokio::test]
async fn events_are_appended_in_order_once_under_the_bastions_name() {
    let ca = Installation::new();
    assert_eq!(send(&ca, vec![]).await.unwrap(), 0);
    assert_eq!(send(&ca, vec![ended(1), ended(2)]).await.unwrap(), 2);
    assert_eq!(send(&ca, vec![ended(1), ended(2), ended(3)]).await.unwrap(), 3);
    let events = ca.store.events();
    assert_eq!(events.iter().map(|event| event.facts["number"].as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert!(events.iter().all(|event| matches!(&event.reporter, Reporter::Bastion(name) if name.as_str() == "gate")));
}

#[tokio::test]
async fn a_gap_is_refused_and_nothing_of_its_batch_is_kept() {
    let ca = Installation::new();
    assert!(is_bad(send(&ca, vec![ended(2)]).await));
    assert!(is_bad(send(&ca, vec![ended(1), ended(3)]).await));
    assert!(is_bad(send(&ca, vec![ended(2), ended(1)]).await));
    assert!(is_bad(send(&ca, vec![ended(u64::MAX), ended(0)]).await));
    assert!(ca.store.events().is_empty());
}

#[tokio::test]
async fn a_bastion_cannot_report_what_the_ca_decides() {
    let ca = Installation::new();
    for event in [Event::SessionStarted, Event::CertificateIssued, Event::UserAdded, Event::BastionAdded, Event::LogRead, Event::CaStarted]
    {
        assert!(is_bad(send(&ca, vec![ended(1), numbered(2, event)]).await), "{event}");
    }
    assert!(ca.store.events().is_empty());
    let own = [Event::SessionRefused, Event::SessionWatched, Event::LoginRefused];
    let events = own.into_iter().zip(2..).map(|(event, number)| numbered(number, event));
    assert_eq!(send(&ca, std::iter::once(ended(1)).chain(events).collect()).await.unwrap(), 4);
}

#[tokio::test]
async fn an_event_that_no_row_can_hold_is_the_bastions_mistake() {
    let ca = Installation::new();
    let mut large = ended(1);
    large.event.facts.insert("command".to_owned(), "x".repeat(70_000));
    assert!(is_bad(send(&ca, vec![large]).await));
}
