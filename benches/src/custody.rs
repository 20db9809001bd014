//! One CA key of a kind, in a file, in a real ssh-agent and on a SoftHSM token, each opened as the CA opens it.

use anyhow::{Context, Result, bail, ensure};
use dayfly_ca::{
    config::{AgentKey, Calls, Custody, Key, TokenKey},
    signer::{self, secrets::Secrets},
};
use dayfly_core::signer::Signer;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// Debian's module, and the variable by which it finds its tokens.
pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// See [`MODULE`].
pub const TOKENS: &str = "SOFTHSM2_CONF";
/// The token's label and PIN.
pub const TOKEN: &str = "dayfly";
/// See [`TOKEN`].
pub const PIN: &str = "12345678";

/// The kinds of keys: their name, what ssh-keygen calls them, and what pkcs11-tool does.
pub const KINDS: [(&str, [&str; 2], &str); 5] = [
    ("Ed25519", ["ed25519", "256"], "EC:edwards25519"),
    ("P-256", ["ecdsa", "256"], "EC:secp256r1"),
    ("P-384", ["ecdsa", "384"], "EC:secp384r1"),
    ("RSA-3072", ["rsa", "3072"], "rsa:3072"),
    ("RSA-4096", ["rsa", "4096"], "rsa:4096"),
];

/// As many signatures at a time as there are sessions by default.
const CALLS: Calls = Calls { timeout: Duration::from_secs(30), sessions: 4 };

/// Where the keys are, and an agent that ends with this value.
pub struct Keys {
    directory: PathBuf,
    agent: Child,
}

impl Keys {
    /// Makes a token and starts an agent under `directory`. [`TOKENS`] must name `directory/softhsm2.conf`.
    pub fn make(directory: &Path) -> Result<Self> {
        fs::create_dir(directory.join("tokens"))?;
        fs::write(
            directory.join("softhsm2.conf"),
            format!("directories.tokendir = {}\nlog.level = ERROR\n", directory.join("tokens").display()),
        )?;
        fs::write(directory.join("pin"), PIN)?;
        run(Command::new("chmod").arg("600").arg(directory.join("pin")))?;
        run(Command::new("softhsm2-util").args(["--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", PIN]))?;
        let socket = directory.join("agent.sock");
        let agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn();
        let keys = Self { directory: directory.to_owned(), agent: agent.context("ssh-agent cannot be started")? };
        let start = Instant::now();
        while !socket.exists() {
            ensure!(start.elapsed() < Duration::from_secs(10), "the agent does not start");
            std::thread::yield_now();
        }
        Ok(keys)
    }

    /// The agent's socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("agent.sock")
    }

    /// A new key of a kind in a file; that key in the agent; and another of that kind on the token.
    pub fn of_kind(&self, (name, [kind, bits], on_token): (&str, [&str; 2], &str)) -> Result<[Arc<dyn Signer>; 3]> {
        let path = self.directory.join(name);
        run(Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-b", bits, "-f"]).arg(&path))?;
        run(Command::new("ssh-add").arg("-q").arg(&path).env("SSH_AUTH_SOCK", self.socket()))?;
        let token =
            ["--module", MODULE, "--token-label", TOKEN, "--login", "--pin", PIN, "--keypairgen", "--label", name, "--key-type", on_token];
        run(Command::new("pkcs11-tool").args(token))?;
        let key = fs::read_to_string(path.with_extension("pub"))?;
        let agent = Custody::Agent(AgentKey { socket: self.socket(), key, calls: CALLS });
        let token = Custody::Token(TokenKey {
            module: MODULE.into(),
            token: TOKEN.to_owned(),
            label: Some(name.to_owned()),
            id: None,
            pin_file: Some(self.directory.join("pin")),
            calls: CALLS,
        });
        Ok([open(Custody::File(path))?, open(agent)?, open(token)?])
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn open(custody: Custody) -> Result<Arc<dyn Signer>> {
    let key = Key { purpose: "user_ca", custody, file: PathBuf::from("ca.toml"), line: 1 };
    signer::open(&key, &Secrets::none()).map_err(|mistake| anyhow::anyhow!("{mistake}"))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    if output.status.success() { Ok(()) } else { bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)) }
}
