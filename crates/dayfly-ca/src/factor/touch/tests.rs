#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    factor::{held, list},
    installation::{ALICE, CHALLENGE, Installation, ORIGIN, line},
    store::Store,
};
use dayfly_api::factor::FactorRemoval;
use dayfly_core::{
    clock::Clock,
    signature::sign_sshsig,
    signed_request::{Certifies, POSSESSION_NAMESPACE, possession_message},
    signer::{
        SeedSigner, Signer,
        fido::{FidoSigner, TOUCHED, VERIFIED},
    },
};
use ssh_key::LineEnding;

/// What a touch is for; each part can be spoilt.
#[derive(Clone, Copy)]
struct Bond<'a> {
    origin: &'a str,
    to: TouchedTo,
    caller: &'a str,
    challenge: &'a str,
    namespace: &'a str,
}

const PROVE: Bond<'_> = Bond { origin: ORIGIN, to: TouchedTo::Prove, caller: "alice", challenge: CHALLENGE, namespace: TOUCH_NAMESPACE };
const ADD: Bond<'_> = Bond { to: TouchedTo::Add, ..PROVE };

fn signed(key: &dyn Signer, namespace: &str, message: &[u8]) -> Touch {
    let public_key = PublicKey::from(key.public_key().clone()).to_openssh().unwrap();
    Touch { public_key, signature: sign_sshsig(key, namespace, message).unwrap().to_pem(LineEnding::LF).unwrap() }
}

fn touch(key: &dyn Signer, bond: Bond<'_>) -> Touch {
    let requester = signature::fingerprint(SeedSigner::new(ALICE).public_key());
    signed(key, bond.namespace, &touch_message(bond.origin, bond.to, bond.caller, &requester, bond.challenge))
}

async fn enrol(ca: &Installation, who: &str, key: &dyn Signer) -> Result<FactorAdded, Reason> {
    let name = Some("yubi".parse().unwrap());
    reason(
        enroll(ca.authority(), &ca.person_call(who).await, &TouchEnrolment { name, touch: touch(key, Bond { caller: who, ..ADD }) }).await,
    )
}

async fn give(ca: &Installation, touch: &Touch) -> Result<FactorProven, Reason> {
    reason(prove(ca.authority(), &ca.person_call("alice").await, touch).await)
}

fn reason<T>(answer: Result<T, Failure>) -> Result<T, Reason> {
    answer.map_err(|failure| match failure {
        Failure::Refused(refusal) => refusal.reason,
        failure => panic!("{failure}"),
    })
}

#[tokio::test]
async fn a_touch_proves_a_second_factor_for_the_key_that_asked() {
    for key in [FidoSigner::ed25519(1, TOUCHED | VERIFIED), FidoSigner::p256(TOUCHED)] {
        let ca = Installation::new();
        assert_eq!(give(&ca, &touch(&key, PROVE)).await, Err(Reason::FactorUnknown));
        enrol(&ca, "alice", &key).await.unwrap();
        let alice = ca.person_call("alice").await;
        let held = list(ca.authority(), &alice).await.unwrap().factors;
        let fingerprint = signature::fingerprint(key.public_key());
        assert_eq!((held[0].method.as_str(), held[0].key.as_ref(), held[0].proven_at), ("touch", Some(&fingerprint), None));
        let proven = give(&ca, &touch(&key, PROVE)).await.unwrap();
        assert_eq!((proven.method.as_str(), proven.proven_at), ("touch", ca.clock.unix_seconds()));
        let own = alice.identity.evidence.proof.fingerprint();
        assert_eq!(ca.store.factors(alice.subject(), own).await.unwrap(), [(FactorMethod::Touch, ca.clock.unix_seconds())].into());
        assert!(ca.store.factors(alice.subject(), "SHA256:another").await.unwrap().is_empty());
        let events = ca.store.events();
        let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
        assert_eq!(names, ["factor.proven", "factor.added", "factor.proven"]);
        assert_eq!((events[2].facts["name"].as_str(), events[2].facts["touched"].as_str()), ("yubi", fingerprint.as_str()));
    }
}

