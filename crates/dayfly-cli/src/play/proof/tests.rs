#![allow(clippy::unwrap_used)]
use super::*;
use dayfly_api::log::LogRow;
use dayfly_core::{
    signature::sign_sshsig,
    signer::{SeedSigner, Signer as _},
};
use dayfly_recording::{FinishedRecording, Mode, Outcome, RecordingWriter, SessionFacts};
use ssh_key::LineEnding;
use std::{fs, time::Duration};
use time::macros::datetime;

const SESSION: &str = "0199b2c4-7a00-7000-8000-000000000001";

fn recording(root: &Path, key: u8) -> FinishedRecording {
    let facts = serde_json::json!({
        "session_id": SESSION, "connection_id": SESSION, "subject": "alice", "role": "db-admin", "grant": SESSION, "certificate_serial": 5,
        "key_fingerprint": "SHA256:x", "account": "root", "target": "db1", "bastion": "gate", "mode": "record", "peer": "192.0.2.7:50022"
    });
    let facts: SessionFacts = serde_json::from_value(facts).unwrap();
    assert_eq!(facts.mode, Mode::Record);
    let writer = RecordingWriter::create(root, facts, datetime!(2025-10-05 11:33:20 UTC)).unwrap();
    let sign = |manifest: &[u8]| {
        let sshsig = sign_sshsig(&SeedSigner::new(key), SIGNATURE_NAMESPACE, manifest).map_err(|error| error.to_string())?;
        sshsig.to_pem(LineEnding::LF).map_err(|error| error.to_string())
    };
    writer.finish(Duration::from_secs(1), datetime!(2025-10-05 11:33:21 UTC), Outcome::Completed, "left", sign).unwrap()
}

fn expecting(bastion: &str, key: u8, manifest: Option<&str>) -> Expectations {
    let mut expectations = Expectations::default();
    let key = fingerprint(SeedSigner::new(key).public_key());
    let added = serde_json::json!({"event": "bastion.added", "reporter": "administrator", "facts": {"bastion": bastion, "key": key}});
    let ended = serde_json::json!({"event": "session.ended", "reporter": {"bastion": "gate"}, "session": SESSION,
        "facts": {"manifest_sha256": manifest}});
    for (event, seq) in [added, ended].into_iter().zip(1..) {
        expectations.take(&Row::new(&LogRow { seq, event: event.to_string(), hash: String::new() }));
    }
    expectations
}

#[test]
fn a_recording_is_believed_if_its_bastion_sealed_it() {
    let root = tempfile::tempdir().unwrap();
    let recording = recording(root.path(), 1);
    let digest = recording.manifest_sha256.to_string();
    let log = |expectations: Expectations| expectations.prove(&recording.dir).unwrap().log;
    assert_eq!(log(expecting("gate", 1, Some(&digest))), LogWord::Agrees);
    assert_eq!(log(expecting("gate", 1, None)), LogWord::Silent, "its end may not have reached the log yet");
    assert_eq!(log(Expectations::of_key(SeedSigner::new(1).public_key())), LogWord::NotAsked);
}

#[test]
fn row_27_a_recording_sealed_by_another_or_replaced_is_not_believed() {
    let root = tempfile::tempdir().unwrap();
    let recording = recording(root.path(), 1);
    let refused = |expectations: Expectations| expectations.prove(&recording.dir).unwrap_err();
    assert!(matches!(refused(expecting("gate", 2, None)), ProofError::Recording(VerifyError::Signature { .. })));
    assert!(matches!(refused(expecting("other", 1, None)), ProofError::OtherBastion { .. }));
    assert!(matches!(refused(expecting("gate", 1, Some("00"))), ProofError::OtherManifest { .. }));
    assert!(matches!(refused(Expectations::default()), ProofError::Recording(_)));

    let events = recording.dir.join("events.ndjson");
    fs::write(&events, fs::read_to_string(&events).unwrap().replace("alice", "carol")).unwrap();
    assert!(matches!(refused(expecting("gate", 1, None)), ProofError::Recording(VerifyError::Digest { .. })));
}

#[test]
fn a_bastion_cannot_enrol_a_key_by_reporting_it() {
    let root = tempfile::tempdir().unwrap();
    let recording = recording(root.path(), 1);
    let mut expectations = Expectations::default();
    let key = fingerprint(SeedSigner::new(1).public_key());
    let event = serde_json::json!({"event": "bastion.added", "reporter": {"bastion": "gate"}, "facts": {"bastion": "gate", "key": key}});
    expectations.take(&Row::new(&LogRow { seq: 1, event: event.to_string(), hash: String::new() }));
    assert!(expectations.prove(&recording.dir).is_err());
}
