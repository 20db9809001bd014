//! Running a program to its end: with input, a deadline, and everything it said.

use anyhow::{Context, Result, bail, ensure};
use std::{
    io::{Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// The longest that a program may take before the test gives it up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// What it wrote to its output.
    pub stdout: Vec<u8>,
    /// What it wrote to its error output.
    pub stderr: String,
}

impl Ended {
    /// The output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its exit status, `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The output as text, or an error with all it said if it failed.
    pub fn success(self) -> Result<String> {
        if self.status.success() { Ok(self.text()) } else { bail!("{}\n{}{}", self.status, self.text(), self.stderr) }
    }
}

/// Runs `command` with `input` and waits for its end, at most [`PATIENCE`].
pub fn run(command: &mut Command, input: &[u8]) -> Result<Ended> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("cannot start {command:?}"))?;
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let (mut stdin, input) = (child.stdin.take(), input.to_vec());
    // A program that does not read must not keep us from reading what it writes; one that has ended has no use for the rest.
    thread::spawn(move || stdin.as_mut().map(|stdin| stdin.write_all(&input)));
    let Some(status) = wait(&mut child)? else {
        let _ = child.kill();
        let _ = child.wait();
        bail!("{command:?} did not end within {PATIENCE:?}; it wrote: {}", String::from_utf8_lossy(&stdout.recv().unwrap_or_default()));
    };
    let stdout = stdout.recv().context("nobody read the output")?;
    let stderr = String::from_utf8_lossy(&stderr.recv().context("nobody read the error output")?).into_owned();
    Ok(Ended { status, stdout, stderr })
}

/// Asks until there is an answer, at most [`PATIENCE`]: for what happens in another process, which tells nobody when.
pub fn eventually<T>(otherwise: &str, ask: impl Fn() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        ensure!(Instant::now() < deadline, "{otherwise}, not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn drain(source: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut source) = source {
            let _ = source.read_to_end(&mut bytes);
        }
        sender.send(bytes)
    });
    receiver
}

/// The status, or `None` when the deadline has passed. There is no wait with a deadline in the standard library, so it is asked for now and then.
fn wait(child: &mut Child) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}
