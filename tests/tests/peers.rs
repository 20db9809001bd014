//! Clients that others wrote, through the bastion: OpenSSH 10, PuTTY, asyncssh and paramiko. `scripts/peers` gets them.

use anyhow::Result;
use dayfly_tests::{
    client::Client,
    command::run,
    peers::{Login, Putty, Trust, bastion, peer},
    stack::Stack,
    terminal::Terminal,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn openssh_10_runs_commands_by_user_name_and_by_jump_in_both_modes() -> Result<()> {
    let Some(programs) = peer("openssh10")? else { return Ok(()) };
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    for destination in [format!("{}@db1@bastion", account(stack)?), "db1".to_owned(), "web1".to_owned()] {
        let mut ssh = alice.openssh(&programs.join("ssh").display().to_string());
        let ended = run(ssh.args([&destination, "cat; echo err >&2; exit 7"]), b"in\n")?;
        assert_eq!((ended.text().as_str(), ended.stderr.as_str(), ended.code()), ("in\n", "err\n", Some(7)), "{destination}");
    }
    Ok(())
}

#[test]
fn openssh_10_agrees_on_post_quantum_keys_at_both_hops() -> Result<()> {
    let Some(programs) = peer("openssh10")? else { return Ok(()) };
    let alice = Client::alice(Stack::shared()?)?;
    let ended = run(alice.openssh(&programs.join("ssh").display().to_string()).args(["-v", "db1", "true"]), b"")?;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    for agreed in ["kex: algorithm: mlkem768x25519-sha256", "kex: host key algorithm: ssh-ed25519-cert-v01@openssh.com"] {
        assert_eq!(ended.stderr.matches(agreed).count(), 2, "{agreed}: {}", ended.stderr);
    }
    Ok(())
}

#[test]
fn openssh_10_has_a_terminal_and_carries_files() -> Result<()> {
    let Some(programs) = peer("openssh10")? else { return Ok(()) };
    let alice = Client::alice(Stack::shared()?)?;
    let ssh = programs.join("ssh").display().to_string();
    let mut terminal =
        Terminal::open(alice.openssh(&ssh).args(["-tt", "db1", "stty size; read -r line; echo \"<$line>\"; exit 3"]), 40, 100)?;
    terminal.expect("40 100")?;
    terminal.send("typed\n")?;
    terminal.expect("typed")?;
    terminal.expect("<typed>")?;
    assert_eq!(terminal.end()?, Some(3));
    let files = Files::new()?;
    let mut sftp = alice.openssh(&programs.join("sftp").display().to_string());
    run(sftp.args(["-S", &ssh, "-b", "-", "db1"]), files.batch().as_bytes())?.success()?;
    files.assert_carried()
}

#[test]
fn plink_verifies_the_certified_host_and_runs_a_command() -> Result<()> {
    let Some(programs) = peer("putty")? else { return Ok(()) };
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let user = format!("{}@db1", account(stack)?);
    let putty = Putty::new(&alice, programs)?;
    let (address, _) = bastion(stack)?;
    putty.trust("bastion", &authority(stack, "host_ca")?, address)?;
    let ended = putty.run("plink", &user, &[], &["echo ok; echo err >&2; exit 7"])?;
    assert_eq!((ended.text().as_str(), ended.stderr.as_str(), ended.code()), ("ok\n", "err\n", Some(7)));
    putty.trust("bastion", &alice.directory().join("web1.pub"), address)?;
    let ended = putty.run("plink", &user, &[], &["echo ok"])?;
    assert_eq!((ended.text().as_str(), ended.code()), ("", Some(1)));
    assert!(ended.stderr.contains("Cannot confirm a host key"), "{}", ended.stderr);
    Ok(())
}

#[test]
fn plink_jumps_in_both_modes() -> Result<()> {
    let Some(programs) = peer("putty")? else { return Ok(()) };
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let putty = Putty::new(&alice, programs)?;
    let (address, _) = bastion(stack)?;
    putty.trust("hosts", &authority(stack, "host_ca")?, &format!("{address} || web1"))?;
    putty.trust("recorded", &authority(stack, "inner_host_ca")?, "db1")?;
    for target in ["db1", "web1"] {
        let ended = putty.jump(account(stack)?, target, "echo ok; echo err >&2; exit 7")?;
        assert_eq!((ended.text().as_str(), ended.stderr.as_str(), ended.code()), ("ok\n", "err\n", Some(7)), "{target}");
    }
    Ok(())
}

#[test]
fn psftp_carries_files_both_ways() -> Result<()> {
    let Some(programs) = peer("putty")? else { return Ok(()) };
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let putty = Putty::new(&alice, programs)?;
    putty.trust("bastion", &authority(stack, "host_ca")?, bastion(stack)?.0)?;
    let files = Files::new()?;
    let batch = files.path("batch");
    fs::write(&batch, files.batch())?;
    putty.run("psftp", &format!("{}@db1", account(stack)?), &["-b", &batch], &[])?.success()?;
    files.assert_carried()
}

#[test]
fn asyncssh_runs_a_command_on_a_certified_host_only() -> Result<()> {
    let Some(interpreter) = peer("python")? else { return Ok(()) };
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let user = format!("{}@db1", account(stack)?);
    let login = Login { alice: &alice, user: &user, certificate: "db1", trust: Trust::HostCa };
    assert_eq!(login.python(&interpreter, "with_asyncssh.py", &["run"])?, command_ended());
    let misled = Login { trust: Trust::StrangersCa, ..login }.python(&interpreter, "with_asyncssh.py", &["run"])?;
    assert!(misled.get("unverifiable").is_some(), "{misled}");
    Ok(())
}

#[test]
fn asyncssh_jumps_in_both_modes() -> Result<()> {
    let Some(interpreter) = peer("python")? else { return Ok(()) };
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    for target in ["db1", "web1"] {
        let login = Login { alice: &alice, user: account(stack)?, certificate: target, trust: Trust::HostCa };
        assert_eq!(login.python(&interpreter, "with_asyncssh.py", &["jump", target])?, command_ended(), "{target}");
    }
    Ok(())
}

#[test]
fn asyncssh_has_a_terminal_and_carries_files() -> Result<()> {
    let Some(interpreter) = peer("python")? else { return Ok(()) };
    let stack = Stack::shared()?;
    has_a_terminal_and_carries_files(stack, &interpreter, "with_asyncssh.py", Trust::HostCa)
}

#[test]
fn paramiko_runs_a_command_on_the_pinned_host_only() -> Result<()> {
    let Some(interpreter) = peer("python")? else { return Ok(()) };
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let user = format!("{}@db1", account(stack)?);
    let login = Login { alice: &alice, user: &user, certificate: "db1", trust: Trust::Pinned };
    assert_eq!(login.python(&interpreter, "with_paramiko.py", &["run"])?, command_ended());
    let misled = Login { trust: Trust::StrangersKey, ..login }.python(&interpreter, "with_paramiko.py", &["run"])?;
    assert!(misled.to_string().contains("does not match"), "{misled}");
    Ok(())
}

#[test]
fn paramiko_has_a_terminal_and_carries_files() -> Result<()> {
    let Some(interpreter) = peer("python")? else { return Ok(()) };
    let stack = Stack::shared()?;
    has_a_terminal_and_carries_files(stack, &interpreter, "with_paramiko.py", Trust::Pinned)
}

fn has_a_terminal_and_carries_files(stack: &Stack, interpreter: &Path, program: &str, trust: Trust) -> Result<()> {
    let alice = Client::alice(stack)?;
    let user = format!("{}@db1", account(stack)?);
    let login = Login { alice: &alice, user: &user, certificate: "db1", trust };
    let seen = login.python(interpreter, program, &["terminal"])?;
    assert_eq!(seen.get("status"), Some(&json!(3)), "{seen}");
    let shown = seen.get("shown").and_then(Value::as_str).unwrap_or_default();
    assert!(shown.contains("40 100\r\n"), "{shown:?}");
    let files = Files::new()?;
    let seen = login.python(interpreter, program, &["files", &files.path("")])?;
    assert_eq!(seen, json!({ "size": files.content.len() }));
    files.assert_carried()
}

fn account(stack: &Stack) -> Result<&str> {
    stack.get("DAYFLY_ACCOUNT")
}

/// The public half of one of the CA's keys.
fn authority(stack: &Stack, name: &str) -> Result<PathBuf> {
    Ok(stack.path("DAYFLY_CA_DIR")?.join("keys").join(name).with_extension("pub"))
}

/// What the programs of `tests/peers` print of their command.
fn command_ended() -> Value {
    json!({ "stdout": "in\n", "stderr": "err\n", "status": 7 })
}

/// A file `up`, to be put to `far` and got as `down`.
struct Files {
    directory: tempfile::TempDir,
    content: Vec<u8>,
}

impl Files {
    fn new() -> Result<Self> {
        let files = Self { directory: tempfile::tempdir()?, content: (0..500_000_u32).flat_map(u32::to_be_bytes).collect() };
        fs::write(files.path("up"), &files.content)?;
        Ok(files)
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// For `sftp` and `psftp`.
    fn batch(&self) -> String {
        format!("put {} {}\nget {} {}\n", self.path("up"), self.path("far"), self.path("far"), self.path("down"))
    }

    fn assert_carried(&self) -> Result<()> {
        for name in ["far", "down"] {
            assert!(fs::read(self.path(name))? == self.content, "{name} is another");
        }
        Ok(())
    }
}
