//! What a process and its children have used.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// How long a server may take to wait for a child that has ended.
const REAPING: Duration = Duration::from_secs(5);

/// The time that a process and its children have been on a core, in seconds. Waits until there is no child any more: one that has ended counts only once
/// it was waited for.
pub fn settled_core_seconds(pid: u32) -> Result<f64> {
    let start = Instant::now();
    while !children(pid)?.is_empty() && start.elapsed() < REAPING {
        std::thread::sleep(Duration::from_millis(10));
    }
    core_seconds_of_tree(pid)
}

/// The time that a process and its children have been on a core so far, in seconds; children that have ended and were waited for count, too.
pub fn core_seconds_of_tree(pid: u32) -> Result<f64> {
    let ticks_a_second = 100.0;
    let mut ticks = core_ticks(pid).with_context(|| format!("process {pid} is gone"))?;
    for child in children(pid)? {
        // One that ends meanwhile is counted with its parent from then on.
        ticks += descendants_ticks(child)?;
    }
    Ok(ticks / ticks_a_second)
}

fn descendants_ticks(pid: u32) -> Result<f64> {
    let mut ticks = core_ticks(pid).unwrap_or_default();
    for child in children(pid)? {
        ticks += descendants_ticks(child)?;
    }
    Ok(ticks)
}

/// `utime`, `stime`, `cutime` and `cstime` of proc(5), in ticks of a hundredth of a second.
fn core_ticks(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program may hold anything; it ends with the last parenthesis, and `state` is the third field.
    let (_, after) = stat.rsplit_once(')')?;
    let fields = after.split_whitespace().skip(11).take(4);
    Some(fields.filter_map(|field| field.parse::<f64>().ok()).sum())
}

/// The private resident memory of a process and its children, in KiB (`Private_*` of smaps_rollup).
pub fn memory_of_tree(pid: u32) -> Result<f64> {
    let mut sum = private_memory(pid).unwrap_or(0.0);
    for child in children(pid)? {
        sum += memory_of_tree(child)?;
    }
    Ok(sum)
}

fn private_memory(pid: u32) -> Option<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let lines = rollup.lines().filter(|line| line.starts_with("Private_"));
    Some(lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).sum())
}

fn children(pid: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(other) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if parent(other) == Some(pid) {
            children.push(other);
        }
    }
    Ok(children)
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}
