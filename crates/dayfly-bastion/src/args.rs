//! The command line's grammar.

use crate::commands::{check, completions, end, key, serve, sessions, targets, watch};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// What every `--help` ends with.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed; the text on standard error tells the cause and the next step
  2  the command line is wrong
  3  the configuration, or a file that it names, is wrong";

/// The bastion: an SSH jump host that admits Dayfly's certificates only and records sessions.
#[derive(Debug, Parser)]
#[command(name = "dayfly-bastion", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub struct Arguments {
    /// The configuration file
    #[arg(long, global = true, env = "DAYFLY_BASTION_CONFIG", default_value = "bastion.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the configuration, the keys, the directories, and what the CA thinks of this bastion
    #[command(after_help = check::EXIT_CODES)]
    Check(check::Check),
    /// Serve, until SIGTERM or SIGINT; sessions may then go on for as long as `limits.drain` says. SIGHUP reads limits, penalties, banner and message of the
    /// day again, and asks the CA what changed
    #[command(after_help = EXIT_CODES)]
    Serve(serve::Serve),
    /// List the sessions that run through the bastion on this host, as its user or as root
    #[command(after_help = EXIT_CODES)]
    Sessions(sessions::Sessions),
    /// End one of them: its recording is sealed, and the log tells that it was ended here
    #[command(after_help = EXIT_CODES)]
    End(end::End),
    /// Watch what a recorded terminal shows, as text. The log tells that it was watched
    #[command(after_help = EXIT_CODES)]
    Watch(watch::Watch),
    /// List the targets that the bastion may serve, and how each was when it was last dialled, as its user or as root
    #[command(after_help = EXIT_CODES)]
    Targets(targets::Targets),
    /// Print the public half of the key that the bastion is enrolled by; make the key if there is none
    #[command(after_help = EXIT_CODES)]
    Key(key::Key),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_holds() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_configuration_may_be_named_anywhere() {
        let parsed = Arguments::try_parse_from(["dayfly-bastion", "serve", "--config", "x.toml"]).unwrap();
        assert_eq!(parsed.config, PathBuf::from("x.toml"));
    }
}
