//! Reading the log.

use super::get;
use crate::{
    installation::{ALICE, BOB, CAROL, Installation, LOG},
    store::Change,
};
use axum::http::StatusCode;
use dayfly_api::{
    log::{HEAD_NAMESPACE, LogPage, SignedHead},
    path,
};
use dayfly_core::{
    audit::{Event, Outcome},
    log_link::{Chain, head_message},
    signature::verify_sshsig,
    signed_request::{Purpose, hex},
    signer::{SeedSigner, Signer},
};
use ssh_key::SshSig;

#[tokio::test]
async fn a_reviewer_reads_rows_that_follow_from_each_other_to_a_signed_head() {
    let ca = Installation::new();
    ca.alices_certificate("db-admin", "db1").await;
    let page: LogPage = ca.call(get("/v1/log?after=0&limit=100", Purpose::Person, CAROL)).await.json();
    let head: SignedHead = ca.call(get(path::LOG_HEAD, Purpose::Person, CAROL)).await.json();
    let rest: LogPage = ca.call(get(&format!("/v1/log?after={}", page.rows.len()), Purpose::Person, CAROL)).await.json();

    let mut chain = Chain::default();
    for row in page.rows.iter().chain(&rest.rows).take(usize::try_from(head.seq).unwrap()) {
        let mut hash = [0; 32];
        (0..32).for_each(|index| hash[index] = u8::from_str_radix(&row.hash[index * 2..index * 2 + 2], 16).unwrap());
        chain.follow(row.seq, row.event.as_bytes(), &hash).unwrap();
    }
    assert_eq!((chain.seq(), hex(chain.hash())), (head.seq, head.hash.clone()));
    let sshsig = SshSig::from_pem(&head.signature).unwrap();
    let signer = verify_sshsig(&sshsig, HEAD_NAMESPACE, &head_message(head.seq, chain.hash(), &head.time)).unwrap();
    assert_eq!(signer, SeedSigner::new(LOG).public_key());
}

#[tokio::test]
async fn row_26_each_reading_is_an_event_and_so_is_each_refusal() {
    let ca = Installation::new();
    for (seed, name, status) in
        [(CAROL, "carol", StatusCode::OK), (ALICE, "alice", StatusCode::FORBIDDEN), (BOB, "bob", StatusCode::FORBIDDEN)]
    {
        for path in [path::LOG, path::LOG_HEAD] {
            assert_eq!(ca.call(get(path, Purpose::Person, seed)).await.status, status, "{name} {path}");
            let event = ca.store.events().pop().unwrap();
            assert_eq!((event.event, event.subject.unwrap().to_string()), (Event::LogRead, name.to_owned()));
            assert_eq!(event.reason.is_some(), status != StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_reading_that_cannot_be_logged_shows_nothing() {
    let ca = Installation::new();
    ca.store.fail(|event| event == Event::LogRead);
    for path in [path::LOG, path::LOG_HEAD] {
        let answer = ca.call(get(path, Purpose::Person, CAROL)).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable".to_owned()));
    }
}

#[tokio::test]
async fn a_page_is_bounded_and_its_query_is_checked() {
    let ca = Installation::new();
    for _ in 0..600 {
        let event = ca.authority().event(Event::CaStarted, Outcome::Done);
        ca.authority().store.commit(Change::None, event).await.unwrap();
    }
    let page: LogPage = ca.call(get("/v1/log?limit=100000", Purpose::Person, CAROL)).await.json();
    assert_eq!(page.rows.len(), 500);
    let page: LogPage = ca.call(get("/v1/log?after=590&limit=5", Purpose::Person, CAROL)).await.json();
    assert_eq!(page.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [591, 592, 593, 594, 595]);
    for bad in ["/v1/log?after=-1", "/v1/log?after=x", "/v1/log?limit=99999999999", "/v1/log?from=1"] {
        assert_eq!(ca.call(get(bad, Purpose::Person, CAROL)).await.code(), "bad_request", "{bad}");
    }
}
