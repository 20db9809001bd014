//! OpenID Connect providers, and a person with a browser, none of them ours.

use super::peer;
use crate::command::run;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};
use tempfile::TempDir;

/// The secret of a provider's one client, `dayfly`: with spaces, which providers read differently.
const SECRET: &str = "correct horse battery staple";

/// A provider on a port of its own.
#[derive(Debug)]
pub struct Provider {
    /// Its issuer URL.
    pub issuer: String,
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _place: TempDir,
}

impl Provider {
    /// npm's `oidc-provider`, which is certified. `None` where it cannot be had.
    pub fn certified() -> Result<Option<Self>> {
        let Some(modules) = peer("node")? else { return Ok(None) };
        Self::start("provider.mjs", "DAYFLY_NODE_MODULES", &modules).map(Some)
    }

    /// Debian's Glewlwyd, which others wrote in another language. `None` where it cannot be had.
    pub fn glewlwyd() -> Result<Option<Self>> {
        let Some(unpacked) = peer("glewlwyd")? else { return Ok(None) };
        Self::start("glewlwyd.mjs", "DAYFLY_GLEWLWYD", &unpacked).map(Some)
    }

    fn start(name: &str, needs: &str, peer: &Path) -> Result<Self> {
        let place = tempfile::Builder::new().prefix("dayfly-provider").tempdir()?;
        let mut command = Command::new("node");
        command.arg(program(name)).arg(place.path()).env(needs, peer);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("cannot start node")?;
        let stdin = process.stdin.take().context("no input")?;
        let mut stdout = BufReader::new(process.stdout.take().context("no output")?);
        let issuer = line(&mut stdout)?;
        Ok(Self { issuer, process, stdin, stdout, _place: place })
    }

    /// What `scripts/stack up --provider` is told.
    pub fn argument(&self) -> String {
        format!("{},dayfly,{SECRET}", self.issuer)
    }

    /// Tells it where people are sent back to, and how to sign. From then on it serves.
    pub fn serve(&mut self, callback: &str, algorithm: &str) -> Result<()> {
        writeln!(self.stdin, "{}", json!({"callback": callback, "alg": algorithm}))?;
        anyhow::ensure!(line(&mut self.stdout)? == "ready", "the provider did not begin");
        Ok(())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Chromium, driven by `playwright-core`.
#[derive(Debug)]
pub struct Chromium {
    modules: PathBuf,
    program: PathBuf,
}

/// What somebody saw in the end.
#[derive(Debug, Deserialize)]
pub struct Browsed {
    /// Where, without the query.
    pub url: String,
    /// The text of the page.
    pub text: String,
    /// The text of the page that told who asks, where there was one.
    pub asked: String,
    /// What the browser refused to do because a page's policy forbids it.
    pub complaints: Vec<String>,
}

impl Chromium {
    /// `None` where it cannot be had.
    pub fn find() -> Result<Option<Self>> {
        Ok(peer("node")?.zip(peer("chromium")?).map(|(modules, program)| Self { modules, program }))
    }

    /// Opens a page of the CA's and signs in at the provider as `login`; types `code` first, if there is one.
    pub fn sign_in(&self, page: &str, login: &str, code: Option<&str>) -> Result<Browsed> {
        let mut command = Command::new("node");
        command.arg(program("browser.mjs")).args([page, login]).args(code);
        command.env("DAYFLY_NODE_MODULES", &self.modules).env("DAYFLY_CHROMIUM", &self.program);
        let text = run(&mut command, b"")?.success()?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }
}

/// Chromium with a passkey of its own, kept in a file from one time to the next.
#[derive(Debug)]
pub struct Passkeys {
    chromium: Chromium,
    kept: PathBuf,
    pin: String,
}

impl Passkeys {
    /// With the passkeys of this file, for a CA with this TLS pin: a browser takes passkeys to no page whose certificate it does not trust.
    pub fn new(chromium: Chromium, kept: PathBuf, pin: &str) -> Self {
        Self { chromium, kept, pin: pin.trim_start_matches("sha256//").to_owned() }
    }

    /// Opens a page of the CA's and does what it asks; types `code` first, if there is one.
    pub fn answer(&self, page: &str, code: Option<&str>) -> Result<Browsed> {
        let text = run(self.command().arg(page).args(code), b"")?.success()?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// What does so for the page that comes after it.
    pub fn command(&self) -> Command {
        let mut command = Command::new("node");
        command.arg(program("passkey.mjs")).arg(&self.kept).arg(&self.pin);
        command.env("DAYFLY_NODE_MODULES", &self.chromium.modules).env("DAYFLY_CHROMIUM", &self.chromium.program);
        command
    }
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

fn line(from: &mut impl BufRead) -> Result<String> {
    let mut text = String::new();
    from.read_line(&mut text)?;
    anyhow::ensure!(!text.is_empty(), "the provider ended");
    Ok(text.trim_end().to_owned())
}
