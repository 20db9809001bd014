//! The command line.

use crate::{commands::Command, error::EXIT_CODES, state::HOME_VARIABLE};
use clap::Parser;
use std::path::PathBuf;

/// Gets SSH certificates that live for minutes, shows what they open, replays sessions and verifies the log.
#[derive(Debug, Parser)]
#[command(name = "dayfly", version, after_help = EXIT_CODES, max_term_width = 120, disable_help_subcommand = true)]
pub struct Arguments {
    /// Where dayfly keeps its files; else the platform's usual place, such as ~/.config/dayfly
    #[arg(long, global = true, value_name = "DIR", env = HOME_VARIABLE, hide_env_values = true)]
    pub home: Option<PathBuf>,

    /// Write JSON: one value, or one a line where there are many. Failures are JSON too, on the standard error
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}