#[tokio::test]
async fn row_21_a_touch_is_for_one_server_person_key_purpose_and_challenge() {
    let (ca, key) = (Installation::new(), FidoSigner::ed25519(1, TOUCHED));
    enrol(&ca, "alice", &key).await.unwrap();
    let for_another_key = signed(&key, TOUCH_NAMESPACE, &touch_message(ORIGIN, TouchedTo::Prove, "alice", "SHA256:another", CHALLENGE));
    let possession = signed(&key, POSSESSION_NAMESPACE, &possession_message(ORIGIN, Certifies::User, "alice", CHALLENGE));
    let good = touch(&key, PROVE);
    let unfit = [
        touch(&key, Bond { origin: "https://other.example", ..PROVE }),
        touch(&key, Bond { caller: "bob", ..PROVE }),
        touch(&key, Bond { challenge: "another", ..PROVE }),
        touch(&key, Bond { namespace: "request@dayfly", ..PROVE }),
        touch(&key, ADD),
        for_another_key,
        possession,
        Touch { public_key: line(ALICE), ..good.clone() },
        Touch { signature: String::new(), ..good.clone() },
        Touch { signature: "x".repeat(LONGEST_TEXT + 1), ..good.clone() },
    ];
    for touch in unfit {
        assert_eq!(give(&ca, &touch).await, Err(Reason::BadAnswer), "{touch:?}");
        assert_eq!(ca.last_event(), ("factor.proven".to_owned(), Some("bad_answer".to_owned())));
    }
    give(&ca, &good).await.unwrap();
}

#[tokio::test]
async fn row_35_what_nobody_touched_and_what_is_no_security_key_proves_nothing() {
    let ca = Installation::new();
    assert_eq!(enrol(&ca, "alice", &SeedSigner::new(1)).await.err(), Some(Reason::HardwareKeyRequired));
    for flags in [0, VERIFIED] {
        assert_eq!(enrol(&ca, "alice", &FidoSigner::ed25519(1, flags)).await.err(), Some(Reason::NotTouched));
    }
    enrol(&ca, "alice", &FidoSigner::ed25519(1, TOUCHED)).await.unwrap();
    assert_eq!(give(&ca, &touch(&FidoSigner::ed25519(1, 0), PROVE)).await, Err(Reason::NotTouched));
    assert_eq!(give(&ca, &touch(&FidoSigner::ed25519(2, TOUCHED), PROVE)).await, Err(Reason::FactorUnknown), "another one");
}

#[tokio::test]
async fn row_35_a_key_alone_adds_no_security_key_and_one_is_one_persons() {
    let (ca, key) = (Installation::new(), FidoSigner::ed25519(1, TOUCHED));
    enrol(&ca, "alice", &key).await.unwrap();
    assert_eq!(enrol(&ca, "alice", &FidoSigner::ed25519(2, TOUCHED)).await.err(), Some(Reason::SecondFactorRequired));
    give(&ca, &touch(&key, PROVE)).await.unwrap();
    assert_eq!(enrol(&ca, "alice", &key).await.err(), Some(Reason::KeyInUse), "it has that name already");
    let requester = signature::fingerprint(SeedSigner::new(crate::installation::BOB).public_key());
    let of_bob = signed(&key, TOUCH_NAMESPACE, &touch_message(ORIGIN, TouchedTo::Add, "bob", &requester, CHALLENGE));
    let asked = TouchEnrolment { name: None, touch: of_bob };
    assert_eq!(reason(enroll(ca.authority(), &ca.person_call("bob").await, &asked).await).err(), Some(Reason::KeyInUse));
    let removal = FactorRemoval { name: "yubi".parse().unwrap() };
    held::remove(ca.authority(), &ca.person_call("alice").await, &removal).await.unwrap();
    assert_eq!(give(&ca, &touch(&key, PROVE)).await, Err(Reason::FactorUnknown));
}

#[tokio::test]
async fn row_19_a_machine_touches_nothing() {
    let (ca, key) = (Installation::new(), FidoSigner::ed25519(1, TOUCHED));
    let mut machine = ca.person_call("alice").await;
    machine.identity.subject = "machine:ci".parse().unwrap();
    assert_eq!(reason(prove(ca.authority(), &machine, &touch(&key, PROVE)).await).err(), Some(Reason::NotAllowed));
    let asked = TouchEnrolment { name: None, touch: touch(&key, ADD) };
    assert_eq!(reason(enroll(ca.authority(), &machine, &asked).await).err(), Some(Reason::NotAllowed));
}
