//! The configuration that `dayfly ssh-config` writes, used as it is by a stock `ssh`: with certificates in files, and in an agent.

use anyhow::{Context, Result};
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    stack::Stack,
};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

#[test]
fn with_certificates_in_files() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let certificates = alice.directory().display().to_string();
    let config = write_config(&alice, &["--certs", &certificates])?;
    for target in ["db1", "web1"] {
        assert_eq!(run(ssh(&config, None).args([target, "echo in"]), b"")?.success()?, "in\n", "{target}");
    }
    Ok(())
}

#[test]
fn with_certificates_in_the_agent() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let config = write_config(&alice, &[])?;
    let agent = Agent::start(alice.directory().join("agent"))?;
    for (role, target) in [("db-admin", "db1"), ("web", "web1")] {
        let mut dayfly = stack.program("dayfly")?;
        dayfly.env("DAYFLY_HOME", stack.get("DAYFLY_ALICE_HOME")?).env("SSH_AUTH_SOCK", &agent.socket);
        run(dayfly.args(["cert", role, "--target", target]), b"")?.success()?;
    }
    for target in ["db1", "web1"] {
        assert_eq!(run(ssh(&config, Some(&agent)).args([target, "echo in"]), b"")?.success()?, "in\n", "{target}");
    }
    Ok(())
}

/// What `dayfly ssh-config` makes, in files of this client's own.
fn write_config(client: &Client<'_>, options: &[&str]) -> Result<PathBuf> {
    let path = |name| client.directory().join(name);
    let (config, known_hosts) = (path("written_config").display().to_string(), path("written_known_hosts").display().to_string());
    let arguments = [&["ssh-config", "--out", &config, "--known-hosts", &known_hosts], options].concat();
    client.dayfly(&arguments)?.success()?;
    Ok(config.into())
}

fn ssh(config: &Path, agent: Option<&Agent>) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args(["-o", "BatchMode=yes", "-F"]).arg(config).env_remove("SSH_AUTH_SOCK");
    if let Some(agent) = agent {
        ssh.env("SSH_AUTH_SOCK", &agent.socket);
    }
    ssh
}

/// OpenSSH's agent, which ends with the test.
struct Agent {
    socket: PathBuf,
    process: Child,
}

impl Agent {
    fn start(socket: PathBuf) -> Result<Self> {
        let process =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().context("cannot start ssh-agent")?;
        let agent = Self { socket, process };
        eventually("the agent does not listen", || Ok(agent.socket.exists().then_some(())))?;
        Ok(agent)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
