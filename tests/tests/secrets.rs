//! What a full run leaves behind, and what it shows while it runs: no private key anywhere but in its own file.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{
    client::Client,
    command::{Ended, eventually, run},
    forgery::Forgery,
    secrets::{Search, SecretKey, files},
    stack::Stack,
    terminal::Terminal,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Every private key that there is to be, below the stack's directory.
const KEYS: &[&str] = &[
    "bastion/bastion_key",
    "bastion/host_key",
    "bastion/state/inner-hosts/db1",
    "ca/keys/host_ca",
    "ca/keys/inner_host_ca",
    "ca/keys/log_key",
    "ca/keys/session_ca",
    "ca/keys/user_ca",
    "ca/tls/key.pem",
    "home/alice/certs/db1",
    "home/alice/certs/web1",
    "home/alice/id_ed25519",
    "home/bob/id_ed25519",
    "home/carol/id_ed25519",
    "targets/db1/host_key",
    "targets/web1/host_key",
];

#[test]
fn row_28_a_full_run_writes_no_key_but_in_its_own_file() -> Result<()> {
    let stack = Stack::own()?;
    let mut said = Said::default();
    // The most that the parts can be made to say.
    for part in ["ca", "bastion"] {
        restart_talkative(&stack, part)?;
    }
    let alice = Client::alice(&stack)?;
    full_run(&stack, &alice, &mut said)?;
    for part in ["bastion", "ca"] {
        restart_talkative(&stack, part)?;
    }
    said.ended(alice.ssh(&["db1", "echo again"])?);
    said.processes(&stack)?;
    said.waiting_program(&stack)?;

    // The programs are nothing that a run writes.
    let programs = stack.path("DAYFLY_BIN")?;
    let written: Vec<PathBuf> = files(stack.directory())?.into_iter().filter(|path| !path.starts_with(programs)).collect();
    let keys: Vec<SecretKey> =
        written.iter().chain(&files(alice.directory())?).filter_map(|path| SecretKey::read(path).transpose()).collect::<Result<_>>()?;
    assert!(keys.iter().all(|key| key.is_private), "others may read one of {keys:?}");
    let below: Vec<&Path> = keys.iter().filter_map(|key| key.path.strip_prefix(stack.directory()).ok()).collect();
    assert_eq!(below, KEYS.iter().map(Path::new).collect::<Vec<_>>());
    assert_eq!(keys.len(), KEYS.len() + 2, "alice has two certificates more");
    assert_written(&stack, &written)?;
    let search = Search::new(&keys);
    for path in written.iter().chain(&files(alice.directory())?) {
        let bytes = fs::read(path)?;
        assert!(keys.iter().any(|key| key.path == *path) || !holds_any_key(&bytes), "{} holds a private key", path.display());
        let found = search.found_in(&bytes).into_iter().find(|key| key.path != *path);
        assert!(found.is_none(), "{} holds what {:?} keeps secret", path.display(), found.map(|key| &key.path));
    }
    for (whose, bytes) in &said.0 {
        assert!(!holds_any_key(bytes), "{whose} shows a private key");
        assert!(search.found_in(bytes).is_empty(), "{whose} shows a private key");
    }
    Ok(())
}

/// What every OpenSSH private key file begins with, in base64: keys that were never in a file of their own would show by it.
fn holds_any_key(bytes: &[u8]) -> bool {
    let magic = b"b3BlbnNzaC1rZXktdjEA";
    bytes.windows(magic.len()).any(|window| window == magic)
}

