//! `dayfly completions`.

use crate::error::Failure;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::{self, Write};

/// Arguments of `dayfly completions`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::args::Arguments::command(), "dayfly", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}
