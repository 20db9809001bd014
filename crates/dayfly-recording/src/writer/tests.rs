#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::{
    EventLine, Outcome, Recording, Sha256Digest,
    examples::{STARTED_AT, contents, cut_off, facts, finish, finished, ms, play, sign, writer},
    terminal::TerminalAction,
};
use proptest::prelude::*;
use std::{fs, os::unix::fs::PermissionsExt};
use tempfile::tempdir;

fn events(dir: &Path) -> Vec<EventLine> {
    Recording::open(dir).unwrap().events().unwrap().map(Result::unwrap).collect()
}

fn text(dir: &Path, terminal: u32) -> String {
    let events = Recording::open(dir).unwrap().terminal(terminal).unwrap();
    events
        .map(|event| match event.unwrap().action {
            TerminalAction::Output(text) => text,
            _ => String::new(),
        })
        .collect()
}

#[test]
fn a_session_is_recorded_as_it_went() {
    let root = tempdir().unwrap();
    let finished = finished(root.path());
    let events = events(&finished.dir);
    assert_eq!(events.iter().map(|line| line.seq).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert_eq!(events[0].event, Event::Start { format: 1, started_at: STARTED_AT, session: facts().into() });
    let end = Event::End { outcome: Outcome::Completed, reason: "the person left".into() };
    assert_eq!((events[9].time_ms, &events[9].event), (80, &end));
    let cast = fs::read_to_string(finished.dir.join("terminal-0.cast")).unwrap();
    let lines: Vec<&str> = cast.lines().collect();
    assert_eq!(
        lines[1..],
        [
            r#"[0.010000, "o", "$ "]"#,
            r#"[0.011000, "o", "€"]"#,
            r#"[0.021000, "o", "ls\r\n"]"#,
            r#"[0.021000, "i", "ls\r"]"#,
            r#"[0.030000, "r", "132x43"]"#
        ]
    );
    let manifest = &finished.manifest;
    assert_eq!((manifest.bytes_in, manifest.bytes_out), (Some(3), Some(9 + 5)));
    assert_eq!(
        manifest.files.iter().map(|file| file.name.to_string()).collect::<Vec<_>>(),
        ["events.ndjson", "terminal-0.cast", "terminal-1.cast"]
    );
    let stream = &manifest.streams[0];
    assert_eq!((stream.digest.bytes, stream.digest.recorded, stream.sha256()), (5, 4, Sha256Digest::of(b"hello")));
    assert_eq!(Recording::open(&finished.dir).unwrap().manifest().unwrap().as_ref(), Some(manifest));
    assert_eq!(Sha256Digest::of(&fs::read(finished.dir.join("manifest.json")).unwrap()), finished.manifest_sha256);
}

#[test]
fn nobody_else_may_look() {
    let root = tempdir().unwrap();
    let below = root.path().join("recordings");
    let finished = finished(&below);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for dir in finished.dir.ancestors().take_while(|dir| *dir != root.path()) {
        assert_eq!(mode(dir), 0o700, "{}", dir.display());
    }
    for name in contents(&finished.dir).keys() {
        assert_eq!(mode(&finished.dir.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_recording_exists_before_its_session_begins() {
    let root = tempdir().unwrap();
    let writer = writer(root.path());
    assert_eq!(events(writer.dir()).len(), 1);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing but the year");
}

#[test]
fn a_session_is_recorded_once() {
    let root = tempdir().unwrap();
    let running = writer(root.path());
    let again = || RecordingWriter::create(root.path(), facts(), STARTED_AT);
    assert!(matches!(again(), Err(RecordingError::Exists { .. })));
    finish(running).unwrap();
    assert!(matches!(again(), Err(RecordingError::Exists { .. })));
    let unordered = SessionFacts { session_id: uuid::Uuid::from_u128(7), ..facts() };
    assert!(matches!(RecordingWriter::create(root.path(), unordered, STARTED_AT), Err(RecordingError::NoTimeInId { .. })));
}

#[test]
fn what_is_dropped_unfinished_can_be_read_and_has_no_manifest() {
    let root = tempdir().unwrap();
    let dir = cut_off(root.path());
    assert_eq!(events(&dir).len(), 9);
    assert_eq!(text(&dir, 0), "$ €ls\r\n");
    assert_eq!(Recording::open(&dir).unwrap().manifest().unwrap(), None);
}

#[test]
fn typing_is_recorded_only_if_the_session_asks_for_it() {
    let root = tempdir().unwrap();
    let secret = SessionFacts { record_input: false, ..facts() };
    let mut writer = RecordingWriter::create(root.path(), secret, STARTED_AT).unwrap();
    let terminal = writer.open_terminal(ms(0), 0, "xterm", 80, 24).unwrap();
    writer.terminal_input(terminal, ms(1), b"correct horse").unwrap();
    let finished = finish(writer).unwrap();
    assert_eq!(finished.manifest.bytes_in, Some(13));
    for (name, bytes) in contents(&finished.dir) {
        assert!(!String::from_utf8(bytes).unwrap().contains("horse"), "{name}");
    }
}

#[test]
fn row_39_what_is_typed_unseen_is_counted_and_reaches_no_file_in_clear() {
    let root = tempdir().unwrap();
    let mut writer = writer(root.path());
    let terminal = writer.open_terminal(ms(0), 0, "xterm", 80, 24).unwrap();
    writer.terminal_input(terminal, ms(1), b"hunter2\r").unwrap();
    writer.sync().unwrap();
    assert!(writer.is_waiting());
    assert!(contents(writer.dir()).values().all(|bytes| !String::from_utf8_lossy(bytes).contains("hunter2")), "while it waits");
    writer.terminal_output(terminal, ms(2), b"\r\n$ ").unwrap();
    assert!(writer.is_waiting(), "to be told");
    writer.tick(ms(2)).unwrap();
    writer.seal_unseen_with(Box::new(|bytes| Ok(format!("sealed {}", bytes.len()))));
    writer.terminal_input(terminal, ms(3), b"swordfish\r").unwrap();
    writer.tick(ms(2000)).unwrap();
    assert!(!writer.is_waiting());
    let finished = finish(writer).unwrap();
    let unseen: Vec<Event> =
        events(&finished.dir).into_iter().map(|line| line.event).filter(|event| matches!(event, Event::Unseen { .. })).collect();
    let expected = |bytes, sealed: Option<&str>| Event::Unseen { channel: 0, terminal: 0, bytes, sealed: sealed.map(str::to_owned) };
    assert_eq!(unseen, [expected(8, None), expected(10, Some("sealed 10"))]);
    for (name, bytes) in contents(&finished.dir) {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{name}");
    }
    crate::verify(&finished.dir, crate::examples::check).unwrap();
}

#[test]
fn row_39_a_flood_of_unseen_lines_is_sealed_a_few_times_only() {
    let root = tempdir().unwrap();
    let mut writer = writer(root.path());
    let terminal = writer.open_terminal(ms(0), 0, "xterm", 80, 24).unwrap();
    let sealed = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = sealed.clone();
    writer.seal_unseen_with(Box::new(move |_| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok("sealed".to_owned())
    }));
    for _ in 0..100 {
        writer.terminal_input(terminal, ms(1), &b"a\r".repeat(1000)).unwrap();
    }
    writer.tick(ms(2000)).unwrap();
    let dir = finish(writer).unwrap().dir;
    let bytes: u64 =
        events(&dir).iter().filter_map(|line| if let Event::Unseen { bytes, .. } = line.event { Some(bytes) } else { None }).sum();
    assert_eq!((bytes, sealed.load(std::sync::atomic::Ordering::SeqCst)), (200_000, 4), "each of 64 KiB, and the rest");
}

#[test]
fn row_39_what_cannot_be_sealed_ends_the_recording() {
    let root = tempdir().unwrap();
    let mut writer = writer(root.path());
    let terminal = writer.open_terminal(ms(0), 0, "xterm", 80, 24).unwrap();
    writer.seal_unseen_with(Box::new(|_| Err("no key".to_owned())));
    writer.terminal_input(terminal, ms(1), b"hunter2\r").unwrap();
    assert!(matches!(writer.tick(ms(2000)), Err(RecordingError::Sealing { .. })));
}

#[test]
fn time_never_goes_backwards() {
    let root = tempdir().unwrap();
    let mut writer = writer(root.path());
    let terminal = writer.open_terminal(ms(50), 0, "xterm", 80, 24).unwrap();
    writer.terminal_output(terminal, ms(10), b"a").unwrap();
    writer.write(ms(20), &Event::Shell { channel: 0 }).unwrap();
    let dir = finish(writer).unwrap().dir;
    assert_eq!(events(&dir).iter().map(|line| line.time_ms).collect::<Vec<_>>(), [0, 50, 50, 80]);
    let mut shown = Recording::open(&dir).unwrap().terminal(0).unwrap();
    assert_eq!(shown.next().unwrap().unwrap().time, Duration::ZERO);
}

#[test]
fn a_failure_stays() {
    let root = tempdir().unwrap();
    let mut writer = writer(root.path());
    let long = Event::Subsystem { channel: 0, name: "x".repeat(crate::layout::MAX_LINE_BYTES) };
    assert!(matches!(writer.write(ms(1), &long), Err(RecordingError::LineTooLong { .. })));
    assert!(matches!(writer.write(ms(2), &Event::Shell { channel: 0 }), Err(RecordingError::AlreadyFailed { .. })));
    assert!(matches!(writer.sync(), Err(RecordingError::AlreadyFailed { .. })));
    assert!(matches!(writer.open_terminal(ms(3), 0, "xterm", 80, 24), Err(RecordingError::AlreadyFailed { .. })));
    let Err(RecordingError::SealedAsFailed { finished, cause }) = finish(writer) else { panic!("a failed recording was completed") };
    assert_eq!((finished.manifest.outcome, &finished.manifest.reason), (Outcome::RecordingFailed, &cause));
}

#[test]
fn a_closed_terminal_takes_nothing() {
    let root = tempdir().unwrap();
    let mut writer = writer(root.path());
    let terminal = writer.open_terminal(ms(0), 0, "xterm", 80, 24).unwrap();
    writer.close_terminal(terminal, ms(1)).unwrap();
    assert!(matches!(writer.terminal_output(terminal, ms(2), b"late"), Err(RecordingError::NoTerminal { .. })));
}

#[test]
fn a_manifest_that_cannot_be_signed_is_not_written() {
    let root = tempdir().unwrap();
    let writer = writer(root.path());
    let dir = writer.dir().to_owned();
    let error = writer.finish(ms(1), STARTED_AT, Outcome::Completed, "", |_| Err("the key is gone")).unwrap_err();
    assert!(matches!(error, RecordingError::Signing { cause } if cause == "the key is gone"));
    assert_eq!(contents(&dir).keys().collect::<Vec<_>>(), ["events.ndjson"]);
}

#[test]
fn a_flood_of_output_makes_lines_that_can_be_read() {
    let root = tempdir().unwrap();
    let mut writer = writer(root.path());
    let terminal = writer.open_terminal(ms(0), 0, "xterm", 80, 24).unwrap();
    let flood = vec![0; crate::layout::MAX_LINE_BYTES / 4];
    writer.terminal_output(terminal, ms(1), &flood).unwrap();
    writer.write(ms(2), &Event::chunk(0, Stream::Stdout, 0, vec![0; 1 << 20])).unwrap();
    let size = writer.size();
    let finished = finish(writer).unwrap();
    assert_eq!(text(&finished.dir, 0).len(), flood.len());
    assert!(size > 6 * flood.len() as u64, "{size} bytes for {} of which each takes six", flood.len());
    crate::verify(&finished.dir, crate::examples::check).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_chunks_of_output_do_not_matter(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20)) {
        let root = tempdir().unwrap();
        let mut writer = writer(root.path());
        let terminal = writer.open_terminal(ms(0), 0, "xterm", 80, 24).unwrap();
        for (time, chunk) in chunks.iter().enumerate() {
            writer.terminal_output(terminal, ms(time as u64), chunk).unwrap();
        }
        let finished = finish(writer).unwrap();
        let whole = chunks.concat();
        prop_assert_eq!(text(&finished.dir, 0), String::from_utf8_lossy(&whole));
        prop_assert_eq!(finished.manifest.bytes_out, Some(whole.len() as u64));
    }
}

mod disk;
