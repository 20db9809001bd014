//! Files and typing across a recorded session: stock clients go on as before, and the recording tells what was done.

use anyhow::{Context, Result};
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    stack::Stack,
    terminal::Terminal,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn sftp_is_recorded_as_what_it_does() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::new(stack, "ALICE")?;
    let serial = fresh(&alice)?;
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let content: Vec<u8> = (0..400_000_u32).flat_map(u32::to_be_bytes).collect();
    let (up, down, far) = (here.path().join("up"), here.path().join("down"), there.path().display().to_string());
    fs::write(&up, &content)?;
    let batch = [
        format!("put {} {far}/a", up.display()),
        format!("get {far}/a {}", down.display()),
        format!("rename {far}/a {far}/b"),
        format!("ln -s {far}/b {far}/link"),
        format!("chmod 640 {far}/b"),
        format!("mkdir {far}/dir"),
        format!("ls {far}"),
        format!("-rm {far}/nothing"),
        format!("rm {far}/link"),
    ];
    // Many small pieces at once, so that answers and questions cross.
    let mut sftp = alice.openssh("sftp");
    run(sftp.args(["-R", "64", "-B", "32768", "-b", "-", "db1"]), batch.join("\n").as_bytes())?.success()?;
    assert!(fs::read(&down)? == content);
    let events = events(stack, serial, 1)?;
    let digest = run(std::process::Command::new("sha256sum").arg(&up), b"")?.success()?;
    let digest = digest.split_whitespace().next().context("sha256sum prints a digest")?;
    let carried = |way: &str| events.iter().any(|event| event[way]["sha256"] == digest && event[way]["extent"] == "whole");
    assert!(carried("written") && carried("read"), "{events:?}");
    for operation in ["open", "rename", "symlink", "set_attributes", "make_directory", "open_directory", "remove"] {
        assert!(events.iter().any(|event| event["operation"] == operation), "{operation}");
    }
    assert!(events.iter().any(|event| event["event"] == "sftp_answer" && event["status"] == "no_such_file"));
    assert!(events.iter().all(|event| event["data"].is_null()), "contents are not kept");
    Ok(())
}

#[test]
fn scp_is_recorded_file_by_file_with_both_protocols() -> Result<()> {
    let stack = Stack::shared()?;
    for (options, kind) in [(&["-O", "-r", "-p"][..], "scp_done"), (&["-r", "-p"][..], "sftp_closed")] {
        let alice = Client::new(stack, "ALICE")?;
        let serial = fresh(&alice)?;
        let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let tree = here.path().join("tree");
        fs::create_dir_all(tree.join("below"))?;
        fs::write(tree.join("below/a b"), b"hello")?;
        fs::write(tree.join("empty"), b"")?;
        let far = format!("db1:{}", there.path().display());
        run(alice.openssh("scp").args(options).arg(&tree).arg(&far), b"")?.success()?;
        run(alice.openssh("scp").args(options).arg(format!("{far}/tree")).arg(here.path().join("back")), b"")?.success()?;
        assert_eq!(fs::read(here.path().join("back/below/a b"))?, b"hello");
        let events = events(stack, serial, 2)?;
        // SHA-256 of "hello".
        let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let told = events.iter().filter(|event| event["event"] == kind && event.to_string().contains(digest));
        assert_eq!(told.count(), 2, "{options:?}: up and down: {events:?}");
    }
    Ok(())
}

