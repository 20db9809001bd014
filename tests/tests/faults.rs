//! What happens when something breaks in the middle of a session: the target, the disk, the network, the room for open files.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    stack::{Stack, prebuilt, stack_script},
    terminal::Terminal,
};
use serde_json::Value;
use std::{
    fs,
    io::Read,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Words in the place of what the bastion is started with: they end in starting it, as the same process.
fn start_bastion_by(stack: &mut Stack, words: &str) -> Result<()> {
    let program = stack.path("DAYFLY_BIN")?.join("dayfly-bastion");
    let real = program.with_extension("real");
    if !real.exists() {
        fs::rename(&program, &real)?;
    }
    fs::write(&program, format!("#!/bin/sh\nexec {words}\n").replace("BASTION", &format!("{} \"$@\"", real.display())))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    stack.restart("bastion")
}

/// Changes what the bastion is told at its next start.
fn configure_bastion(stack: &Stack, edit: impl FnOnce(String) -> String) -> Result<()> {
    let config = stack.path("DAYFLY_BASTION_CONFIG")?;
    Ok(fs::write(config, edit(fs::read_to_string(config)?))?)
}

/// Whether a namespace can be made here. Says so if not.
fn can_unshare(what: &str) -> Result<bool> {
    let can = run(Command::new("unshare").args([what, "true"]), b"").is_ok_and(|ended| ended.code() == Some(0));
    if !can {
        eprintln!("SKIPPED: no namespace can be made here (unshare {what})");
    }
    Ok(can)
}

fn ends<'a>(rows: &'a [Value], serial: u64, ending: &str) -> Vec<&'a Value> {
    let is_it = |row: &Value| {
        let said = row.pointer("/facts/ending").and_then(Value::as_str);
        said == Some(ending)
            && row.get("event").is_some_and(|event| event == "session.ended")
            && row.get("serial").is_some_and(|of| *of == serial)
    };
    rows.iter().filter(|row| is_it(row)).collect()
}

#[test]
fn a_target_that_dies_ends_its_session_in_words_and_no_other() -> Result<()> {
    let stack = Stack::shared()?;
    let (alice, carol) = (Client::alice(stack)?, Client::carol(stack)?);
    let mut other = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo up; read -r line; echo \"<$line>\""]), 24, 80)?;
    other.expect("up")?;
    // What runs this is the process of sshd that serves this one connection.
    let ended = alice.ssh(&["db1", "echo before; kill -KILL $PPID; sleep 60"])?;
    assert!(ended.code() == Some(255) && ended.stderr.contains("(target_unavailable)"), "{:?} {}", ended.code(), ended.stderr);
    other.send("still here\n")?;
    other.expect("<still here>")?;
    assert_eq!(other.end()?, Some(0));
    let serial = alice.serial("db1")?;
    let rows = carol.log_eventually(|row| !ends(std::slice::from_ref(row), serial, "target_gone").is_empty())?;
    assert!(rows.iter().all(|row| row["facts"]["manifest_sha256"].is_string()), "{rows:?}");
    Ok(())
}

/// A target that stands still is not a target that ended: its session waits, and whoever does not want to wait may go.
#[test]
fn a_target_that_stands_still_keeps_nobody() -> Result<()> {
    let stack = Stack::shared()?;
    let (alice, carol) = (Client::alice(stack)?, Client::carol(stack)?);
    let directory = tempfile::tempdir()?;
    let pid = directory.path().join("pid");
    let script = format!("echo $PPID >{}; echo up; sleep 600", pid.display());
    let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", &script]), 24, 80)?;
    terminal.expect("up")?;
    let pid = fs::read_to_string(pid)?.trim().to_owned();
    run(Command::new("kill").args(["-s", "STOP", &pid]), b"")?.success()?;
    drop(terminal);
    let serial = alice.serial("db1")?;
    let gone = carol.log_eventually(|row| !ends(std::slice::from_ref(row), serial, "client_gone").is_empty());
    run(Command::new("kill").args(["-s", "KILL", &pid]), b"")?;
    gone.map(drop)
}

