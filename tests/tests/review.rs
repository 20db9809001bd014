//! What a reviewer sees: sessions, recordings, and a log that links them.

use anyhow::{Context, Result};
use dayfly_tests::{client::Client, stack::Stack, terminal::Terminal};

#[test]
fn a_terminal_session_is_listed_shown_and_played() -> Result<()> {
    let stack = Stack::shared()?;
    let (alice, carol) = (Client::alice(stack)?, Client::carol(stack)?);
    let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo \"seen by $(id -un)\"; exit 6"]), 24, 80)?;
    terminal.expect("seen by")?;
    assert_eq!(terminal.end()?, Some(6));
    let serial = alice.serial("db1")?;
    let ended = carol.log_eventually(|row| row["event"] == "session.ended" && row["serial"] == serial)?;
    let session = ended.first().and_then(|row| row["session"].as_str()).context("the row names its session")?;
    assert!(carol.dayfly(&["sessions", "list"])?.success()?.contains(session));
    let shown = carol.dayfly(&["sessions", "show", session, "--json"])?.success()?;
    assert!(shown.contains("alice") && shown.contains("db1"), "{shown}");
    let played = carol.dayfly(&["sessions", "play", session, "--recordings", stack.get("DAYFLY_RECORDINGS")?])?.success()?;
    assert!(played.contains(&format!("seen by {}", stack.get("DAYFLY_ACCOUNT")?)), "{played}");
    Ok(())
}

#[test]
fn an_edited_recording_is_not_played() -> Result<()> {
    let stack = Stack::own()?;
    {
        let alice = Client::alice(&stack)?;
        let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo the truth"]), 24, 80)?;
        terminal.expect("the truth")?;
        terminal.end()?;
        let serial = alice.serial("db1")?;
        Client::carol(&stack)?.log_eventually(|row| row["event"] == "session.ended" && row["serial"] == serial)?;
    }
    let [recording] =
        stack.recordings("terminal")?.try_into().map_err(|found| anyhow::anyhow!("one recording has a terminal: {found:?}"))?;
    let carol = Client::carol(&stack)?;
    let recording_name = recording.display().to_string();
    assert!(carol.dayfly(&["sessions", "play", &recording_name])?.success()?.contains("the truth"));
    let cast = recording.join("terminal-0.cast");
    std::fs::write(&cast, std::fs::read_to_string(&cast)?.replace("the truth", "a fairy tale"))?;
    let played = carol.dayfly(&["sessions", "play", &recording_name])?;
    assert!(played.code() != Some(0) && !played.text().contains("a fairy tale"), "{}", played.text());
    assert!(played.stderr.contains("terminal-0.cast"), "{}", played.stderr);
    Ok(())
}

#[test]
fn the_log_links_certificate_and_session_and_verifies() -> Result<()> {
    let stack = Stack::shared()?;
    let (alice, carol) = (Client::alice(stack)?, Client::carol(stack)?);
    assert_eq!(alice.ssh(&["db1", "exit 0"])?.code(), Some(0));
    let serial = alice.serial("db1")?;
    carol.log_eventually(|row| row["event"] == "session.ended" && row["serial"] == serial)?;
    let rows = carol.log(|row| row["serial"] == serial)?;
    let events: Vec<&str> = rows.iter().filter_map(|row| row["event"].as_str()).collect();
    assert_eq!(events, ["certificate.intended", "certificate.issued", "session.started", "session.ended"]);
    for row in rows {
        for name in ["seq", "time", "event", "subject", "role", "target", "serial", "session", "outcome", "reason"] {
            assert!(row.get(name).is_some(), "{name} in {row}");
        }
        assert_eq!((&row["subject"], &row["role"], &row["target"]), (&"alice".into(), &"db-admin".into(), &"db1".into()));
    }
    carol.dayfly(&["log", "verify"])?.success()?;
    Ok(())
}
