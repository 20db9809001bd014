//! `dayfly inspect` on files that somebody made to be inspected: whatever they hold, nothing is obeyed, nothing panics, and the exit code tells.
#![allow(clippy::unwrap_used)]

use dayfly_cli::{
    inspection::{Findings, Revocations, findings},
    output::{
        Lines, Report,
        neutral::{NeutralJson, is_active},
    },
};
use proptest::prelude::*;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

/// What a terminal, a reader of C strings or a reader's eye trips over.
const NASTY: [&[u8]; 20] = [
    b"\x1b[2J",
    b"\x1b]52;c;ZXZpbA==\x07",
    b"\x9b31m",
    b"\xc2\x9b31m",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r",
    b"\n",
    b"\x08\x08\x08",
    b"\x7f",
    "\u{202e}".as_bytes(),
    "\u{2066}".as_bytes(),
    "\u{200b}\u{feff}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{e0041}".as_bytes(),
    "\u{1d173}".as_bytes(),
    "\u{e0b0}".as_bytes(),
    b"\" \"",
    b"{\"a\": \"\\u001b\"}",
];

/// Every file of the corpus of bad certificates and of the fuzzer's corpora.
static FILES: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let within = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let corpora = within(&root.join("fuzz/corpora")).into_iter().flat_map(|folder| within(&folder));
    within(&root.join("tests/corpus/certificates")).into_iter().chain(corpora).collect()
});

fn dayfly(arguments: &[&str], files: &[&Path]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dayfly"));
    command.env_clear().env("DAYFLY_HOME", home.path().join("home")).env("HOME", home.path());
    command.arg("inspect").args(arguments).args(files).output().unwrap()
}

fn assert_harmless(text: &str) {
    assert_eq!(text.chars().find(|c| *c != '\n' && is_active(*c)), None, "{text:?}");
}

fn assert_shown_harmlessly(report: &impl Report) {
    let (mut lines, mut json) = (Vec::new(), Vec::new());
    report.text(&mut Lines::new(&mut lines)).unwrap();
    assert_harmless(&String::from_utf8(lines).unwrap());
    report.serialize(&mut serde_json::Serializer::with_formatter(&mut json, NeutralJson)).unwrap();
    let json = String::from_utf8(json).unwrap();
    assert_harmless(&json);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), serde_json::to_value(report).unwrap());
}

/// What a file holds, whatever it is called, is shown harmlessly.
fn inspected(bytes: &[u8]) -> bool {
    for name in ["authorized_keys", "known_hosts", "file"] {
        let Findings { found, list, unreadable } = findings(Path::new(name), bytes, None, &Revocations::Unknown(String::new()));
        found.iter().for_each(assert_shown_harmlessly);
        list.iter().for_each(assert_shown_harmlessly);
        assert!(unreadable.iter().all(|cause| cause.len() < 1000), "{unreadable:?}");
    }
    let Findings { found, list, unreadable } = findings(Path::new("file"), bytes, None, &Revocations::Unknown(String::new()));
    unreadable.is_empty() && (!found.is_empty() || list.is_some())
}

#[test]
fn row_25_every_kept_file_is_inspected_harmlessly_and_the_exit_code_tells() {
    let whole = FILES.iter().filter(|path| inspected(&fs::read(path).unwrap())).count();
    assert!(whole > 20 && FILES.len() - whole > 20, "{whole} of {}", FILES.len());
    let all: Vec<&Path> = FILES.iter().map(PathBuf::as_path).collect();
    for form in [&[][..], &["--json"]] {
        let shown = dayfly(form, &all);
        assert_eq!(shown.status.code(), Some(1), "some cannot be read");
        assert_harmless(&String::from_utf8(shown.stdout).unwrap());
        assert_harmless(&String::from_utf8(shown.stderr).unwrap());
    }
    // One in ten by itself.
    for path in all.into_iter().step_by(10) {
        let expected = i32::from(!inspected(&fs::read(path).unwrap()));
        assert_eq!(dayfly(&["--json"], &[path]).status.code(), Some(expected), "{}", path.display());
    }
}

#[test]
fn row_25_a_file_of_nothing_but_damage_does_not_fill_the_screen() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("name\u{1b}[2J\u{202e}");
    fs::write(&path, "ssh-ed25519 AAAA\n".repeat(100_000)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let shown = dayfly(&[], &[&path]);
    let said = String::from_utf8(shown.stderr).unwrap();
    assert_eq!((shown.status.code(), shown.stdout.len()), (Some(1), 0));
    assert!(said.len() < 2000 && said.contains("and 99990 more"), "{said}");
    assert_harmless(&said);
}

/// A change of a file: where, and what.
fn change() -> impl Strategy<Value = (prop::sample::Index, Change)> {
    let change = prop_oneof![
        4 => prop::sample::select(&NASTY[..]).prop_map(|bytes| Change::Insert(bytes.to_vec())),
        1 => Just(Change::Cut),
        2 => any::<u8>().prop_map(Change::Turn),
        1 => (0_usize..60_000).prop_map(|length| Change::Insert(vec![b'A'; length])),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Change::Insert),
    ];
    (any::<prop::sample::Index>(), change)
}

#[derive(Debug, Clone)]
enum Change {
    Insert(Vec<u8>),
    Cut,
    Turn(u8),
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn row_25_whatever_is_done_to_a_kept_file_it_is_inspected_harmlessly(
        file in any::<prop::sample::Index>(), before in prop::sample::select(&["", "@cert-authority *.example ", "command=\"", "from=\"*\",restrict "][..]),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        let mut bytes = [before.as_bytes(), &fs::read(file.get(&FILES[..])).unwrap()].concat();
        for (at, change) in changes {
            let at = at.index(bytes.len() + 1);
            match change {
                Change::Insert(more) => drop(bytes.splice(at..at, more)),
                Change::Cut => bytes.truncate(at),
                Change::Turn(bits) => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits),
            }
        }
        inspected(&bytes);
    }
}