#[test]
fn what_scp_and_sftp_cannot_carry_is_told_and_nothing_else_is_lost() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::new(stack, "ALICE")?;
    let serial = fresh(&alice)?;
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (good, far) = (here.path().join("good"), there.path().display().to_string());
    fs::write(&good, b"good")?;
    fs::write(there.path().join("far"), b"far")?;
    for protocol in ["-O", "-s"] {
        // It fails with the first name and goes on with the second.
        let into = here.path().join(format!("into{protocol}"));
        fs::create_dir(&into)?;
        let down = run(alice.openssh("scp").arg(protocol).args([&format!("db1:{far}/none"), &format!("db1:{far}/far")]).arg(&into), b"")?;
        assert!(down.code() != Some(0) && down.stderr.contains("No such file"), "{protocol}: {}", down.stderr);
        assert_eq!(fs::read(into.join("far"))?, b"far");
        let nowhere = run(alice.openssh("scp").arg(protocol).arg(&good).arg(format!("db1:{far}/no/where")), b"")?;
        assert!(nowhere.code() != Some(0) && nowhere.stderr.contains("No such file"), "{protocol}: {}", nowhere.stderr);
        run(alice.openssh("scp").arg(protocol).arg(&good).arg(format!("db1:{far}/")), b"")?.success()?;
        assert_eq!(fs::read(there.path().join("good"))?, b"good");
        fs::remove_file(there.path().join("good"))?;
    }
    let events = events(stack, serial, 6)?;
    assert!(events.iter().all(|event| event["event"] != "end" || event["outcome"] != "recording_failed"), "{events:?}");
    assert!(events.iter().any(|event| event["event"] == "scp_message" && event["side"] == "target"), "{events:?}");
    Ok(())
}

#[test]
fn rsync_carries_trees_and_changes_and_is_recorded_by_its_arguments() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::new(stack, "ALICE")?;
    let serial = fresh(&alice)?;
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (tree, far) = (here.path().join("tree"), there.path().join("far"));
    fs::create_dir_all(tree.join("be low"))?;
    let mut content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
    fs::write(tree.join("be low/large"), &content)?;
    fs::write(tree.join("gone"), b"soon")?;
    let rsync = |from: String, to: String| {
        let ssh = format!("ssh -F '{}'", alice.directory().join("ssh_config").display());
        run(std::process::Command::new("rsync").args(["--archive", "--delete", "--checksum", "--rsh", &ssh, &from, &to]), b"")?.success()
    };
    let (local, remote) = (format!("{}/", tree.display()), format!("db1:{}/", far.display()));
    rsync(local.clone(), remote.clone())?;
    // Only what differs crosses now.
    content.splice(1000..1004, *b"more and more");
    fs::write(tree.join("be low/large"), &content)?;
    fs::remove_file(tree.join("gone"))?;
    rsync(local, remote.clone())?;
    assert!(fs::read(far.join("be low/large"))? == content && !far.join("gone").exists());
    let back = here.path().join("back");
    rsync(remote, format!("{}/", back.display()))?;
    assert!(fs::read(back.join("be low/large"))? == content);
    let events = events(stack, serial, 3)?;
    let started: Vec<&Value> = events.iter().filter(|event| event["event"] == "rsync").collect();
    assert_eq!((started.len(), started.iter().filter(|event| event["sends"] == true).count()), (3, 1), "{started:?}");
    assert!(started.iter().all(|event| event["arguments"].to_string().contains(&far.display().to_string())), "{started:?}");
    assert!(events.iter().all(|event| event["event"] == "stderr" || event["data"].is_null()), "contents are not kept");
    Ok(())
}

#[test]
fn row_12_what_cannot_be_followed_ends_the_session_and_does_not_reach_the_target() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::new(stack, "ALICE")?;
    let serial = fresh(&alice)?;
    let greeting = [0, 0, 0, 5, 1, 0, 0, 0, 3];
    let unknown = [0, 0, 0, 5, 99, 0, 0, 0, 1];
    let ended = run(alice.openssh("ssh").args(["-s", "db1", "sftp"]), &[greeting, unknown].concat())?;
    assert!(ended.code() != Some(0) && ended.stderr.contains("cannot be recorded any more"), "{}", ended.stderr);
    let there = tempfile::tempdir()?;
    let line = format!("scp -t {}", there.path().display());
    let ended = run(alice.openssh("ssh").args(["db1", &line]), b"touch hidden\n")?;
    assert!(ended.code() != Some(0) && ended.stderr.contains("scp"), "{}", ended.stderr);
    let events = events(stack, serial, 2)?;
    assert_eq!(events.iter().filter(|event| event["outcome"] == "recording_failed").count(), 2, "{events:?}");
    assert!(fs::read_dir(there.path())?.next().is_none());
    Ok(())
}

