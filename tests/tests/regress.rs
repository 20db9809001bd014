//! The shorter ones of the regression tests that OpenSSH's own authors run, by way of the bastion. `scripts/regress` runs all that apply.

use anyhow::Result;
use dayfly_tests::{client::Client, command::run, peers::peer, stack::Stack};
use std::{path::Path, process::Command};

fn passes(test: &str) -> Result<()> {
    let Some(tests) = peer("regress")? else { return Ok(()) };
    let alice = Client::alice(Stack::shared()?)?;
    let directory = tempfile::Builder::new().prefix("regress").tempdir()?;
    let mut driver = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/regress.sh"));
    driver.arg(tests).arg(test).arg(alice.directory().join("ssh_config")).arg(directory.path());
    run(&mut driver, b"")?.success().map(drop)
}

#[test]
fn openssh_connects() -> Result<()> {
    passes("connect")
}

#[test]
fn openssh_transfers_in_blocks_of_every_size() -> Result<()> {
    passes("transfer")
}

#[test]
fn openssh_exits_as_what_it_ran() -> Result<()> {
    passes("exit-status")
}

#[test]
fn openssh_does_not_succeed_when_it_is_killed() -> Result<()> {
    passes("exit-status-signal")
}

#[test]
fn openssh_gets_errors_whole() -> Result<()> {
    passes("stderr-data")
}

#[test]
fn openssh_gets_errors_after_the_end_of_the_output() -> Result<()> {
    passes("stderr-after-eof")
}

#[test]
fn openssh_writes_into_a_broken_pipe() -> Result<()> {
    passes("broken-pipe")
}

#[test]
fn openssh_reads_a_head_and_no_more() -> Result<()> {
    passes("yes-head")
}

#[test]
fn openssh_copies_from_one_host_to_another() -> Result<()> {
    passes("scp3")
}

#[test]
fn openssh_obeys_a_batch() -> Result<()> {
    passes("sftp-batch")
}