/// Logins, certificates, a terminal, commands, files, refusals of every kind, and readings.
fn full_run(stack: &Stack, alice: &Client<'_>, said: &mut Said) -> Result<()> {
    let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "read -r line; echo \"<$line>\""]), 24, 80)?;
    terminal.send("typed\n")?;
    terminal.expect("<typed>")?;
    terminal.end()?;
    for arguments in [&["db1", "echo in"][..], &["web1", "echo in"], &["-W", "127.0.0.1:1", "bastion"], &["root@nowhere@bastion", "true"]] {
        said.ended(alice.ssh(&[&["-vvv"], arguments].concat())?);
    }
    said.ended(run(alice.openssh("sftp").args(["-b", "-", "db1"]), b"pwd\n")?);
    for forgery in Forgery::all(stack)? {
        said.ended(forgery.client(stack)?.ssh(&["db1", "true"])?);
    }
    let (bob, carol) = (Client::bob(stack)?, Client::carol(stack)?);
    said.ended(bob.certificate("db-admin", "db1")?);
    said.ended(bob.dayfly(&["log", "tail"])?);
    let certificate = alice.directory().join("db1-cert.pub").display().to_string();
    for arguments in [&["whoami"][..], &["roles"], &["ssh-config"], &["inspect", &certificate]] {
        said.ended(alice.dayfly(arguments)?);
        said.ended(alice.dayfly(&[arguments, &["--json"]].concat())?);
    }
    // A private key in the place of a certificate, and of a configuration: whoever complains of it does not show it.
    let key = alice.directory().join("db1").display().to_string();
    said.ended(alice.dayfly(&["inspect", &key])?);
    for program in ["dayfly-ca", "dayfly-bastion"] {
        said.ended(run(stack.program(program)?.args(["check", "--config", &key]), b"")?);
    }
    let serial = alice.serial("db1")?;
    carol.log_eventually(|row| row["event"] == "session.ended" && row["serial"] == serial)?;
    let export = run(stack.program("dayfly-ca")?.args(["log", "export", "--config"]).arg(stack.path("DAYFLY_CA_CONFIG")?), b"")?;
    assert!(!export.stdout.is_empty(), "{}", export.stderr);
    said.ended(export);
    for arguments in [&["log", "tail", "--json"][..], &["log", "verify"], &["sessions", "list"]] {
        said.ended(carol.dayfly(arguments)?);
    }
    Ok(())
}

/// What was shown: by whom, and which bytes.
#[derive(Default)]
struct Said(Vec<(String, Vec<u8>)>);

impl Said {
    fn ended(&mut self, ended: Ended) {
        self.0.push((format!("a program that said {:.200}", ended.stderr), [ended.stdout, ended.stderr.into_bytes()].concat()));
    }

    /// What everybody on the host can see of the processes that run.
    fn processes(&mut self, stack: &Stack) -> Result<()> {
        for part in ["ca", "bastion", "db1", "web1"] {
            self.process(part, pid(stack, part)?.parse()?)?;
        }
        Ok(())
    }

    /// A `dayfly` that waits for the CA's answer, so that it can be looked at.
    fn waiting_program(&mut self, stack: &Stack) -> Result<()> {
        let ca = pid(stack, "ca")?;
        let send = |signal: &str| run(Command::new("kill").args(["-s", signal, &ca]), b"")?.success();
        send("STOP")?;
        let mut command = stack.program("dayfly")?;
        command.args(["cert", "db-admin", "--target", "db1", "--out"]).arg(stack.directory().join("home/alice/certs/db1"));
        command.env("DAYFLY_HOME", stack.path("DAYFLY_ALICE_HOME")?).stdout(Stdio::null()).stderr(Stdio::null());
        let seen = command.spawn().context("cannot start dayfly").and_then(|mut child| {
            let id = child.id();
            let begun = eventually("dayfly does not ask the CA", || {
                Ok(fs::read_dir(format!("/proc/{id}/fd"))?.flatten().any(|fd| is_socket(&fd.path())).then_some(()))
            });
            let seen = begun.and_then(|()| self.process("dayfly", id));
            send("CONT")?;
            ensure!(child.wait()?.success(), "dayfly did not get its certificate");
            seen
        });
        send("CONT")?;
        seen
    }

    fn process(&mut self, name: &str, id: u32) -> Result<()> {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{id}/{file}"))?;
            ensure!(!bytes.is_empty(), "{name} shows no {file}");
            self.0.push((format!("{name}'s {file}"), bytes));
        }
        Ok(())
    }
}

fn is_socket(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
}

/// There has to be something to search: each of what a run writes is there.
fn assert_written(stack: &Stack, written: &[PathBuf]) -> Result<()> {
    for part in ["traces/ca", "traces/bastion", "ca/ca.db", "ca/ca.db-wal", "bastion/state/events.spool", "bastion/state/inventory.json"] {
        assert!(written.contains(&stack.directory().join(part)), "there is no {part}");
    }
    for name in ["manifest.json", "events.ndjson", "terminal-0.cast"] {
        assert!(!stack.recordings(name)?.is_empty(), "there is no {name}");
    }
    let trace = fs::read_to_string(stack.directory().join("traces/bastion"))?;
    assert!(trace.contains("TRACE") && trace.contains("DEBUG"), "the bastion does not say all that it can");
    Ok(())
}

fn pid(stack: &Stack, part: &str) -> Result<String> {
    let text = fs::read_to_string(stack.directory().join("run").join(format!("{part}.pid")))?;
    text.split_whitespace().next().map(str::to_owned).context("PID START")
}

/// Starts a part again with everything traced, that of its libraries too.
fn restart_talkative(stack: &Stack, part: &str) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/stack");
    run(Command::new(script).arg("restart").arg(stack.directory()).arg(part).env("DAYFLY_LOG", "trace"), b"")?.success().map(drop)
}
