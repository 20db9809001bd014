#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    Sha256Digest, VerifyError,
    examples::{ENDED_AT, STARTED_AT, check, contents, cut_off, facts, finish, finished, ms, play, sign, writer},
    verify,
};
use std::fs::OpenOptions;
use tempfile::tempdir;

#[test]
fn row_13_what_a_killed_process_left_is_sealed_as_it_is() {
    let root = tempdir().unwrap();
    let dir = cut_off(root.path());
    let before = contents(&dir);
    let found = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
    assert!(found.in_use.is_empty() && found.failed.is_empty());
    let [closed] = found.closed.as_slice() else { unreachable!("one recording, {} sealed", found.closed.len()) };
    let manifest = &closed.manifest;
    assert_eq!((&closed.dir, manifest.outcome, &manifest.session), (&dir, Outcome::Interrupted, &facts()));
    assert_eq!((manifest.started_at, manifest.ended_at, manifest.sealed_at), (STARTED_AT, STARTED_AT + ms(60), ENDED_AT));
    assert_eq!((manifest.bytes_in, manifest.bytes_out, manifest.streams.len()), (None, None, 1));
    for file in &manifest.files {
        assert_eq!(file.sha256, Sha256Digest::of(&before[&file.name.to_string()]));
    }
    let verified = verify(&dir, check).unwrap();
    assert_eq!((&verified.manifest, verified.manifest_sha256, verified.events), (manifest, closed.manifest_sha256, 9));
    let again = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
    assert!(again.closed.is_empty(), "once is enough");
}

#[test]
fn the_last_thing_that_was_recorded_ends_the_session() {
    let root = tempdir().unwrap();
    let mut writer = writer(root.path());
    let terminal = writer.open_terminal(ms(1000), 0, "xterm", 80, 24).unwrap();
    writer.terminal_output(terminal, ms(2500), b"$ ").unwrap();
    drop(writer);
    let found = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
    assert_eq!(found.closed[0].manifest.ended_at, STARTED_AT + ms(2500));
}

#[test]
fn row_13_a_recording_is_sealed_wherever_it_was_cut() {
    let root = tempdir().unwrap();
    let dir = cut_off(root.path());
    let files = contents(&dir);
    let first_line = files["events.ndjson"].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for (name, bytes) in &files {
        let whole_start = if name == "events.ndjson" { first_line } else { 0 };
        for keep in (whole_start..=bytes.len()).step_by(17) {
            fs::write(dir.join(name), &bytes[..keep]).unwrap();
            let found = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
            assert_eq!((found.closed.len(), found.failed.len()), (1, 0), "{name} cut at {keep}");
            verify(&dir, check).unwrap_or_else(|error| unreachable!("{name} cut at {keep}: {error}"));
            fs::remove_file(dir.join(MANIFEST)).unwrap();
        }
        fs::write(dir.join(name), bytes).unwrap();
    }
}

#[test]
fn what_was_sealed_stays_as_it_is() {
    let root = tempdir().unwrap();
    let dir = finished(root.path()).dir;
    let before = contents(&dir);
    let found = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
    assert!(found.closed.is_empty() && found.in_use.is_empty() && found.failed.is_empty());
    assert_eq!(contents(&dir), before);
}

#[test]
fn a_running_session_is_left_alone() {
    let root = tempdir().unwrap();
    let mut running = writer(root.path());
    play(&mut running).unwrap();
    let found = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
    assert_eq!((found.in_use.as_slice(), found.closed.len()), ([running.dir().to_owned()].as_slice(), 0));
    let finished = finish(running).unwrap();
    assert_eq!(verify(&finished.dir, check).unwrap().manifest.outcome, Outcome::Completed);
}

#[test]
fn a_death_while_sealing_is_an_interruption() {
    let root = tempdir().unwrap();
    let dir = finished(root.path()).dir;
    fs::rename(dir.join(MANIFEST), dir.join(".manifest.json.new")).unwrap();
    assert!(matches!(verify(&dir, check), Err(VerifyError::NotFinished { .. })));
    let found = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
    assert_eq!(found.closed.len(), 1);
    assert_eq!(verify(&dir, check).unwrap().manifest.outcome, Outcome::Interrupted);
}

#[test]
fn what_was_only_prepared_is_removed_unless_it_still_is_being_prepared() {
    let root = tempdir().unwrap();
    let (empty, dead, live) = (root.path().join(".starting-1"), root.path().join(".starting-2"), root.path().join(".starting-3"));
    for dir in [&empty, &dead, &live] {
        fs::create_dir(dir).unwrap();
    }
    fs::write(dead.join("events.ndjson"), "{\"seq\":0").unwrap();
    let lock = OpenOptions::new().write(true).create_new(true).open(live.join("events.ndjson")).unwrap();
    lock.try_lock().unwrap();
    let found = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
    assert!(found.closed.is_empty() && found.failed.is_empty());
    assert_eq!((empty.exists(), dead.exists(), live.exists()), (false, false, true));
}

#[test]
fn one_that_cannot_be_sealed_does_not_keep_the_others_from_it() {
    let root = tempdir().unwrap();
    let good = cut_off(root.path());
    let twin = good.with_file_name("0199b2c4-7a00-7000-8000-000000000009");
    let empty = good.with_file_name("0199b2c4-7a00-7000-8000-00000000000a");
    let headless = good.with_file_name("0199b2c4-7a00-7000-8000-00000000000b");
    for dir in [&twin, &empty, &headless] {
        fs::create_dir(dir).unwrap();
    }
    fs::copy(good.join("events.ndjson"), twin.join("events.ndjson")).unwrap();
    fs::write(headless.join("events.ndjson"), "{\"seq\":0").unwrap();
    let found = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
    assert_eq!(found.closed.iter().map(|closed| &closed.dir).collect::<Vec<_>>(), [&good]);
    assert_eq!(found.failed.iter().map(|(dir, _)| dir).collect::<Vec<_>>(), [&twin, &empty, &headless]);
}

#[test]
fn a_signer_that_fails_leaves_everything_for_the_next_start() {
    let root = tempdir().unwrap();
    let dir = cut_off(root.path());
    let found = close_interrupted(root.path(), ENDED_AT, |_| Err("the key is gone")).unwrap();
    assert!(matches!(found.failed.as_slice(), [(_, RecordingError::Signing { .. })]));
    assert!(!dir.join(MANIFEST).exists());
    assert_eq!(close_interrupted(root.path(), ENDED_AT, sign).unwrap().closed.len(), 1);
}

#[test]
fn a_root_that_is_not_there_holds_nothing() {
    let root = tempdir().unwrap();
    let found = close_interrupted(&root.path().join("none"), ENDED_AT, sign).unwrap();
    assert!(found.closed.is_empty() && found.in_use.is_empty() && found.failed.is_empty());
}
