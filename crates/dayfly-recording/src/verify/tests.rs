#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::{
    FinishedRecording, Outcome,
    digest::digest_file,
    examples::{check, contents, finished, play, sign, writer},
    layout::FileName,
    manifest::FileEntry,
    reader::ReadError,
};
use std::{fs, os::unix::fs::symlink, path::PathBuf};
use tempfile::{TempDir, tempdir};

/// A recording to spoil.
struct Spoiled {
    _root: TempDir,
    dir: PathBuf,
    manifest: Manifest,
}

impl Spoiled {
    fn new() -> Self {
        let root = tempdir().unwrap();
        let FinishedRecording { dir, manifest, .. } = finished(root.path());
        Self { _root: root, dir, manifest }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn edit(&self, name: &str, edit: impl FnOnce(&str) -> String) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        let edited = edit(&text);
        assert_ne!(edited, text, "the edit does something");
        fs::write(self.path(name), edited).unwrap();
    }

    /// Signs the manifest as it is now: what a faulty bastion would do.
    fn seal(&self) {
        let bytes = serde_json::to_vec(&self.manifest).unwrap();
        fs::write(self.path(SIGNATURE), sign(&bytes).unwrap()).unwrap();
        fs::write(self.path(MANIFEST), bytes).unwrap();
    }

    /// Takes the files as they are now into the manifest, and signs it.
    fn seal_as_is(&mut self) {
        for FileEntry { name, size, sha256 } in &mut self.manifest.files {
            (*size, *sha256) = digest_file(&self.dir.join(name.to_string())).unwrap();
        }
        self.seal();
    }

    fn error(&self) -> VerifyError {
        verify(&self.dir, check).unwrap_err()
    }
}

#[test]
fn what_was_sealed_verifies() {
    let root = tempdir().unwrap();
    let finished = finished(root.path());
    let verified = verify(&finished.dir, check).unwrap();
    assert_eq!(verified, Verified { manifest: finished.manifest, manifest_sha256: finished.manifest_sha256, events: 10 });
    let elsewhere = root.path().join("copy");
    fs::rename(&finished.dir, &elsewhere).unwrap();
    assert!(verify(&elsewhere, check).is_ok(), "under a name that claims nothing");
}

#[test]
fn row_27_no_byte_of_any_file_can_be_changed() {
    let recording = Spoiled::new();
    let files = contents(&recording.dir);
    assert_eq!(files.len(), 5);
    for (name, bytes) in &files {
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= (index % 255 + 1) as u8;
            fs::write(recording.path(name), changed).unwrap();
            let error = verify(&recording.dir, check).expect_err(&format!("byte {index} of {name} was changed")).to_string();
            let accused = if name == MANIFEST { SIGNATURE } else { name };
            assert!(error.contains(accused), "byte {index} of {name}: {error}");
        }
        fs::write(recording.path(name), bytes).unwrap();
    }
    verify(&recording.dir, check).unwrap();
}

#[test]
fn row_27_no_file_can_be_cut_or_extended() {
    let recording = Spoiled::new();
    for (name, bytes) in &contents(&recording.dir) {
        for keep in (0..bytes.len()).step_by(7) {
            fs::write(recording.path(name), &bytes[..keep]).unwrap();
            assert!(verify(&recording.dir, check).is_err(), "{name} was cut at {keep}");
        }
        fs::write(recording.path(name), [bytes, b"\n".as_slice()].concat()).unwrap();
        assert!(verify(&recording.dir, check).is_err(), "{name} was extended");
        fs::write(recording.path(name), bytes).unwrap();
    }
}

