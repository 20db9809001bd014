//! No way around the recorder: what stock OpenSSH can try from inside a recorded session, and beside it.

use anyhow::{Context, Result};
use dayfly_tests::{client::Client, command::run, stack::Stack, terminal::Terminal};
use std::{fs, net::TcpListener};

/// Each of these would lead to a host that nobody records, or past what is recorded.
#[test]
fn row_12_nothing_is_forwarded_from_a_recorded_target() -> Result<()> {
    let stack = Stack::shared()?;
    let (alice, carol) = (Client::alice(stack)?, Client::carol(stack)?);
    let db1 = stack.get("DAYFLY_DB1_ADDR")?;
    let ended = alice.ssh(&["-W", db1, "db1"])?;
    assert!(ended.code() != Some(0) && !ended.text().contains("SSH-"), "{}", ended.text());
    assert!(ended.stderr.contains("(not_allowed)"), "{}", ended.stderr);
    let remote = alice.ssh(&["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "db1", "echo in"])?;
    assert!(remote.code() != Some(0) && remote.text().is_empty(), "{}{}", remote.text(), remote.stderr);
    carol.log_eventually(|row| row["event"] == "session.refused" && row["facts"]["forward"] == db1 && row["reason"] == "not_allowed")?;
    carol.log_eventually(|row| {
        row["event"] == "session.refused" && row["facts"]["listen"] == "localhost:0" && row["reason"] == "not_allowed"
    })?;
    Ok(())
}

#[test]
fn row_12_a_local_forwarding_reaches_nobody() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let forwarding = format!("127.0.0.1:{port}:{}", stack.get("DAYFLY_DB1_ADDR")?);
    for host in ["db1", "bastion"] {
        let target = if host == "bastion" { format!("{}@db1@bastion", stack.get("DAYFLY_ACCOUNT")?) } else { host.to_owned() };
        let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "-L", &forwarding, &target, "echo up; read -r line"]), 24, 80)?;
        terminal.expect("up")?;
        let mut answer = String::new();
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).context("ssh does not listen")?;
        socket.set_read_timeout(Some(dayfly_tests::command::PATIENCE))?;
        std::io::Read::read_to_string(&mut socket, &mut answer)?;
        assert_eq!(answer, "", "by way of {host}");
        terminal.send("\n")?;
        terminal.end()?;
    }
    Ok(())
}

#[test]
fn row_12_no_agent_is_forwarded_and_no_other_subsystem_started() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let socket = alice.directory().join("agent").display().to_string();
    let script = "ssh-agent -a \"$0\" \"$@\"";
    let mut agent = std::process::Command::new("bash");
    let config = alice.directory().join("ssh_config").display().to_string();
    agent.args([
        "-c",
        script,
        &socket,
        "ssh",
        "-F",
        &config,
        "-o",
        "IdentityAgent=SSH_AUTH_SOCK",
        "-A",
        "db1",
        "echo \"<$SSH_AUTH_SOCK>\"",
    ]);
    assert_eq!(run(&mut agent, b"")?.success()?, "<>\n");
    let ended = alice.ssh(&["-s", "db1", "netconf"])?;
    assert!(ended.code() != Some(0) && ended.stderr.contains("(not_allowed)"), "{}", ended.stderr);
    Ok(())
}

/// The old protocol of `scp` is a command like any other: whatever is put into it is on record.
#[test]
fn row_12_a_command_hidden_in_scp_is_on_record() -> Result<()> {
    let stack = Stack::shared()?;
    let (alice, carol) = (Client::alice(stack)?, Client::carol(stack)?);
    let here = alice.directory().join("copy").display().to_string();
    run(alice.openssh("scp").args(["-O", "db1:/etc/hostname; echo hidden >&2", &here]), b"")?;
    let serial = alice.serial("db1")?;
    let rows = carol.log_eventually(|row| row["event"] == "session.ended" && row["serial"] == serial)?;
    let session = rows.first().and_then(|row| row["session"].as_str()).context("the row names its session")?.to_owned();
    let recordings = stack.recordings("events.ndjson")?;
    let recording = recordings.iter().find(|path| path.ends_with(&session)).context("the session has a recording")?;
    assert!(fs::read_to_string(recording.join("events.ndjson"))?.contains("echo hidden"));
    Ok(())
}
