//! A program in a terminal of its own, typed into, read and resized.

use crate::command::{PATIENCE, run};
use anyhow::{Context, Result, ensure};
use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A program in a terminal, by `script` of util-linux.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    stdin: ChildStdin,
    output: Receiver<Vec<u8>>,
    seen: String,
    searched: usize,
    directory: TempDir,
}

impl Terminal {
    /// Starts `command` in a terminal of so many rows and columns.
    pub fn open(command: &Command, rows: u16, columns: u16) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| quoted(&word.to_string_lossy()));
        let command_line = words.collect::<Vec<_>>().join(" ");
        let device = quoted(&directory.path().join("device").to_string_lossy());
        let line = format!("tty >{device}; stty rows {rows} cols {columns}; exec {command_line}");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("SHELL", "/bin/sh");
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("cannot start script")?;
        let stdin = child.stdin.take().context("it was piped")?;
        let output = follow(child.stdout.take().context("it was piped")?);
        Ok(Self { child, stdin, output, seen: String::new(), searched: 0, directory })
    }

    /// Types `text`.
    pub fn send(&mut self, text: &str) -> Result<()> {
        self.stdin.write_all(text.as_bytes())?;
        Ok(self.stdin.flush()?)
    }

    /// Reads until `text` was shown, after what was expected before.
    pub fn expect(&mut self, text: &str) -> Result<()> {
        self.expect_within(text, PATIENCE)
    }

    /// The same, within a time of its own.
    pub fn expect_within(&mut self, text: &str, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(at) = self.seen.get(self.searched..).and_then(|unsearched| unsearched.find(text)) {
                self.searched += at + text.len();
                return Ok(());
            }
            let more = self.output.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let bytes = more.with_context(|| format!("{text:?} was not shown; this was: {:?}", self.seen))?;
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Gives the terminal another size, as a window manager does.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        let device = std::fs::read_to_string(self.directory.path().join("device"))?;
        let (rows, columns) = (rows.to_string(), columns.to_string());
        run(Command::new("stty").args(["-F", device.trim(), "rows", &rows, "cols", &columns]), b"")?.success().map(drop)
    }

    /// Waits until the program has ended, and returns its status.
    pub fn end(mut self) -> Result<Option<i32>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => ensure!(Instant::now() < deadline, "it did not end; it showed: {:?}", self.seen),
            }
        }
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(mut source: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 8192];
        while let Ok(read) = source.read(&mut buffer) {
            let bytes = buffer.get(..read).unwrap_or_default().to_vec();
            if bytes.is_empty() || sender.send(bytes).is_err() {
                break;
            }
        }
    });
    receiver
}

/// `word` as one word of a shell's command line.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_typed_into_resized_and_read() -> Result<()> {
        let line =
            "until read -r -t 0.1 line; do size=$(stty size); [ \"$size\" = \"$last\" ] || echo \"size:$size\"; last=$size; done; exit 3";
        let mut terminal = Terminal::open(Command::new("bash").args(["-c", line]), 24, 80)?;
        terminal.expect("size:24 80")?;
        terminal.resize(40, 100)?;
        terminal.expect("size:40 100")?;
        terminal.send("\n")?;
        assert_eq!(terminal.end()?, Some(3));
        Ok(())
    }
}
