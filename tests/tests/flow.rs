//! Bulk in both directions, with readers that pause: nothing is lost, everybody ends, memory stays bounded. Twenty of twenty.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{client::Client, command::run, stack::Stack};
use std::{fs, process::Command, thread};

/// How often each case runs, and how many of them at once.
const ROUNDS: usize = 20;
const AT_ONCE: usize = 5;

/// More than windows, pipes and the bastion's own queues hold together, in bytes.
const BULK: usize = 24_000_000;

/// What the bastion may hold at its worst, in KiB: less than what [`AT_ONCE`] of these sessions have on the way in one direction.
const MOST_MEMORY_KIB: u64 = 96 * 1024;

/// A client's side of a case as a shell writes it, around `ssh TARGET`.
struct Case {
    name: &'static str,
    before: &'static str,
    command: &'static str,
    after: &'static str,
}

const CASES: [Case; 3] = [
    Case { name: "a reader that pauses", before: "", command: "head -c BULK /dev/zero", after: "| (sleep 1; wc -c)" },
    Case { name: "both directions at once", before: "head -c BULK /dev/zero |", command: "cat", after: "| wc -c" },
    Case {
        name: "both directions, and a reader that pauses",
        before: "head -c BULK /dev/zero |",
        command: "cat",
        after: "| (sleep 1; wc -c)",
    },
];

#[test]
fn twenty_of_twenty_end_whole_with_bounded_memory() -> Result<()> {
    let stack = Stack::own()?;
    let alice = Client::alice(&stack)?;
    for target in ["db1", "web1"] {
        for case in &CASES {
            thread::scope(|scope| {
                let lanes: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| lane(&alice, case, target))).collect();
                lanes.into_iter().try_for_each(|lane| lane.join().map_err(|_| anyhow::anyhow!("a lane panicked"))?)
            })?;
        }
    }
    let peak = peak_memory(&stack)?;
    ensure!(peak < MOST_MEMORY_KIB, "the bastion held {peak} KiB");
    Ok(())
}

fn lane(client: &Client<'_>, case: &Case, target: &str) -> Result<()> {
    let ssh = format!("ssh -F '{}' {target} '{}'", client.directory().join("ssh_config").display(), case.command);
    let script = format!("set -o pipefail; {} {ssh} {}", case.before, case.after).replace("BULK", &BULK.to_string());
    for round in 0..ROUNDS / AT_ONCE {
        let ended = run(Command::new("bash").args(["-c", &script]), b"")?;
        ensure!(ended.text().trim() == BULK.to_string(), "{}, {target}, round {round}: {}{}", case.name, ended.text(), ended.stderr);
        ensure!(ended.code() == Some(0), "{}, {target}, round {round}: {}", case.name, ended.stderr);
    }
    Ok(())
}

/// Every megabyte the client asks for new keys, outside and inside the ProxyJump, in the middle of bulk in both directions.
#[test]
fn row_09_bulk_is_intact_across_rekeys_both_ways() -> Result<()> {
    let alice = Client::alice(Stack::shared()?)?;
    let config = fs::read_to_string(alice.directory().join("ssh_config"))?;
    alice.edit_ssh_config(|_| Ok(format!("RekeyLimit 1M\n{config}")))?;
    let input: Vec<u8> = (0..BULK / 4).map(|n| n as u32).flat_map(u32::to_le_bytes).collect();
    for target in ["db1", "web1"] {
        for cipher in ["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com"] {
            let ended = run(alice.openssh("ssh").args(["-v", "-c", cipher, target, "cat"]), &input)?;
            ensure!(ended.code() == Some(0), "{target}, {cipher}: {}", ended.stderr);
            ensure!(ended.stdout == input, "{target}, {cipher}: {} of {} bytes came back", ended.stdout.len(), input.len());
            let rekeys = ended.stderr.matches("SSH2_MSG_NEWKEYS received").count();
            ensure!(rekeys >= BULK / 2_000_000, "{target}, {cipher}: {rekeys} key exchanges");
        }
    }
    Ok(())
}

/// The most memory that the bastion has had in RAM at once, in KiB (`VmHWM` of proc(5)).
fn peak_memory(stack: &Stack) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", stack.get("DAYFLY_BASTION_PID")?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells the peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
