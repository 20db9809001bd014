#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    examples::{contents, cut_off, finished},
    layout::MAX_LINE_BYTES,
};
use std::os::unix::fs::symlink;
use tempfile::tempdir;

#[test]
fn row_13_a_recording_cut_anywhere_is_read_up_to_the_cut() {
    let root = tempdir().unwrap();
    let dir = finished(root.path()).dir;
    let files = contents(&dir);
    for (name, bytes) in &files {
        for keep in 0..bytes.len() {
            fs::write(dir.join(name), &bytes[..keep]).unwrap();
            let recording = Recording::open(&dir).unwrap();
            let whole_lines = bytes[..keep].iter().filter(|byte| **byte == b'\n').count();
            let rest = keep - bytes[..keep].iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
            let expected = (rest > 0).then_some((whole_lines as u64 + 1, rest as u64));
            match name.parse() {
                Ok(FileName::Events) => {
                    let mut events = recording.events().unwrap();
                    assert_eq!(events.by_ref().map(Result::unwrap).count(), whole_lines, "{name} cut at {keep}");
                    assert_eq!(events.cut().map(|cut| (cut.line, cut.bytes)), expected, "{name} cut at {keep}");
                }
                Ok(FileName::Terminal(number)) => {
                    let mut terminal = recording.terminal(number).unwrap();
                    assert_eq!(terminal.header().is_some(), whole_lines > 0);
                    assert_eq!(terminal.by_ref().map(Result::unwrap).count(), whole_lines.saturating_sub(1), "{name} cut at {keep}");
                    assert_eq!(terminal.cut().map(|cut| (cut.line, cut.bytes)), expected, "{name} cut at {keep}");
                }
                Err(_) if name == MANIFEST => assert_eq!(recording.manifest().is_ok(), keep + 1 == bytes.len(), "cut at {keep}"),
                Err(_) => assert!(recording.manifest().is_ok()),
            }
        }
        fs::write(dir.join(name), bytes).unwrap();
    }
}

#[test]
fn a_line_that_was_changed_does_not_hide_those_after_it() {
    let root = tempdir().unwrap();
    let dir = cut_off(root.path());
    let path = dir.join("events.ndjson");
    fs::write(&path, fs::read_to_string(&path).unwrap().replacen("\"event\":\"shell\"", "\"event\":\"cell\"", 1)).unwrap();
    let lines: Vec<_> = Recording::open(&dir).unwrap().events().unwrap().collect();
    assert!(matches!(lines[2], Err(ReadError::Malformed { file: FileName::Events, line: 3, .. })));
    assert_eq!((lines.len(), lines.iter().filter(|line| line.is_ok()).count()), (9, 8));
}

#[test]
fn a_line_without_an_end_does_not_fill_the_memory() {
    let root = tempdir().unwrap();
    let dir = cut_off(root.path());
    fs::write(dir.join("events.ndjson"), vec![b' '; MAX_LINE_BYTES + 1]).unwrap();
    let mut events = Recording::open(&dir).unwrap().events().unwrap();
    assert!(matches!(events.next(), Some(Err(ReadError::LineTooLong { line: 1, .. }))));
    assert!(events.next().is_none());
    fs::write(dir.join(MANIFEST), vec![b' '; MAX_MANIFEST_BYTES as usize + 1]).unwrap();
    assert!(matches!(Recording::open(&dir).unwrap().manifest(), Err(ReadError::Io { .. })));
}

#[test]
fn only_a_recording_is_opened() {
    let root = tempdir().unwrap();
    assert!(matches!(Recording::open(root.path()), Err(ReadError::NotARecording { .. })));
    assert!(matches!(Recording::open(root.path().join("none")), Err(ReadError::NotARecording { .. })));
}

#[test]
fn row_26_a_link_in_a_recording_is_not_followed() {
    let root = tempdir().unwrap();
    let dir = cut_off(root.path());
    let secret = root.path().join("secret");
    fs::write(&secret, "{}\n").unwrap();
    symlink(&secret, dir.join("terminal-7.cast")).unwrap();
    symlink(&secret, dir.join(MANIFEST)).unwrap();
    let recording = Recording::open(&dir).unwrap();
    assert!(matches!(recording.terminal(7), Err(ReadError::Io { .. })));
    assert!(matches!(recording.manifest(), Err(ReadError::Io { .. })));
}

#[test]
fn terminals_are_listed_in_their_order() {
    let root = tempdir().unwrap();
    let dir = cut_off(root.path());
    for name in ["terminal-10.cast", "terminal-2.cast", "terminal-x.cast", "terminal-02.cast"] {
        fs::write(dir.join(name), "").unwrap();
    }
    assert_eq!(Recording::open(&dir).unwrap().terminals().unwrap(), [0, 1, 2, 10]);
}