/// What each of these reads, the terminal does not show: the shell's own `read -s`, Python's `getpass`, a program that turns the echo off itself, and a password
/// that is taken back letter by letter.
#[test]
fn row_39_what_is_typed_unseen_is_sealed_and_nowhere_in_clear() -> Result<()> {
    let mut stack = Stack::own()?;
    configure(&mut stack, "unseen_input_key = \"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"")?;
    record_input(&stack)?;
    let alice = Client::new(&stack, "ALICE")?;
    let serial = fresh_role(&alice, "typist")?;
    let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "bash --norc --noprofile"]), 24, 200)?;
    // Spelt so that no echo of a command looks like what it prints.
    terminal.send("PS1='rea''dy> '\r")?;
    terminal.expect("ready> ")?;
    let type_in = |terminal: &mut Terminal, line: &str| -> Result<()> {
        terminal.send(line)?;
        terminal.expect(line)?;
        terminal.send("\r")
    };
    let secrets = ["first-secret", "second-secret", "third-secret", "fourth-secret", "fifth-secret"];
    let [first, second, third, fourth, fifth] = secrets;
    let taken_back = format!("{fourth}{}", "\u{7f}".repeat(fourth.len()));
    for (command, typed) in [
        ("read -s -p 'sec''ret: ' x; echo", first),
        ("stty -echo; printf 'sec''ret: '; read -r x; stty echo; echo", second),
        ("python3 -c 'import getpass; getpass.getpass(\"sec\" \"ret: \")'", third),
        ("read -s -p 'sec''ret: ' x; echo", &taken_back),
        ("stty -echo; printf 'sec''ret: '; bash -c 'read -r x; eval \"$x\"'; stty echo; echo", &format!(": {fifth}")),
    ] {
        type_in(&mut terminal, command)?;
        terminal.expect("secret: ")?;
        terminal.send(&format!("{typed}\r"))?;
        terminal.expect("ready> ")?;
    }
    type_in(&mut terminal, "echo $((6*7))")?;
    terminal.expect("42")?;
    terminal.send("\u{4}")?;
    terminal.end()?;
    let events = events(&stack, serial, 1)?;
    let unseen: Vec<&Value> = events.iter().filter(|event| event["event"] == "unseen").collect();
    assert!(
        unseen.iter().all(|event| event["sealed"].as_str().is_some_and(|text| text.starts_with("-----BEGIN AGE ENCRYPTED"))),
        "{unseen:?}"
    );
    // An echo that a busy machine is slow to show may be counted too.
    let bytes: u64 = unseen.iter().filter_map(|event| event["bytes"].as_u64()).sum();
    assert!(bytes >= secrets.concat().len() as u64, "{unseen:?}");
    let cast = stack.casts()?.into_iter().find(|cast| cast.contains("\"i\"")).context("what is typed is recorded")?;
    assert!(cast.lines().any(|line| line.contains("\"i\"") && line.contains("echo $((6*7))")), "{cast}");
    // Recordings, traces, the log, what waits for the CA.
    for file in files_below(stack.directory())? {
        let content = fs::read(&file)?;
        for secret in secrets {
            assert!(!content.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is in {}", file.display());
        }
    }
    Ok(())
}

fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => files.extend(files_below(&entry.path())?),
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(files)
}

/// Adds to `[recording]` of the bastion.
fn configure(stack: &mut Stack, line: &str) -> Result<()> {
    let config = stack.path("DAYFLY_BASTION_CONFIG")?.to_owned();
    fs::write(&config, format!("{}\n[recording]\n{line}\n", fs::read_to_string(&config)?))?;
    stack.restart("bastion")
}

