//! A program in a terminal of its own, typed into, read and resized.

use crate::command::{PATIENCE, run};
use anyhow::{Context, Result, ensure};
use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Instant,
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
