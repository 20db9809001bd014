//! The program as a person or a script meets it, without a CA: exit codes, where what is written, and recordings.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use dayfly_core::{
    signature::sign_sshsig,
    signer::{SeedSigner, Signer as _},
};
use dayfly_recording::{Event, FinishedRecording, Outcome, RecordingWriter, SIGNATURE_NAMESPACE, SessionFacts, Stream, event::Exec};
use serde_json::{Value, json};
use ssh_key::{LineEnding, PublicKey};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use time::macros::datetime;

const SESSION: &str = "0199b2c4-7a00-7000-8000-000000000001";
const HOSTILE: &str = "\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}[6n\u{202e}";

/// Somebody who was never here: no agent, no home, no state.
struct Stranger {
    place: tempfile::TempDir,
}

impl Stranger {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap() }
    }

    fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    fn dayfly(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dayfly"));
        command.env_clear().env("DAYFLY_HOME", self.home()).env("HOME", self.place.path()).args(arguments).output().unwrap()
    }

    fn file(&self, name: &str, contents: &str) -> String {
        let path = self.place.path().join(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn exit_codes_and_remedies() {
    let stranger = Stranger::new();
    for (arguments, code, says) in [
        (&["--help"][..], 0, "Exit codes"),
        (&["--version"], 0, "dayfly"),
        (&[], 2, "Usage"),
        (&["frobnicate"], 2, "Usage"),
        (&["cert", "db-admin"], 2, "--target"),
        (&["cert", "-x", "--target", "db1"], 2, ""),
        (&["cert", "db-admin", "--target=-oProxyCommand=id"], 2, "not a name"),
        (&["whoami"], 4, "dayfly login"),
        (&["cert", "db-admin", "--target", "db1"], 4, "dayfly login"),
        (&["log", "verify"], 4, "dayfly login"),
        // Nobody answers at that port, and without a key of their own a stranger can only sign in there.
        (&["login", "https://127.0.0.1:1"], 5, "cannot be reached"),
        (&["login"], 2, "dayfly login https://"),
        (&["logout"], 4, "dayfly login"),
        (&["login", "https://127.0.0.1:1", "--identity", "x", "--provider", "corp"], 2, "cannot be used with"),
        (&["cert", "db-admin", "--target", "db1", "--out", "/nonexistent/x", "--token-file", "/nonexistent"], 2, "DAYFLY_CA_URL"),
        (
            &["cert", "db-admin", "--target", "db1", "--out", "x", "--ca", "https://127.0.0.1:1", "--token-env", "NO_SUCH_VARIABLE"],
            8,
            "NO_SUCH_VARIABLE",
        ),
        (&["inspect", "/nonexistent"], 1, "/nonexistent"),
        (&["sessions", "play", SESSION], 2, "--recordings"),
        (&["host", "enroll", "https://ca.example"], 2, "--token-file"),
        (&["host", "enroll", "https://ca.example", "--token-env", "T", "--name", "*"], 2, "wildcards"),
        (&["host", "enroll", "https://ca.example", "--token-env", "T", "--sshd-config-dir", "/nonexistent"], 1, "ssh-keygen -A"),
        (&["host", "renew", "--sshd-config-dir", "/nonexistent"], 4, "dayfly host enroll"),
        (&["host", "status", "--sshd-config-dir", "/nonexistent"], 4, "dayfly host enroll"),
    ] {
        let output = stranger.dayfly(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(format!("{}{}", stdout(&output), stderr(&output)).contains(says), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn row_23_login_goes_nowhere_but_to_https() {
    let stranger = Stranger::new();
    let key = stranger.file("id", &SeedSigner::new(1).private_key().to_openssh(LineEnding::LF).unwrap());
    for url in
        ["http://ca.example", "http://127.0.0.1:1", "ftp://ca.example", "ca.example", "https://ca.example/path", "https://alice@ca.example"]
    {
        let output = stranger.dayfly(&["login", url, "--identity", &key]);
        assert_eq!(output.status.code(), Some(2), "{url}: {}", stderr(&output));
    }
    // Port 1 of this host: nothing listens there.
    let output = stranger.dayfly(&["login", "https://127.0.0.1:1", "--identity", &key]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(!stranger.home().join("login.json").exists());
}

#[test]
fn row_23_state_that_others_can_read_stops_every_command() {
    let stranger = Stranger::new();
    fs::create_dir(stranger.home()).unwrap();
    fs::set_permissions(stranger.home(), fs::Permissions::from_mode(0o755)).unwrap();
    for arguments in [&["whoami"][..], &["roles"], &["log", "tail"], &["login", "https://ca.example"]] {
        let output = stranger.dayfly(arguments);
        assert_eq!(output.status.code(), Some(6), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("chmod 700"), "{}", stderr(&output));
    }
}

#[test]
fn failures_are_json_where_json_was_asked_for() {
    let output = Stranger::new().dayfly(&["--json", "whoami"]);
    let failure: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(failure["error"]["kind"], "not_logged_in");
    assert!(failure["error"]["remedy"].as_str().unwrap().contains("dayfly login"));
    assert_eq!(stdout(&output), "");
}

#[test]
fn whoever_stops_reading_is_not_told_of_a_failure() {
    let stranger = Stranger::new();
    let key = bastion_key(&stranger, 1);
    let mut command = Command::new(env!("CARGO_BIN_EXE_dayfly"));
    let command = command.env("DAYFLY_HOME", stranger.home()).args(["inspect", &key]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn completions_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = Stranger::new().dayfly(&["completions", shell]);
        assert!(output.status.success() && stdout(&output).contains("ssh-config"), "{shell}");
    }
}

fn recorder(root: &Path) -> RecordingWriter {
    let facts = json!({
        "session_id": SESSION, "connection_id": SESSION, "subject": "alice", "role": "db-admin", "grant": SESSION, "certificate_serial": 5,
        "key_fingerprint": "SHA256:x", "account": format!("root{HOSTILE}"), "target": "db1", "bastion": "gate", "mode": "record",
        "peer": "192.0.2.7:50022"
    });
    let facts: SessionFacts = serde_json::from_value(facts).unwrap();
    RecordingWriter::create(root, facts, datetime!(2025-10-05 11:33:20 UTC)).unwrap()
}

fn seal(writer: RecordingWriter) -> FinishedRecording {
    let sign = |manifest: &[u8]| {
        let sshsig = sign_sshsig(&SeedSigner::new(1), SIGNATURE_NAMESPACE, manifest).map_err(|error| error.to_string())?;
        sshsig.to_pem(LineEnding::LF).map_err(|error| error.to_string())
    };
    writer.finish(Duration::from_secs(9), datetime!(2025-10-05 11:33:29 UTC), Outcome::Completed, "alice left", sign).unwrap()
}

fn bastion_key(stranger: &Stranger, seed: u8) -> String {
    stranger.file("bastion.pub", &PublicKey::from(SeedSigner::new(seed).public_key().clone()).to_openssh().unwrap())
}

fn is_text(output: &str) -> bool {
    !output.chars().any(|c| c != '\n' && c != '\t' && (c.is_control() || c == '\u{202e}'))
}

#[test]
fn row_25_a_command_is_played_as_text() {
    let stranger = Stranger::new();
    let mut writer = recorder(stranger.place.path());
    writer.write(Duration::from_millis(1), &Event::Exec(Exec::new(0, format!("echo {HOSTILE}").into_bytes()))).unwrap();
    writer.write(Duration::from_millis(2), &Event::chunk(0, Stream::Stdout, 0, format!("hello {HOSTILE}\nworld\n").into_bytes())).unwrap();
    writer.write(Duration::from_millis(3), &Event::ExitStatus { channel: 0, status: 7 }).unwrap();
    seal(writer);
    let root = stranger.place.path().to_str().unwrap();
    let key = bastion_key(&stranger, 1);
    let output = stranger.dayfly(&["sessions", "play", SESSION, "--recordings", root, "--bastion-key", &key]);
    assert!(output.status.success(), "{}", stderr(&output));
    let shown = stdout(&output);
    assert!(is_text(&shown), "{shown:?}");
    for part in ["alice", "echo \\u{1b}", "stdout | hello", "stdout | world", "exit status 7", "alice left"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = stdout(&stranger.dayfly(&["--json", "sessions", "play", SESSION, "--recordings", root, "--bastion-key", &key]));
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["verified"], &lines[1]["event"]), (&json!(true), &json!("start")));
    assert!(is_text(&json), "{json:?}");
}

#[test]
fn row_25_a_terminal_is_played_into_a_file_as_text() {
    let stranger = Stranger::new();
    let mut writer = recorder(stranger.place.path());
    let terminal = writer.open_terminal(Duration::ZERO, 0, "xterm", 80, 24).unwrap();
    writer.terminal_output(terminal, Duration::from_secs(1), format!("one{HOSTILE}\u{1b}[31mred\u{1b}[0m\r\n").as_bytes()).unwrap();
    writer.terminal_output(terminal, Duration::from_secs(1000), b"two\r\n").unwrap();
    writer.close_terminal(terminal, Duration::from_secs(1001)).unwrap();
    let recording = seal(writer).dir.to_str().unwrap().to_owned();
    let key = bastion_key(&stranger, 1);
    let play =
        |more: &[&str]| stranger.dayfly(&[&["sessions", "play", recording.as_str(), "--bastion-key", &key, "--no-timing"], more].concat());
    let shown = stdout(&play(&[]));
    assert!(shown.contains("onered\ntwo\n") && is_text(&shown), "{shown:?}");
    assert!(stdout(&play(&["--raw"])).contains(HOSTILE));
    assert!(stdout(&play(&["--events"])).contains("terminal xterm 80x24"));
}

#[test]
fn a_recording_that_does_not_verify_is_played_only_if_told_so() {
    let stranger = Stranger::new();
    let mut writer = recorder(stranger.place.path());
    writer.write(Duration::from_millis(1), &Event::Exec(Exec::new(0, *b"the truth"))).unwrap();
    let recording = seal(writer).dir;
    let name = recording.to_str().unwrap();
    let other = bastion_key(&stranger, 2);
    let output = stranger.dayfly(&["sessions", "play", name, "--bastion-key", &other]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{}", stderr(&output));

    let key = bastion_key(&stranger, 1);
    let events = recording.join("events.ndjson");
    fs::write(&events, fs::read_to_string(&events).unwrap().replace("the truth", "fairy tale")).unwrap();
    let output = stranger.dayfly(&["sessions", "play", name, "--bastion-key", &key]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("events.ndjson"), "{}", stderr(&output));
    let output = stranger.dayfly(&["sessions", "play", name, "--bastion-key", &key, "--unverified"]);
    assert!(output.status.success() && stdout(&output).contains("NOT VERIFIED") && stdout(&output).contains("fairy tale"));

    let offline = stranger.dayfly(&["sessions", "play", name]);
    assert_eq!(offline.status.code(), Some(4), "without the log nothing says whose key it is: {}", stderr(&offline));
    assert!(stderr(&offline).contains("--bastion-key"));
}
