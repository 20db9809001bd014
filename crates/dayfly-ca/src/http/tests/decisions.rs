//! Decisions that are only asked about.

use super::{Call, post};
use crate::installation::{ALICE, BOB, Installation};
use axum::http::StatusCode;
use dayfly_api::{decision::Decision, path};
use dayfly_core::signed_request::Purpose;

async fn ask(ca: &Installation, seed: u8, body: serde_json::Value) -> Decision {
    let body = serde_json::to_vec(&body).unwrap();
    let answer = ca.call(post(path::DECISIONS, &body, Purpose::Person, seed)).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.json::<Decision>()
}

#[tokio::test]
async fn why_tells_what_a_request_would_be_answered_and_issues_nothing() {
    let ca = Installation::new();
    let yes = ask(&ca, ALICE, serde_json::json!({"role": "db-admin", "targets": {"named": ["db1"]}})).await;
    assert_eq!((yes.decision.as_str(), yes.ruling.policies.as_slice()), ("granted", &["dba-may-use-db-admin".to_owned()][..]));
    assert!(yes.targets[0].permitted && yes.targets[0].policies[0].outcome == "applies");
    let no = ask(&ca, BOB, serde_json::json!({"role": "db-admin", "targets": {"named": ["db1"]}, "ttl": "1m"})).await;
    assert_eq!((no.decision.as_str(), no.code.as_deref()), ("refused", Some("policy_denied")));
    assert!(no.detail.unwrap().ends_with("at db1 for 1m") && no.targets[0].policies.is_empty());
    let gone = ask(&ca, ALICE, serde_json::json!({"role": "gone", "targets": "all"})).await;
    assert_eq!((gone.code.as_deref(), gone.targets.len()), (Some("unknown_role"), 0));
    assert_eq!((ca.store.certificates(), ca.store.events().len()), (0, 0));
}

#[tokio::test]
async fn row_19_asking_about_everything_names_no_target_that_no_policy_is_about() {
    let ca = Installation::new();
    let no = ask(&ca, BOB, serde_json::json!({"role": "db-admin", "targets": "all"})).await;
    assert!(no.targets.is_empty() && no.left_out == 0, "{no:?}");
    let yes = ask(&ca, ALICE, serde_json::json!({"role": "db-admin", "targets": "all"})).await;
    assert_eq!(yes.targets.len(), 2);
    assert!(yes.targets.iter().flat_map(|target| &target.policies).all(|policy| policy.file.is_none() && policy.line.is_none()));
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_refused() {
    let ca = Installation::new();
    for body in [&b""[..], b"{}", br#"{"role": "db-admin", "targets": "all", "as": "carol"}"#] {
        let answer = ca.call(Call { method: "POST", path: path::DECISIONS, body, purpose: Purpose::Person, seed: ALICE }).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
}