#[test]
fn row_13_a_disk_that_fills_ends_its_sessions_and_lets_new_ones_begin_once_there_is_room() -> Result<()> {
    if !can_unshare("-m")? {
        return Ok(());
    }
    let mut stack = Stack::own()?;
    configure_bastion(&stack, |text| text + "\n[metrics]\ndisk_reserve_bytes = 0\n")?;
    let recordings = stack.path("DAYFLY_RECORDINGS")?.to_owned();
    let disk = format!("mkdir -p {0} && mount -t tmpfs -o size=3m none {0} && exec BASTION", recordings.display());
    start_bastion_by(&mut stack, &format!("unshare -m sh -c '{disk}' sh \"$@\""))?;
    let alice = Client::alice(&stack)?;
    let mut other = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo up; read -r line; seq 10000; sleep 600"]), 24, 80)?;
    other.expect("up")?;
    // What a terminal shows is kept to its end.
    let mut flood = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "base64 -w 76 /dev/urandom"]), 24, 80)?;
    flood.expect("(recording_unavailable)")?;
    assert_eq!(flood.end()?, Some(255));
    // Nothing goes on that is not kept: whoever's session has more to show is ended, too, and nobody begins.
    other.send("one more line\n")?;
    other.expect("(recording_unavailable)")?;
    let refused = alice.ssh(&["db1", "echo in"])?;
    assert!(refused.code() != Some(0) && refused.text().is_empty(), "{}", refused.text());
    assert!(refused.stderr.contains("(recording_unavailable)"), "{}", refused.stderr);
    // As the bastion sees its disk.
    let disk = PathBuf::from(format!("/proc/{}/root{}", stack.get("DAYFLY_BASTION_PID")?, recordings.display()));
    let found = run(Command::new("find").arg(&disk).args(["-name", "terminal-*", "-size", "+1M", "-print", "-delete"]), b"")?.success()?;
    ensure!(!found.is_empty(), "nothing was recorded");
    let goes_on = || Ok(Some(alice.ssh(&["db1", "echo in"])?.text()).filter(|text| text == "in\n"));
    eventually("no session begins although there is room", goes_on).map(drop)
}

/// A killed bastion, with sessions of every kind: at its next start each recording is sealed, and each end is told of once.
#[test]
fn row_13_a_bastion_killed_again_and_again_tells_of_every_session_once() -> Result<()> {
    let mut stack = Stack::own()?;
    for round in 1..=2 {
        {
            let alice = Client::alice(&stack)?;
            let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo up; read -r line"]), 24, 80)?;
            terminal.expect("up")?;
            let mut copy = alice.openssh("ssh").args(["db1", "cat /dev/zero"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
            let mut first = [0; 65536];
            copy.stdout.take().context("it was piped")?.read_exact(&mut first)?;
            stack.signal("bastion", "KILL")?;
            terminal.end()?;
            copy.wait()?;
        }
        stack.restart("bastion")?;
        let recordings = stack.recordings("events.ndjson")?;
        let sealed = || Ok(Some(stack.recordings("manifest.json")?).filter(|sealed| sealed.len() == recordings.len()));
        eventually("a recording is not sealed", sealed)?;
        assert_eq!(recordings.len(), 2 * round, "{recordings:?}");
        let carol = Client::carol(&stack)?;
        let all = || Ok(Some(carol.log(|row| row["event"] == "session.ended")?).filter(|rows| rows.len() >= 2 * round));
        let rows = eventually("not every end is in the log", all)?;
        assert_eq!(rows.len(), 2 * round, "{rows:?}");
        carol.dayfly(&["log", "verify"])?.success()?;
    }
    Ok(())
}

/// With no file left to open nobody new gets in; who is there goes on, and once files are free everything is as before.
#[test]
fn row_10_a_bastion_out_of_open_files_goes_on_and_recovers() -> Result<()> {
    let mut stack = Stack::own()?;
    // More than files, so that it is those that run out.
    configure_bastion(&stack, |text| text.replace("[limits]", "[limits]\nmax_unauthenticated_per_address = 200\nearly_drop_from = 200"))?;
    start_bastion_by(&mut stack, "prlimit --nofile=96:96 BASTION")?;
    let alice = Client::alice(&stack)?;
    let mut terminal =
        Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo up; while read -r line; do echo \"<$line>\"; done"]), 24, 80)?;
    terminal.expect("up")?;
    let address = stack.get("DAYFLY_BASTION_ADDR")?;
    let crowd: Vec<TcpStream> = (0..120).map(|_| TcpStream::connect(address)).collect::<std::io::Result<_>>()?;
    let trace = stack.directory().join("traces/bastion");
    let runs_out = || Ok(fs::read_to_string(&trace)?.contains("a connection cannot be accepted").then_some(()));
    eventually("there is room for everybody", runs_out)?;
    terminal.send("still here\n")?;
    terminal.expect("<still here>")?;
    drop(crowd);
    let gets_in = || Ok(Some(alice.ssh(&["db1", "echo in"])?.text()).filter(|text| text == "in\n"));
    eventually("nobody gets in although files are free", gets_in)?;
    terminal.send("and now\n")?;
    terminal.expect("<and now>")?;
    Ok(())
}

/// Everything in a network of its own, which is cut for a while: what was on its way arrives, and the session goes on.
#[test]
fn a_network_that_is_cut_for_a_while_loses_nothing() -> Result<()> {
    if !can_unshare("-n")? {
        return Ok(());
    }
    let directory = tempfile::Builder::new().prefix("dayfly-cut").tempdir()?;
    let mut command = Command::new("unshare");
    command.args(["-n", "bash", concat!(env!("CARGO_MANIFEST_DIR"), "/peers/cut.sh")]).arg(stack_script()).arg(directory.path());
    if let Some(programs) = prebuilt()? {
        command.env("DAYFLY_PREBUILT", programs);
    }
    assert_eq!(run(&mut command, b"")?.success()?.lines().last(), Some("whole"));
    Ok(())
}