#[test]
fn row_27_no_file_can_be_removed_added_or_replaced() {
    for name in contents(&Spoiled::new().dir).keys() {
        let recording = Spoiled::new();
        fs::rename(recording.path(name), recording.dir.with_extension("away")).unwrap();
        let error = recording.error();
        assert!(error.to_string().contains(name), "{name}: {error}");
        symlink(recording.dir.with_extension("away"), recording.path(name)).unwrap();
        assert!(verify(&recording.dir, check).is_err(), "{name} is a link");
    }
    for name in ["terminal-2.cast", "note.txt", ".hidden", "terminal-00.cast"] {
        let recording = Spoiled::new();
        fs::write(recording.path(name), "").unwrap();
        assert!(matches!(recording.error(), VerifyError::Added { file } if file == name));
    }
    let recording = Spoiled::new();
    fs::create_dir(recording.path("\u{1b}]0;x")).unwrap();
    assert!(matches!(recording.error(), VerifyError::Added { file } if file == "\\u{1b}]0;x"), "shown without its escape");
}

#[test]
fn row_27_a_recording_cannot_take_anothers_place() {
    let recording = Spoiled::new();
    let other = recording.dir.with_file_name("0199b2c4-7a00-7000-8000-000000000009");
    fs::rename(&recording.dir, &other).unwrap();
    assert!(matches!(verify(&other, check), Err(VerifyError::OtherSession { .. })));
}

#[test]
fn a_session_that_runs_is_not_finished() {
    let root = tempdir().unwrap();
    let mut writer = writer(root.path());
    play(&mut writer).unwrap();
    assert!(matches!(verify(writer.dir(), check), Err(VerifyError::NotFinished { .. })));
}

#[test]
fn the_signature_is_asked_before_the_manifest_is_read() {
    let recording = Spoiled::new();
    fs::write(recording.path(MANIFEST), "{").unwrap();
    assert!(matches!(recording.error(), VerifyError::Signature { .. }));
    fs::write(recording.path(SIGNATURE), sign(b"{").unwrap()).unwrap();
    assert!(matches!(recording.error(), VerifyError::Manifest { .. }));
    fs::remove_file(recording.path(SIGNATURE)).unwrap();
    assert!(matches!(recording.error(), VerifyError::NotSigned { .. }));
}

#[test]
fn a_manifest_of_another_kind_is_refused() {
    let mut recording = Spoiled::new();
    recording.manifest.format = 2;
    recording.seal();
    assert!(matches!(recording.error(), VerifyError::Format { format: 2 }));
    let mut recording = Spoiled::new();
    recording.manifest.files.push(recording.manifest.files[0].clone());
    recording.seal();
    assert!(matches!(recording.error(), VerifyError::ListedTwice { file: FileName::Events }));
    let mut recording = Spoiled::new();
    recording.manifest.files.remove(0);
    recording.seal();
    assert!(matches!(recording.error(), VerifyError::Missing { file: FileName::Events }));
    let recording = Spoiled::new();
    recording.edit(MANIFEST, |text| text.replace("terminal-0.cast", "../../../../passwd"));
    fs::write(recording.path(SIGNATURE), sign(&fs::read(recording.path(MANIFEST)).unwrap()).unwrap()).unwrap();
    assert!(matches!(recording.error(), VerifyError::Manifest { .. }), "a name that leads elsewhere");
}

