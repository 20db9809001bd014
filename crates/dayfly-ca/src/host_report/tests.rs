//! What hosts may say that they hold, and what is made of it.

#![allow(clippy::unwrap_used)]

use super::note;
use crate::{installation::Installation, store::Store, trust::revocation_list};
use dayfly_api::host::{HeldKrl, HostReport};
use dayfly_core::{audit::Event, clock::Clock, reason::Reason};

fn report(number: u64, digest: &str) -> HostReport {
    let trusted = [format!("SHA256:{}", "a".repeat(43))].into();
    HostReport { krl: Some(HeldKrl { number, digest: digest.to_owned() }), trusted }
}

#[tokio::test]
async fn a_host_is_current_while_it_holds_the_list_that_is_served() {
    let ca = Installation::new();
    let call = ca.host_call("db1").await;
    let served = revocation_list(ca.authority()).await.unwrap();
    let receipt = note(ca.authority(), &call, report(served.number, &served.digest)).await.unwrap();
    assert!(receipt.krl_is_current && receipt.krl_number == served.number);
    let seen_first = ca.clock.unix_seconds();
    ca.clock.advance(600);
    // The number alone is no proof.
    assert!(!note(ca.authority(), &call, report(served.number, &"0".repeat(64))).await.unwrap().krl_is_current);
    let told = ca.host_call("db1").await.host.report.unwrap();
    assert_eq!((told.seen_at, told.current_at), (seen_first + 600, Some(seen_first)));
    assert!(told.trusted.iter().all(|key| key.starts_with("SHA256:")));
}

#[tokio::test]
async fn the_same_report_again_is_no_event() {
    let ca = Installation::new();
    let call = ca.host_call("db1").await;
    let told = report(1, &"a".repeat(64));
    for _ in 0..3 {
        note(ca.authority(), &call, told.clone()).await.unwrap();
        ca.clock.advance(60);
    }
    note(ca.authority(), &call, HostReport { krl: None, ..told }).await.unwrap();
    let events: Vec<_> = ca.store.events().into_iter().filter(|event| event.event == Event::HostReported).collect();
    assert_eq!(events.iter().map(|event| event.facts["krl"].as_str()).collect::<Vec<_>>(), ["1", "none"]);
    assert!(ca.store.hosts().await.unwrap()[0].report.is_some());
}

#[tokio::test]
async fn what_is_no_report_is_refused() {
    let ca = Installation::new();
    let call = ca.host_call("db1").await;
    let good = report(1, &"a".repeat(64));
    let long = (0..1025).map(|n| format!("SHA256:{n:043}")).collect();
    for bad in [
        report(1, "a"),
        report(1, &"A".repeat(64)),
        report(u64::MAX, &"a".repeat(64)),
        HostReport { trusted: ["SHA256:\u{1b}[2J".to_owned()].into(), ..good.clone() },
        HostReport { trusted: long, ..good },
    ] {
        let failure = note(ca.authority(), &call, bad).await.unwrap_err();
        assert!(matches!(failure, crate::failure::Failure::Refused(refusal) if refusal.reason == Reason::BadRequest));
    }
    assert!(ca.store.events().is_empty());
}
