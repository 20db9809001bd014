#![allow(clippy::unwrap_used)]

use super::*;
use crate::{installation::Installation, store::Store};
use dayfly_core::clock::Clock;

/// The code that an app would show now, `steps` later.
fn code(enrolment: &TotpEnrolment, ca: &Installation, steps: u64) -> FactorCode {
    let secret = Secret::try_from_base32(&enrolment.secret).unwrap();
    let at = ca.clock.unix_seconds() + steps * STEP_SECONDS;
    FactorCode { code: totp(secret.as_ref(), None, String::new()).unwrap().generate(at).to_string() }
}

async fn give(ca: &Installation, code: &FactorCode) -> Result<FactorProven, Reason> {
    match prove(ca.authority(), &ca.person_call("alice").await, code).await {
        Ok(proven) => Ok(proven),
        Err(Failure::Refused(refusal)) => Err(refusal.reason),
        Err(failure) => panic!("{failure}"),
    }
}

fn wrong_of(code: &FactorCode) -> FactorCode {
    let last = if code.code.ends_with('0') { '1' } else { '0' };
    FactorCode { code: format!("{}{last}", &code.code[..5]) }
}

#[tokio::test]
async fn a_code_works_once_for_the_key_that_signed_and_for_no_other() {
    let ca = Installation::new();
    let alice = ca.person_call("alice").await;
    assert_eq!(give(&ca, &FactorCode { code: "000000".to_owned() }).await, Err(Reason::SecondFactorRequired));
    let enrolment = enroll(ca.authority(), &alice).await.unwrap();
    assert!(enrolment.uri.starts_with("otpauth://totp/ca.example:alice?") && enrolment.uri.contains(&enrolment.secret));
    assert!(list(ca.authority(), &alice).await.unwrap().factors.is_empty(), "not before its first code");
    let first = code(&enrolment, &ca, 0);
    give(&ca, &first).await.unwrap();
    assert_eq!(give(&ca, &first).await, Err(Reason::WrongCode), "used before");
    // An older one that nobody used is worth nothing after a newer one.
    ca.clock.advance(60);
    let (older, newer) = (code(&enrolment, &ca, 0), code(&enrolment, &ca, 1));
    give(&ca, &newer).await.unwrap();
    assert_eq!(give(&ca, &older).await, Err(Reason::WrongCode));
    let subject = alice.subject();
    let proofs = ca.authority().store.factors(subject, alice.identity.evidence.proof.fingerprint()).await.unwrap();
    assert_eq!(proofs, [(FactorMethod::Totp, ca.clock.unix_seconds())].into());
    assert!(ca.authority().store.factors(subject, "SHA256:another").await.unwrap().is_empty());
}

#[tokio::test]
async fn row_22_wrong_codes_are_answered_later_and_later_and_a_right_one_ends_that() {
    let ca = Installation::new();
    let enrolment = enroll(ca.authority(), &ca.person_call("alice").await).await.unwrap();
    give(&ca, &code(&enrolment, &ca, 0)).await.unwrap();
    ca.clock.advance(90);
    for _ in 0..4 {
        assert_eq!(give(&ca, &wrong_of(&code(&enrolment, &ca, 0))).await, Err(Reason::WrongCode));
    }
    // Even the right one is not looked at now.
    assert_eq!(give(&ca, &code(&enrolment, &ca, 0)).await, Err(Reason::LimitReached));
    ca.clock.advance(59);
    assert_eq!(give(&ca, &code(&enrolment, &ca, 0)).await, Err(Reason::LimitReached));
    ca.clock.advance(1);
    assert_eq!(give(&ca, &wrong_of(&code(&enrolment, &ca, 0))).await, Err(Reason::WrongCode));
    ca.clock.advance(119);
    assert_eq!(give(&ca, &code(&enrolment, &ca, 0)).await, Err(Reason::LimitReached));
    ca.clock.advance(1);
    give(&ca, &code(&enrolment, &ca, 0)).await.unwrap();
    ca.clock.advance(60);
    assert_eq!(give(&ca, &wrong_of(&code(&enrolment, &ca, 0))).await, Err(Reason::WrongCode));
    give(&ca, &code(&enrolment, &ca, 0)).await.unwrap();
}

#[tokio::test]
async fn a_clock_may_be_off_by_half_a_minute_and_no_more() {
    let ca = Installation::new();
    let enrolment = enroll(ca.authority(), &ca.person_call("alice").await).await.unwrap();
    assert_eq!(give(&ca, &code(&enrolment, &ca, 2)).await, Err(Reason::WrongCode));
    give(&ca, &code(&enrolment, &ca, 1)).await.unwrap();
    ca.clock.advance(300);
    let old = code(&enrolment, &ca, 0);
    ca.clock.advance(60);
    assert_eq!(give(&ca, &old).await, Err(Reason::WrongCode));
}

#[tokio::test]
async fn an_authenticator_is_replaced_by_an_administrator_alone_and_everything_is_in_the_log() {
    let ca = Installation::new();
    let alice = ca.person_call("alice").await;
    let first = enroll(ca.authority(), &alice).await.unwrap();
    let second = enroll(ca.authority(), &alice).await.unwrap();
    assert_ne!(first.secret, second.secret, "one whose code was never given is replaced");
    give(&ca, &code(&second, &ca, 0)).await.unwrap();
    assert!(
        matches!(enroll(ca.authority(), &alice).await, Err(Failure::Refused(refusal)) if refusal.remedy.contains("reset-factors alice"))
    );
    let event = ca.authority().event(Event::FactorsReset, Outcome::Done);
    ca.store.commit(Change::RemoveFactors(alice.subject().clone()), event).await.unwrap();
    enroll(ca.authority(), &alice).await.unwrap();
    let logged: Vec<String> = ca.store.events().iter().map(|event| event.event.to_string()).collect();
    assert_eq!(logged, ["factor.added", "factor.added", "factor.proven", "factor.added", "factor.reset", "factor.added"]);
    let text = serde_json::to_string(&ca.store.events()).unwrap();
    assert!(!text.contains(&first.secret) && !text.contains(&second.secret));
}

#[tokio::test]
async fn a_code_that_cannot_be_logged_proves_nothing() {
    let ca = Installation::new();
    let alice = ca.person_call("alice").await;
    let enrolment = enroll(ca.authority(), &alice).await.unwrap();
    ca.store.fail(|event| event == Event::FactorProven);
    assert!(prove(ca.authority(), &alice, &code(&enrolment, &ca, 0)).await.is_err());
    assert!(list(ca.authority(), &alice).await.unwrap().factors.is_empty());
}

#[tokio::test]
async fn row_19_a_machine_has_no_second_factor() {
    let ca = Installation::new();
    let mut machine = ca.person_call("alice").await;
    machine.identity.subject = "machine:ci".parse().unwrap();
    let refused = |answer: Result<(), Failure>| matches!(answer, Err(Failure::Refused(refusal)) if refusal.reason == Reason::NotAllowed);
    assert!(refused(enroll(ca.authority(), &machine).await.map(drop)));
    assert!(refused(prove(ca.authority(), &machine, &FactorCode { code: "000000".to_owned() }).await.map(drop)));
}
