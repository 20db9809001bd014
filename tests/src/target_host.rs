//! A host with a real `sshd` of its own, run by whoever runs the tests, to be enrolled at a system's CA.

use crate::{
    command::{Ended, eventually, run},
    sshd::{Program, make_run_directory},
    stack::Stack,
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    hash::{BuildHasher, RandomState},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// A host, with `sshd` running and its configuration in a directory of its own. Its `sshd` ends when it is dropped.
#[derive(Debug)]
pub struct TargetHost<'a> {
    stack: &'a Stack,
    directory: TempDir,
    port: u16,
    program: Program,
    sshd: Child,
}

impl<'a> TargetHost<'a> {
    /// A host that nobody has enrolled: any key of `authorized_keys` would get in.
    pub fn start(stack: &'a Stack) -> Result<Self> {
        Self::with(stack, Program::system())
    }

    /// The same with another `sshd` than the system's.
    pub fn with(stack: &'a Stack, program: Program) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("dayfly-host").tempdir()?;
        let place = directory.path();
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(place.join("ssh_host_ed25519_key")), b"")?
            .success()?;
        let port = free_port()?;
        let text = format!(
            "Include {0}/sshd_config.d/*.conf\nPort {port}\nListenAddress 127.0.0.1\nPidFile {0}/pid\nHostKey {0}/ssh_host_ed25519_key\n\
             StrictModes no\nUsePAM no\nLogLevel VERBOSE\nPermitRootLogin prohibit-password\n{1}",
            place.display(),
            program.settings()
        );
        fs::write(place.join("sshd_config"), text)?;
        fs::create_dir(place.join("sshd_config.d"))?;
        make_run_directory()?;
        let trace = fs::File::create(place.join("trace"))?;
        let mut command = Command::new(program.path());
        command.args(["-D", "-e", "-f"]).arg(place.join("sshd_config")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(trace);
        let sshd = command.spawn().context("cannot start sshd")?;
        let host = Self { stack, directory, port, program, sshd };
        eventually("sshd does not start", || Ok(host.path("pid").exists().then_some(())))
            .with_context(|| host.trace().unwrap_or_default())?;
        Ok(host)
    }

    /// A file below the directory of `sshd`'s configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its `sshd`.
    pub fn program(&self) -> &Path {
        self.program.path()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `sshd` has said.
    pub fn trace(&self) -> Result<String> {
        Ok(fs::read_to_string(self.path("trace"))?)
    }

    /// Has the CA name this host, and puts the token where [`Self::enroll`] looks for it.
    pub fn name(&self, name: &str, options: &[&str]) -> Result<Value> {
        let arguments = [&["host", "add", name, "--json"], options].concat();
        let mut command = self.stack.program("dayfly-ca")?;
        command.args(arguments).env("DAYFLY_CA_CONFIG", self.stack.path("DAYFLY_CA_CONFIG")?);
        let told: Value = serde_json::from_str(&run(&mut command, b"")?.success()?)?;
        fs::write(self.path("token"), told.get("token").and_then(Value::as_str).context("a token")?)?;
        Ok(told)
    }

    /// Runs `dayfly host enroll` with the token.
    pub fn enroll(&self, options: &[&str]) -> Result<Ended> {
        let token = self.path("token").display().to_string();
        let (url, pin) = (self.stack.get("DAYFLY_CA_URL")?, self.stack.get("DAYFLY_CA_PIN")?);
        let pid = self.path("pid").display().to_string();
        let sshd = self.program().display().to_string();
        let fixed = ["enroll", url, "--pin", pin, "--token-file", &token, "--pid-file", &pid, "--sshd", &sshd];
        self.dayfly(&[&fixed, options].concat())
    }

    /// Runs `dayfly host` on this host.
    pub fn dayfly(&self, arguments: &[&str]) -> Result<Ended> {
        let place = self.directory.path().display().to_string();
        let mut command = self.stack.program("dayfly")?;
        // A timer has neither a home nor a person.
        command.arg("host").args(arguments).args(["--sshd-config-dir", &place]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        run(&mut command, b"")
    }

    /// The answer of `dayfly host … --json`.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.dayfly(&[arguments, &["--json"]].concat())?.success()?)?)
    }

    /// This host, as `dayfly-ca hosts` shows it.
    pub fn at_the_ca(&self, name: &str) -> Result<Value> {
        let mut command = self.stack.program("dayfly-ca")?;
        command.args(["hosts", "--json"]).env("DAYFLY_CA_CONFIG", self.stack.path("DAYFLY_CA_CONFIG")?);
        let hosts: Vec<Value> = serde_json::from_str(&run(&mut command, b"")?.success()?)?;
        hosts.into_iter().find(|host| host.get("name").is_some_and(|found| found == name)).context("the CA knows the host")
    }

    /// Everything in the directory that is not `sshd`'s own: contents by path.
    pub fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut found = BTreeMap::new();
        collect(self.directory.path(), &mut found)?;
        found.remove(&self.path("trace"));
        Ok(found)
    }
}

/// One below those that outgoing connections use, so that nothing takes it while `sshd` is reloaded and does not listen for a moment.
fn free_port() -> Result<u16> {
    let ports = std::iter::repeat_with(|| 10_000 + (RandomState::new().hash_one(0) % 22_000) as u16);
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.take(1000).find(free).context("there is no free port")
}

impl Drop for TargetHost<'_> {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

fn collect(directory: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else {
            found.insert(path.clone(), fs::read(path)?);
        }
    }
    Ok(())
}
