//! Runs a program for what it prints: without a shell, an environment or an input, for so long and so many bytes, and leaves nothing of it running.

use crate::{inventory::Trouble, private_file};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

/// The whole environment: where a script finds the system's own programs.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How much of what it complains about is traced, in bytes.
const COMPLAINT: usize = 2048;

/// What a program may use up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) timeout: Duration,
    pub(super) max_bytes: u64,
}

/// What it printed, if it ended in time and with status 0.
pub(super) async fn run(program: &Path, arguments: &[String], limits: Limits) -> Result<Vec<u8>, Trouble> {
    private_file::check_writers(program).map_err(|mistake| Trouble::Unreadable(mistake.to_string()))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| unreadable(&error))?;
    let group = Group::of(&child)?;
    let printed = tokio::time::timeout(limits.timeout, printed(&mut child, &group, limits.max_bytes)).await;
    // What it has started goes with it, whether it has ended or not.
    drop(group);
    child.wait().await.map_err(|error| unreadable(&error))?;
    printed.unwrap_or(Err(Trouble::TimedOut(limits.timeout)))
}

async fn printed(child: &mut Child, group: &Group, max_bytes: u64) -> Result<Vec<u8>, Trouble> {
    let (Some(output), Some(complaints)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Trouble::Unreadable("its output cannot be read".to_owned()));
    };
    let (bytes, complaint) = tokio::try_join!(bounded(output, max_bytes), heard(complaints))?;
    if !complaint.is_empty() {
        tracing::warn!(pid = group.0.as_raw_nonzero().get(), complaint = ?String::from_utf8_lossy(&complaint), "a source of the inventory complains");
    }
    match group.ended().await? {
        Some(0) => Ok(bytes),
        Some(status) => Err(Trouble::Unreadable(format!("it ended with status {status}; what it complained about is in the trace"))),
        None => Err(Trouble::Unreadable("a signal ended it".to_owned())),
    }
}

async fn bounded(output: impl AsyncRead + Unpin, max_bytes: u64) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    output.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).await.map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > max_bytes { Err(Trouble::TooLarge(max_bytes)) } else { Ok(bytes) }
}

/// Everything is read, so that nobody waits to be heard; the beginning is kept.
async fn heard(mut complaints: impl AsyncRead + Unpin) -> Result<Vec<u8>, Trouble> {
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = complaints.read(&mut buffer).await.map_err(|error| unreadable(&error))?;
        let room = COMPLAINT.saturating_sub(kept.len());
        kept.extend(buffer.iter().take(count.min(room)));
        if count == 0 {
            return Ok(kept);
        }
    }
}

/// A program and what it has started, as far as that stayed in its process group. Killed when it is dropped: while the program is not waited for, its number is
/// nobody else's.
struct Group(Pid);

impl Group {
    fn of(child: &Child) -> Result<Self, Trouble> {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        pid.map(Self).ok_or_else(|| Trouble::Unreadable("it ended before it began".to_owned()))
    }

    /// Its status once it has ended, and is still there to be waited for; `None` if a signal ended it.
    async fn ended(&self) -> Result<Option<i32>, Trouble> {
        let pid = self.0;
        let look = move || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let ended = tokio::task::spawn_blocking(look).await.map_err(|error| Trouble::Unreadable(error.to_string()))?;
        Ok(ended.map_err(|error| unreadable(&error.into()))?.and_then(|status| status.exit_status()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody is left in it, if it is not there.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

fn unreadable(error: &std::io::Error) -> Trouble {
    Trouble::Unreadable(error.to_string())
}
