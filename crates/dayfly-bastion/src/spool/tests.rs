#![allow(clippy::unwrap_used)]
use super::*;
use crate::authority::double::AuthorityDouble;
use dayfly_core::audit::{Outcome, Reporter};
use std::{fs, io::Write, path::Path, sync::atomic::Ordering};
use time::OffsetDateTime;

fn event(kind: Event, detail: &str) -> AuditEvent {
    AuditEvent::new(OffsetDateTime::UNIX_EPOCH, kind, Outcome::Done, Reporter::Ca).detail(detail)
}

fn ended(detail: &str) -> AuditEvent {
    event(Event::SessionEnded, detail)
}

fn numbers(spool: &Spool) -> Vec<(u64, String)> {
    spool.shared.lock().pending.iter().map(|numbered| (numbered.number, numbered.event.detail.clone().unwrap())).collect()
}

fn spool(path: &Path) -> Spool {
    Spool::start(SpoolFile::open(path).unwrap()).unwrap()
}

#[tokio::test]
async fn row_13_what_was_stored_survives_with_its_number_and_a_cut_last_line_counts_for_nothing() {
    let state = tempfile::tempdir().unwrap();
    let path = SpoolFile::path_in(state.path());
    let first = Spool::start(SpoolFile::create(&path, 41).unwrap()).unwrap();
    first.note(ended("a"));
    first.note(ended("b"));
    first.flush().await;
    first.command(Command::Acknowledged(42));
    first.flush().await;
    drop(first);
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"number\":44,\"ev").unwrap();
    let second = spool(&path);
    second.note(ended("c"));
    second.flush().await;
    assert_eq!(numbers(&second), [(43, "b".to_owned()), (44, "c".to_owned())]);
    drop(second);
    assert_eq!(numbers(&spool(&path)), [(43, "b".to_owned()), (44, "c".to_owned())]);
}

#[test]
fn a_spool_that_is_damaged_in_its_middle_is_not_silently_shortened() {
    let state = tempfile::tempdir().unwrap();
    let path = SpoolFile::path_in(state.path());
    fs::write(&path, "{\"acknowledged\":1}\nx\n{\"acknowledged\":2}\n").unwrap();
    assert!(matches!(SpoolFile::open(&path), Err(SpoolError::Damaged { line: 2, .. })));
}

#[tokio::test]
async fn events_wait_while_the_ca_is_away_and_arrive_in_order_once() {
    let state = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::start(SpoolFile::create(&SpoolFile::path_in(state.path()), 0).unwrap()).unwrap());
    let ca = Arc::new(AuthorityDouble::new(Vec::new()));
    ca.away.store(true, Ordering::SeqCst);
    for n in 0..500 {
        spool.note(ended(&n.to_string()));
    }
    spool.flush().await;
    assert_eq!(spool.pending(), 500);
    ca.away.store(false, Ordering::SeqCst);
    let sending = tokio::spawn(send(spool.clone(), ca.clone()));
    while spool.pending() > 0 {
        tokio::task::yield_now().await;
    }
    sending.abort();
    let reported: Vec<u64> = ca.reported.lock().unwrap().iter().map(|event| event.number).collect();
    assert_eq!(reported, (1..=500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_ca_that_was_restored_gets_what_waits_under_the_numbers_it_expects() {
    let state = tempfile::tempdir().unwrap();
    let path = SpoolFile::path_in(state.path());
    let spool = Spool::start(SpoolFile::create(&path, 99).unwrap()).unwrap();
    spool.note(ended("a"));
    spool.note(ended("b"));
    spool.flush().await;
    spool.command(Command::Renumber(10));
    spool.flush().await;
    assert_eq!(numbers(&spool), [(11, "a".to_owned()), (12, "b".to_owned())]);
    drop(spool);
    assert_eq!(numbers(&super::tests::spool(&path)), [(11, "a".to_owned()), (12, "b".to_owned())]);
}

#[tokio::test]
async fn a_file_that_holds_nothing_any_more_is_emptied_and_the_numbers_go_on() {
    let state = tempfile::tempdir().unwrap();
    let path = SpoolFile::path_in(state.path());
    let spool = Spool::start(SpoolFile::create(&path, 0).unwrap()).unwrap();
    for _ in 0..200 {
        spool.note(ended(&"x".repeat(4000)));
    }
    spool.flush().await;
    assert!(fs::metadata(&path).unwrap().len() > 500_000);
    spool.command(Command::Acknowledged(200));
    spool.flush().await;
    assert!(fs::metadata(&path).unwrap().len() < 100);
    spool.note(ended("next"));
    spool.flush().await;
    assert_eq!(numbers(&spool), [(201, "next".to_owned())]);
}

#[tokio::test]
async fn row_10_refusals_cannot_crowd_out_the_ends_of_sessions() {
    let state = tempfile::tempdir().unwrap();
    let spool = Spool::start(SpoolFile::create(&SpoolFile::path_in(state.path()), 0).unwrap()).unwrap();
    for _ in 0..=MOST_WITH_REFUSALS {
        spool.note(event(Event::LoginRefused, "x"));
    }
    spool.flush().await;
    let full = spool.pending();
    spool.note(event(Event::LoginRefused, "x"));
    spool.note(ended("x"));
    spool.flush().await;
    assert_eq!(spool.pending(), full + 1);
    assert!(spool.check_open().is_ok());
}

#[tokio::test]
async fn row_13_a_spool_that_cannot_be_written_lets_no_session_start() {
    let state = tempfile::tempdir().unwrap();
    let path = SpoolFile::path_in(state.path());
    let mut file = SpoolFile::create(&path, 0).unwrap();
    file.lose_write_access();
    let spool = Spool::start(file).unwrap();
    assert!(spool.check_open().is_ok());
    spool.note(ended("a"));
    spool.flush().await;
    assert!(spool.check_open().is_err());
    // It is tried again with whatever comes next, and then everything is there.
    spool.note(ended("b"));
    spool.flush().await;
    assert!(spool.check_open().is_ok());
    assert_eq!(numbers(&super::tests::spool(&path)), [(1, "a".to_owned()), (2, "b".to_owned())]);
}
