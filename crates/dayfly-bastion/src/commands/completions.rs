//! `dayfly-bastion completions`: a completion script for a shell.

use crate::args::Arguments;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::Write;

/// For which shell.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "dayfly-bastion", &mut script);
        Ok(out.write_all(&script)?)
    }
}
