//! What a device's signature is good for.

use super::{Answer, Call};
use crate::{
    device::known,
    installation::{ALICE, BOB, FRESH, Installation, ORIGIN, request_signature},
    store::{Change, Store},
};
use axum::http::{HeaderValue, StatusCode};
use dayfly_api::{device::DeviceState, path};
use dayfly_core::{
    audit::{Event, Outcome},
    signed_request::{DEVICE_SIGNATURE_HEADER, Purpose, SignedRequest},
};

const LAPTOP: u8 = 70;
const ENROLL: Call<'_> = Call {
    method: "POST",
    path: path::DEVICES,
    body: br#"{"id":"laptop","posture":{"os":"linux"}}"#,
    purpose: Purpose::Person,
    seed: ALICE,
};
const REPORT: Call<'_> = Call { path: path::DEVICE_REPORT, body: br#"{"firewall":true}"#, ..ENROLL };

/// What the device signs of a call, with what it signs changed.
fn device_signature(call: Call<'_>, seed: u8, challenge: &str, change: impl FnOnce(SignedRequest<'_>) -> SignedRequest<'_>) -> String {
    let Call { method, path, body, .. } = call;
    request_signature(seed, change(SignedRequest { server: ORIGIN, purpose: Purpose::Device, challenge, method, path, body }))
}

async fn send(ca: &Installation, call: Call<'_>, device: impl FnOnce(&str) -> String) -> Answer {
    let challenge = ca.challenge().await;
    let mut request = call.with(&challenge, &call.sign(&challenge));
    request.headers_mut().insert(DEVICE_SIGNATURE_HEADER, HeaderValue::from_str(&device(&challenge)).unwrap());
    ca.send(request).await
}

async fn on_laptop(ca: &Installation, call: Call<'_>) -> Answer {
    send(ca, call, |challenge| device_signature(call, LAPTOP, challenge, |request| request)).await
}

#[tokio::test]
async fn row_21_a_device_signs_this_very_request_as_a_device() {
    let ca = Installation::new();
    type Change = fn(SignedRequest<'_>) -> SignedRequest<'_>;
    let changes: [Change; 5] = [
        |request| SignedRequest { purpose: Purpose::Person, ..request },
        |request| SignedRequest { challenge: "another", ..request },
        |request| SignedRequest { path: path::DEVICE_REPORT, ..request },
        |request| SignedRequest { body: b"{}", ..request },
        |request| SignedRequest { server: "https://other.example", ..request },
    ];
    for change in changes {
        let answer = send(&ca, ENROLL, |challenge| device_signature(ENROLL, LAPTOP, challenge, change)).await;
        // Another key than the device's fits what it did not sign as little as none does.
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "bad_signature".to_owned()));
    }
    let one_key = send(&ca, ENROLL, |challenge| device_signature(ENROLL, ALICE, challenge, |request| request)).await;
    assert_eq!(one_key.code(), "bad_signature", "one key is not two");
    for garbage in ["", "AAAA", "%"] {
        assert_eq!(send(&ca, ENROLL, |_| garbage.to_owned()).await.code(), "bad_signature", "{garbage:?}");
    }
    assert!(ca.store.devices().await.unwrap().is_empty());
    assert_eq!(on_laptop(&ca, ENROLL).await.status, StatusCode::OK);
    assert_eq!(on_laptop(&ca, REPORT).await.status, StatusCode::OK);
    let laptop = ca.store.devices().await.unwrap().pop().unwrap();
    assert_eq!((laptop.posture.firewall, known(&laptop).state), (Some(true), DeviceState::Waiting));
}

#[tokio::test]
async fn row_21_a_device_alone_is_nobody() {
    let ca = Installation::new();
    on_laptop(&ca, ENROLL).await;
    let as_person = Call { seed: LAPTOP, ..REPORT };
    assert_eq!(on_laptop(&ca, as_person).await.code(), "unknown_caller");
    assert_eq!(ca.call(Call { purpose: Purpose::Device, seed: ALICE, ..REPORT }).await.code(), "bad_signature");
    assert_eq!(on_laptop(&ca, Call { seed: BOB, ..REPORT }).await.code(), "unknown_device", "bob on alice's device");
}

#[tokio::test]
async fn row_20_a_device_whose_key_was_revoked_signs_nothing_more() {
    let ca = Installation::new();
    on_laptop(&ca, ENROLL).await;
    let laptop = ca.store.devices().await.unwrap().pop().unwrap();
    let revocation = crate::store::Revocation {
        revoked: dayfly_core::certificate::Revoked::Key(laptop.key_fingerprint),
        at: 1,
        by: "root".to_owned(),
        reason: None,
        ends_at: None,
    };
    ca.store.commit(Change::Revoke(revocation), ca.authority().event(Event::Revoked, Outcome::Done)).await.unwrap();
    assert_eq!(on_laptop(&ca, REPORT).await.code(), "revoked");
    // The person goes on without it.
    assert_eq!(ca.call(Call { method: "GET", path: path::WHOAMI, body: b"", ..ENROLL }).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_a_report_is_refused_and_nothing_is_noted() {
    let ca = Installation::new();
    on_laptop(&ca, ENROLL).await;
    for body in [br#"{"firewall":"yes"}"#.as_slice(), br#"{"os":"temple"}"#, br#"{"os_version":"1.2.3.4"}"#, br#"{"antivirus":true}"#] {
        assert_eq!(on_laptop(&ca, Call { body, ..REPORT }).await.code(), "bad_request");
    }
    assert_eq!(on_laptop(&ca, Call { body: br#"{"id":"../x","posture":{}}"#, seed: FRESH, ..ENROLL }).await.code(), "unknown_caller");
    assert_eq!(on_laptop(&ca, Call { body: br#"{"id":"../x","posture":{}}"#, ..ENROLL }).await.code(), "bad_request");
    assert_eq!(ca.store.devices().await.unwrap().len(), 1);
}
