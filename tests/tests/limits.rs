//! What a certificate's limits mean in a running session: its end, and its one command.

use anyhow::{Context, Result};
use dayfly_tests::{
    client::Client,
    command::{Ended, eventually, run},
    stack::Stack,
    terminal::Terminal,
};
use std::{path::Path, process::Command, time::SystemTime};

/// How long the certificates live that a test sees the end of: long enough to begin with, short enough to wait for.
const SHORT: &str = "12s";

#[test]
fn row_34_a_running_recorded_session_goes_on_and_nothing_new_begins() -> Result<()> {
    let stack = Stack::shared()?;
    let (alice, carol) = (Client::new(stack, "ALICE")?, Client::carol(stack)?);
    short_certificate(&alice, "db-admin", "db1")?;
    let serial = alice.serial("db1")?;
    let master = master(&alice);
    let typed = "echo up; while read -r line; do echo \"<$line>\"; done";
    let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "-M", "-o", &master, "db1", typed]), 24, 80)?;
    terminal.expect("up")?;
    assert_eq!(alice.ssh(&["-o", &master, "db1", "echo before"])?.text(), "before\n");
    let last = carol.log_eventually(|row| row["event"] == "session.ended" && row["serial"] == serial)?.len();
    until_expired(&alice, "db1")?;
    terminal.send("still here\n")?;
    terminal.expect("<still here>")?;
    let ended = alice.ssh(&["-o", &master, "db1", "echo after"])?;
    assert!(ended.code() != Some(0) && ended.text().is_empty(), "{}", ended.text());
    assert!(ended.stderr.contains("(expired)"), "{}", ended.stderr);
    terminal.send("and now\n")?;
    terminal.expect("<and now>")?;
    // Neither does a new login get in by the old certificate.
    assert_eq!(alice.ssh(&["db1", "echo after"])?.code(), Some(255));
    let refused = carol.log_eventually(|row| row["event"] == "session.refused" && row["serial"] == serial)?;
    assert!(refused.iter().all(|row| row["reason"] == "expired"), "{refused:?}");
    terminal.send("\u{4}")?;
    terminal.end()?;
    let all = || Ok(Some(carol.log(|row| row["event"] == "session.ended" && row["serial"] == serial)?.len()).filter(|now| *now > last));
    assert_eq!(eventually("the session's end is not in the log", all)?, last + 1);
    Ok(())
}

#[test]
fn row_34_passthrough_is_cut_when_its_certificate_ends() -> Result<()> {
    let stack = Stack::shared()?;
    let (alice, carol) = (Client::new(stack, "ALICE")?, Client::carol(stack)?);
    short_certificate(&alice, "web", "web1")?;
    let serial = alice.serial("web1")?;
    // It would go on for as long as anybody reads.
    let ended = alice.ssh(&["web1", "echo up; while sleep 0.1; do echo on || exit; done"])?;
    assert!(has_expired(&alice, "web1")?, "it was cut before its time: {}", ended.stderr);
    assert!(ended.code() == Some(255) && ended.text().starts_with("up\non\n"), "{}", ended.stderr);
    let rows = carol.log_eventually(|row| row["event"] == "session.ended" && row["serial"] == serial)?;
    assert!(rows.iter().all(|row| row["reason"] == "expired" && row["facts"]["ending"] == "terminated"), "{rows:?}");
    Ok(())
}

#[test]
fn row_04_a_forced_command_is_all_that_its_certificate_runs() -> Result<()> {
    let stack = Stack::own()?;
    add_role(&stack)?;
    let alice = Client::new(&stack, "ALICE")?;
    // Both targets judge it: the bastion and the target's sshd for the one, the target's sshd alone for the other.
    for target in ["db1", "web1"] {
        let issued = || Ok(Some(alice.certificate("back-up", target)?).filter(|ended| ended.code() == Some(0)));
        eventually("the CA does not know the new role", issued)?;
        for asked in [&[][..], &["echo mine"], &["sh -c 'echo mine'"]] {
            let ended = alice.ssh(&[&["-T", target], asked].concat())?;
            assert_eq!((ended.text().as_str(), ended.code()), ("the back-up\n", Some(3)), "{target} {asked:?}: {}", ended.stderr);
        }
        let mut sftp = alice.openssh("sftp");
        let ended = run(sftp.args(["-b", "-", target]), b"pwd\n")?;
        assert!(ended.code() != Some(0) && !ended.text().contains("Remote working directory"), "{target}: {}", ended.text());
        let here = alice.directory().join("copy").display().to_string();
        for mode in ["-O", "-s"] {
            run(alice.openssh("scp").args([mode, &format!("{target}:/etc/hostname"), &here]), b"")?;
            assert!(!Path::new(&here).exists(), "{target} scp {mode}");
        }
        let through = forwarded(&alice, &stack, target)?;
        assert!(through.code() != Some(0) && !through.text().contains("SSH-"), "{target}: {}", through.text());
    }
    let carol = Client::carol(&stack)?;
    let serial = alice.serial("db1")?;
    let rows = carol.log_eventually(|row| row["event"] == "session.ended" && row["serial"] == serial)?;
    assert!(rows.iter().all(|row| row["facts"]["force_command"].is_string()), "{rows:?}");
    Ok(())
}

/// `ssh -W` from a target onwards, which its certificate gives nobody.
fn forwarded(client: &Client<'_>, stack: &Stack, target: &str) -> Result<Ended> {
    client.ssh(&["-W", stack.get("DAYFLY_WEB1_ADDR")?, target])
}

/// A role whose certificates run one command, that alice may have at both targets, in the CA that runs.
fn add_role(stack: &Stack) -> Result<()> {
    let account = stack.get("DAYFLY_ACCOUNT")?;
    let role = format!(
        "\n[[role]]\nname = \"back-up\"\nprincipals = [\"{account}@{{target}}\"]\ntargets = [\"all\"]\nforce_command = \"echo the back-up; exit 3\"\n"
    );
    let policy = "@id(\"dba-may-back-up\")\npermit (\n  principal in Group::\"dba\",\n  action in [Action::\"request\", Action::\"connect\"],\n  resource == Role::\"back-up\"\n);\n";
    stack.add_role("back-up", &role, policy)
}

fn short_certificate(client: &Client<'_>, role: &str, target: &str) -> Result<()> {
    let out = client.directory().join(target).display().to_string();
    client.dayfly(&["cert", role, "--target", target, "--ttl", SHORT, "--out", &out])?.success().map(drop)
}

fn master(client: &Client<'_>) -> String {
    format!("ControlPath={}", client.directory().join("mux").display())
}

fn until_expired(client: &Client<'_>, target: &str) -> Result<()> {
    eventually("the certificate does not expire", || Ok(has_expired(client, target)?.then_some(())))
}

/// Whether the end that the certificate itself names has come.
fn has_expired(client: &Client<'_>, target: &str) -> Result<bool> {
    let file = client.directory().join(format!("{target}-cert.pub"));
    let text = run(Command::new("ssh-keygen").env("TZ", "UTC").arg("-Lf").arg(file), b"")?.success()?;
    let valid = text.lines().find_map(|line| line.trim().strip_prefix("Valid: from ")).context("ssh-keygen -L prints the window")?;
    let end = valid.split(" to ").nth(1).context("and its end")?;
    let seconds = run(Command::new("date").args(["-u", "-d", end, "+%s"]), b"")?.success()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    Ok(now >= seconds.trim().parse()?)
}