#[test]
fn row_39_a_flood_ends_itself_with_words() -> Result<()> {
    let mut stack = Stack::own()?;
    configure(&mut stack, "session_bytes = 3_000_000")?;
    let alice = Client::new(&stack, "ALICE")?;
    let serial = fresh(&alice)?;
    let mut neighbour = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo up; read -r line; echo \"<$line>\""]), 24, 80)?;
    neighbour.expect("up")?;
    let ended = run(alice.openssh("ssh").args(["-tt", "db1", "yes flood"]), b"")?;
    assert!(ended.code() != Some(0), "it ended as if nothing were wrong");
    let said = format!("{}{}", ended.text(), ended.stderr);
    assert!(said.contains("may record") && said.contains("(limit_reached)"), "{}", said.chars().rev().take(400).collect::<String>());
    neighbour.send("still here\n")?;
    neighbour.expect("<still here>")?;
    neighbour.end()?;
    // What was recorded of it is sealed, and tells how it ended.
    let ended = events(&stack, serial, 2)?.into_iter().filter(|event| event["event"] == "end" && event["outcome"] == "terminated");
    assert_eq!(ended.count(), 1);
    let manifests = stack.recordings("manifest.json")?;
    let sizes = manifests.iter().map(|directory| Ok(fs::metadata(directory.join("terminal-0.cast"))?.len()));
    let largest = sizes.collect::<Result<Vec<u64>>>()?.into_iter().max().context("both are sealed")?;
    assert!((3_000_000..12_000_000).contains(&largest), "{largest}");
    Ok(())
}

fn fresh(client: &Client<'_>) -> Result<u64> {
    fresh_role(client, "db-admin")
}

/// A certificate of its own, by whose serial its sessions are found.
fn fresh_role(client: &Client<'_>, role: &str) -> Result<u64> {
    client.certificate(role, "db1")?.success()?;
    client.serial("db1")
}

/// Everything that the recordings of a certificate's sessions tell, once so many have ended.
fn events(stack: &Stack, serial: u64, sessions: usize) -> Result<Vec<Value>> {
    let carol = Client::carol(stack)?;
    let ended = || {
        let rows = carol.log(|row| row["event"] == "session.ended" && row["serial"] == serial)?;
        Ok(Some(rows).filter(|rows| rows.len() >= sessions))
    };
    let rows = eventually("the sessions' ends are not in the log", ended)?;
    let sessions: Vec<&str> = rows.iter().filter_map(|row| row["session"].as_str()).collect();
    let mut events = Vec::new();
    for recording in stack.recordings("events.ndjson")?.iter().filter(|path| sessions.iter().any(|session| path.ends_with(session))) {
        for line in fs::read_to_string(recording.join("events.ndjson"))?.lines() {
            events.push(serde_json::from_str(line)?);
        }
    }
    Ok(events)
}

/// A role whose sessions' input is recorded.
fn record_input(stack: &Stack) -> Result<()> {
    let account = stack.get("DAYFLY_ACCOUNT")?;
    let role = format!(
        "\n[[role]]\nname = \"typist\"\nprincipals = [\"{account}@{{target}}\"]\ntargets = [\"db1\"]\nextensions = [\"permit-pty\"]\n\n[role.session]\nrecord_input = true\n"
    );
    let policy = "@id(\"dba-may-type\")\npermit (\n  principal in Group::\"dba\",\n  action in [Action::\"request\", Action::\"connect\"],\n  resource == Role::\"typist\"\n);\n";
    stack.add_role("typist", &role, policy)?;
    let alice = Client::new(stack, "ALICE")?;
    let issued = || Ok(Some(alice.certificate("typist", "db1")?).filter(|ended| ended.code() == Some(0)));
    eventually("the CA does not know the new role", issued).map(drop)
}