#[test]
fn sealed_events_must_be_whole() {
    type Edit = fn(&str) -> String;
    type Expected = fn(&VerifyError) -> bool;
    let cases: [(&str, Edit, Expected); 10] = [
        (
            "an event dropped",
            |text| text.replacen("\"seq\":4", "\"seq\":5", 1),
            |e| matches!(e, VerifyError::Gap { line: 5, expected: 4, found: 5, .. }),
        ),
        (
            "time backwards",
            |text| text.replacen("\"time_ms\":52", "\"time_ms\":50", 1),
            |e| matches!(e, VerifyError::BackInTime { line: 7, .. }),
        ),
        ("another person", |text| text.replacen("alice", "mallory", 1), |e| matches!(e, VerifyError::Start { .. })),
        (
            "no start",
            |text| text.replacen("\"event\":\"start\"", "\"event\":\"shell\",\"channel\":0", 1),
            |e| matches!(e, VerifyError::Start { .. }),
        ),
        ("nothing", |_| String::new(), |e| matches!(e, VerifyError::Start { .. })),
        ("another end", |text| text.replacen("completed", "client_gone", 1), |e| matches!(e, VerifyError::End { .. })),
        ("no end", |text| text.rsplit_once("{\"seq\":9").unwrap().0.to_owned(), |e| matches!(e, VerifyError::End { .. })),
        ("cut", |text| text.trim_end().to_owned(), |e| matches!(e, VerifyError::Cut { line: 10, .. })),
        ("another stream", |text| text.replacen("\"recorded\":4", "\"recorded\":5", 1), |e| matches!(e, VerifyError::Streams { .. })),
        ("another terminal", |text| text.replacen("\"terminal\":1", "\"terminal\":5", 1), |e| matches!(e, VerifyError::Terminal { .. })),
    ];
    for (name, edit, expected) in cases {
        let mut recording = Spoiled::new();
        recording.edit("events.ndjson", edit);
        recording.seal_as_is();
        let error = recording.error();
        assert!(
            expected(&error) && error.to_string().contains(if name == "another terminal" { "terminal-" } else { "events.ndjson" }),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn the_session_starts_and_ends_once() {
    let again = |text: &str, line: usize| {
        let copy = text.lines().nth(line).unwrap().replacen(
            &format!("\"seq\":{line},\"time_ms\":{}", if line == 0 { 0 } else { 80 }),
            "\"seq\":10,\"time_ms\":80",
            1,
        );
        format!("{text}{copy}\n")
    };
    for line in [0, 9] {
        let mut recording = Spoiled::new();
        recording.edit("events.ndjson", |text| again(text, line));
        recording.seal_as_is();
        assert!(matches!(recording.error(), VerifyError::Misplaced { line: 11, .. }));
    }
}

#[test]
fn sealed_terminals_must_be_playable() {
    let mut recording = Spoiled::new();
    recording.edit("terminal-0.cast", |text| text.replacen("[0.011000", "[0.001000", 1));
    recording.seal_as_is();
    assert!(matches!(recording.error(), VerifyError::BackInTime { file: FileName::Terminal(0), line: 3 }));
    let mut recording = Spoiled::new();
    recording.edit("terminal-0.cast", |text| text.trim_end().to_owned());
    recording.seal_as_is();
    assert!(matches!(recording.error(), VerifyError::Cut { file: FileName::Terminal(0), line: 6 }));
    let mut recording = Spoiled::new();
    recording.edit("terminal-1.cast", |_| String::new());
    recording.seal_as_is();
    assert!(matches!(recording.error(), VerifyError::Cut { file: FileName::Terminal(1), line: 1 }));
    let mut recording = Spoiled::new();
    recording.edit("terminal-0.cast", |text| text.replacen("\"o\"", "\"z\"", 1));
    recording.seal_as_is();
    assert!(matches!(recording.error(), VerifyError::Read(ReadError::Malformed { file: FileName::Terminal(0), line: 2, .. })));
}

#[test]
fn a_failed_recording_may_be_cut_but_not_have_gaps() {
    let mut recording = Spoiled::new();
    recording.manifest.outcome = Outcome::RecordingFailed;
    recording.edit("events.ndjson", |text| text[..text.len() - 20].to_owned());
    recording.edit("terminal-0.cast", |text| text[..text.len() - 3].to_owned());
    recording.edit("terminal-1.cast", |text| text[..9].to_owned());
    recording.seal_as_is();
    assert_eq!(verify(&recording.dir, check).unwrap().events, 9);
    recording.edit("events.ndjson", |text| text.replacen("\"seq\":4", "\"seq\":5", 1));
    recording.seal_as_is();
    assert!(matches!(recording.error(), VerifyError::Gap { .. }));
}
