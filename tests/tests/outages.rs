//! What happens when a part is away, killed or started again.

use anyhow::Result;
use dayfly_tests::{client::Client, command::eventually, stack::Stack, terminal::Terminal};

#[test]
fn without_the_ca_a_recorded_login_ends_at_once_and_says_why() -> Result<()> {
    let mut stack = Stack::own()?;
    {
        let alice = Client::alice(&stack)?;
        stack.signal("ca", "STOP")?;
        let ended = alice.ssh(&["db1", "echo in"]);
        stack.signal("ca", "CONT")?;
        let ended = ended?;
        assert!(ended.code() != Some(0) && ended.text().is_empty());
    }
    {
        let alice = Client::alice(&stack)?;
        stack.signal("ca", "KILL")?;
        let ended = alice.ssh(&["db1", "echo in"])?;
        assert!(ended.code() != Some(0) && ended.text().is_empty());
        assert!(ended.stderr.contains("ca_unavailable"), "{}", ended.stderr);
    }
    stack.restart("ca")?;
    let alice = Client::alice(&stack)?;
    assert_eq!(alice.ssh(&["db1", "echo in"])?.text(), "in\n");
    Ok(())
}

#[test]
fn a_session_survives_the_ca_and_is_told_of_later() -> Result<()> {
    let mut stack = Stack::own()?;
    let serial = {
        let alice = Client::alice(&stack)?;
        let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo up; read -r line; echo \"<$line>\""]), 24, 80)?;
        terminal.expect("up")?;
        stack.signal("ca", "KILL")?;
        terminal.send("still here\n")?;
        terminal.expect("<still here>")?;
        assert_eq!(terminal.end()?, Some(0));
        alice.serial("db1")?
    };
    stack.restart("ca")?;
    let carol = Client::carol(&stack)?;
    carol.log_eventually(|row| row["event"] == "session.ended" && row["serial"] == serial)?;
    carol.dayfly(&["log", "verify"])?.success()?;
    Ok(())
}

#[test]
fn row_13_a_killed_bastion_leaves_recordings_that_read_up_to_the_cut() -> Result<()> {
    let mut stack = Stack::own()?;
    {
        let alice = Client::alice(&stack)?;
        let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo before the cut; read -r line"]), 24, 80)?;
        terminal.expect("before the cut")?;
        // Stored means on disk, and at most a second behind.
        let shown = |text: String| text.contains("before the cut").then_some(());
        eventually("the terminal's output is not on disk", || Ok(stack.casts()?.into_iter().find_map(shown)))?;
        stack.signal("bastion", "KILL")?;
        terminal.end()?;
    }
    stack.restart("bastion")?;
    let alice = Client::alice(&stack)?;
    assert_eq!(alice.ssh(&["db1", "echo in"])?.text(), "in\n");
    let [cut] = stack.recordings("terminal")?.try_into().map_err(|found| anyhow::anyhow!("one recording has a terminal: {found:?}"))?;
    let carol = Client::carol(&stack)?;
    let played = carol.dayfly(&["sessions", "play", &cut.display().to_string()])?;
    assert!(played.text().contains("before the cut"), "{}{}", played.text(), played.stderr);
    Ok(())
}

#[test]
fn a_killed_ca_has_every_certificate_that_it_gave_out() -> Result<()> {
    let mut stack = Stack::own()?;
    let serial = {
        let alice = Client::alice(&stack)?;
        stack.signal("ca", "KILL")?;
        alice.serial("web1")?
    };
    stack.restart("ca")?;
    let carol = Client::carol(&stack)?;
    assert_eq!(carol.log(|row| row["event"] == "certificate.issued" && row["serial"] == serial)?.len(), 1);
    carol.dayfly(&["log", "verify"])?.success()?;
    Ok(())
}
