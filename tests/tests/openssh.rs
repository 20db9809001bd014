//! Stock OpenSSH through the bastion: streams, status, terminals, files, both ways in and both modes.

use anyhow::Result;
use dayfly_tests::{client::Client, command::run, stack::Stack, terminal::Terminal};
use std::fs;

#[test]
fn a_command_has_its_own_streams_and_status() -> Result<()> {
    let alice = Client::alice(Stack::shared()?)?;
    let ended = alice.ssh(&["db1", "echo ok; echo err >&2; exit 7"])?;
    assert_eq!((ended.text().as_str(), ended.stderr.as_str(), ended.code()), ("ok\n", "err\n", Some(7)));
    Ok(())
}

#[test]
fn a_command_reads_its_input_to_the_end() -> Result<()> {
    let alice = Client::alice(Stack::shared()?)?;
    let input: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let ended = run(alice.openssh("ssh").args(["db1", "cat"]), &input)?;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout == input, "{} of {} bytes came back", ended.stdout.len(), input.len());
    Ok(())
}

#[test]
fn a_slow_reader_loses_nothing_and_ends() -> Result<()> {
    let alice = Client::alice(Stack::shared()?)?;
    let script = format!("{} | (sleep 1; wc -c)", quoted(&alice, "db1 'head -c 50000000 /dev/zero'")?);
    assert_eq!(run(std::process::Command::new("bash").args(["-c", &script]), b"")?.success()?.trim(), "50000000");
    Ok(())
}

#[test]
fn a_signal_is_told_as_ssh_tells_it() -> Result<()> {
    let alice = Client::alice(Stack::shared()?)?;
    assert_eq!(alice.ssh(&["db1", "kill -TERM $$"])?.code(), Some(255));
    Ok(())
}

#[test]
fn a_terminal_is_real_and_follows_the_window() -> Result<()> {
    let alice = Client::alice(Stack::shared()?)?;
    let watch =
        "tty; until read -r -t 0.1 line; do size=$(stty size); [ \"$size\" = \"$last\" ] || echo \"size:$size\"; last=$size; done; exit 3";
    let remote = format!("bash -c '{watch}'");
    let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", &remote]), 24, 80)?;
    terminal.expect("/dev/pts/")?;
    terminal.expect("size:24 80")?;
    terminal.resize(40, 100)?;
    terminal.expect("size:40 100")?;
    terminal.send("\n")?;
    assert_eq!(terminal.end()?, Some(3));
    Ok(())
}

#[test]
fn scp_and_sftp_carry_files_both_ways() -> Result<()> {
    let alice = Client::alice(Stack::shared()?)?;
    let here = tempfile::tempdir()?;
    let there = tempfile::tempdir()?;
    let (up, far, down) = (here.path().join("up"), there.path().join("far"), here.path().join("down"));
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_be_bytes).collect();
    fs::write(&up, &content)?;
    run(alice.openssh("scp").arg(&up).arg(format!("db1:{}", far.display())), b"")?.success()?;
    run(alice.openssh("scp").arg(format!("db1:{}", far.display())).arg(&down), b"")?.success()?;
    assert!(fs::read(&down)? == content);
    let batch = format!("put {} {}.2\nget {}.2 {}.2\n", up.display(), far.display(), far.display(), down.display());
    run(alice.openssh("sftp").args(["-b", "-", "db1"]), batch.as_bytes())?.success()?;
    assert!(fs::read(format!("{}.2", down.display()))? == content);
    Ok(())
}

#[test]
fn the_target_can_stand_in_the_user_name() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let ended = alice.ssh(&[&format!("{}@db1@bastion", stack.get("DAYFLY_ACCOUNT")?), "echo ok; exit 4"])?;
    assert_eq!((ended.text().as_str(), ended.code()), ("ok\n", Some(4)), "{}", ended.stderr);
    Ok(())
}

#[test]
fn a_passthrough_target_in_the_user_name_is_refused_with_the_way_that_works() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let ended = alice.ssh(&[&format!("{}@web1@bastion-web1", stack.get("DAYFLY_ACCOUNT")?), "echo ok"])?;
    assert_ne!(ended.code(), Some(0));
    assert!(ended.stderr.contains("-J"), "{}", ended.stderr);
    Ok(())
}

#[test]
fn a_passthrough_target_is_reached_end_to_end() -> Result<()> {
    let alice = Client::alice(Stack::shared()?)?;
    let ended = alice.ssh(&["web1", "echo ok; echo err >&2; exit 5"])?;
    assert_eq!((ended.text().as_str(), ended.code()), ("ok\n", Some(5)), "{}", ended.stderr);
    Ok(())
}

#[test]
fn channels_of_one_connection_are_sessions_of_their_own() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let socket = alice.directory().join("mux");
    let master = format!("ControlPath={}", socket.display());
    let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "-M", "-o", &master, "db1", "echo up; read -r line"]), 24, 80)?;
    terminal.expect("up")?;
    for number in 0..3 {
        let ended = alice.ssh(&["-o", &master, "db1", &format!("echo {number}; exit {number}")])?;
        assert_eq!((ended.text(), ended.code()), (format!("{number}\n"), Some(number)), "{}", ended.stderr);
    }
    terminal.send("\n")?;
    terminal.end()?;
    Ok(())
}

/// `ssh -F … ARGUMENTS` as a shell writes it.
fn quoted(client: &Client<'_>, arguments: &str) -> Result<String> {
    Ok(format!("ssh -F '{}' {arguments}", client.directory().join("ssh_config").display()))
}
