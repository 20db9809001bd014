//! What the running CA lets others see of its memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::MetadataExt,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// What starts a program that may not lock memory.
const WITHOUT_LIMIT_TO_LOCK: &str =
    "ulimit -l 64 && if [ \"$(id -u)\" = 0 ]; then exec setpriv --bounding-set=-ipc_lock \"$@\"; else exec \"$@\"; fi";

/// A new CA that wants its memory locked as `wish` says.
fn make(wish: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let init = ["init", "ca", "--url", "https://127.0.0.1:8443", "--listen", "127.0.0.1:0"];
    let made = Command::new(env!("CARGO_BIN_EXE_dayfly-ca")).current_dir(directory.path()).env_clear().args(init).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let config = directory.path().join("ca/ca.toml");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("lock_memory = \"if-permitted\""));
    fs::write(&config, text.replace("lock_memory = \"if-permitted\"", &format!("lock_memory = \"{wish}\""))).unwrap();
    directory
}

/// A CA that serves, or what it said instead.
struct Served {
    process: Child,
    ready: bool,
    _directory: TempDir,
}

impl Served {
    fn start(wish: &str, may_lock: bool) -> Self {
        let directory = make(wish);
        let mut command = match may_lock {
            true => Command::new(env!("CARGO_BIN_EXE_dayfly-ca")),
            false => {
                let mut shell = Command::new("sh");
                shell.args(["-c", WITHOUT_LIMIT_TO_LOCK, "sh", env!("CARGO_BIN_EXE_dayfly-ca")]);
                shell
            }
        };
        command.args(["serve", "--config"]).arg(directory.path().join("ca/ca.toml"));
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, ready: line.contains("ready on"), _directory: directory }
    }

    fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.process.id())).unwrap()
    }

    /// Ends it. What it said on standard error.
    fn end(mut self) -> String {
        let _ = self.process.kill();
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn row_28_no_core_dump_and_no_other_process_shows_a_key() {
    let ca = Served::start("never", true);
    assert!(ca.ready);
    let limits = ca.proc("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    // Not dumpable: what shows memory belongs to root, whoever runs the CA.
    assert_eq!(fs::metadata(format!("/proc/{}/mem", ca.process.id())).unwrap().uid(), 0);
    ca.end();
}

#[test]
fn row_28_memory_is_locked_or_the_ca_says_that_it_is_not() {
    let locked = |ca: &Served| {
        let status = ca.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmLck:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    // Where this system permits it.
    let ca = Served::start("required", true);
    if ca.ready {
        assert!(locked(&ca) > 0);
    } else {
        assert!(ca.end().contains("memory cannot be locked"));
    }
    // Where it does not.
    let ca = Served::start("if-permitted", false);
    assert!(ca.ready && locked(&ca) == 0);
    assert!(ca.end().contains("LimitMEMLOCK=infinity"));
    let ca = Served::start("required", false);
    assert!(!ca.ready);
    let said = ca.end();
    assert!(said.contains("memory cannot be locked") && said.contains("LimitMEMLOCK=infinity"), "{said}");
}
