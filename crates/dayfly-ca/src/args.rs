//! The command line's grammar.

use crate::commands::{bastion, check, completions, device, host, init, inventory, log, policy, revocations, revoke, rotate, serve, user};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// What every `--help` ends with.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed; the text on standard error tells the cause and the next step
  2  the command line is wrong
  3  the configuration, or a file that it names, is wrong";

/// The SSH certificate authority.
#[derive(Debug, Parser)]
#[command(name = "dayfly-ca", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub struct Arguments {
    /// The configuration file
    #[arg(long, global = true, env = "DAYFLY_CA_CONFIG", default_value = "ca.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a directory with everything that a new CA needs
    #[command(after_help = EXIT_CODES)]
    Init(init::Init),
    /// Check the configuration, roles, targets, policies, keys and the store
    #[command(after_help = check::EXIT_CODES)]
    Check(check::Check),
    /// Serve, until SIGTERM or SIGINT; SIGHUP has roles, targets, policies, the inventory's sources and the TLS certificate read anew
    #[command(after_help = EXIT_CODES)]
    Serve(serve::Serve),
    /// Enrol, disable and list people and machines
    #[command(subcommand, after_help = EXIT_CODES)]
    User(user::User),
    /// List, approve and disable people's devices
    #[command(subcommand, after_help = EXIT_CODES)]
    Device(device::Device),
    /// Enrol and list bastions
    #[command(subcommand, after_help = EXIT_CODES)]
    Bastion(bastion::Bastion),
    /// List every target: where it is listed, when that was last read, and what is wrong
    #[command(after_help = EXIT_CODES)]
    Inventory(inventory::Inventory),
    /// Enrol, disable and list hosts
    #[command(subcommand, after_help = EXIT_CODES)]
    Host(host::Host),
    /// Show each host: its names, its certificate, when it was seen, and whether its revocation list is stale
    #[command(after_help = EXIT_CODES)]
    Hosts(host::List),
    /// Revoke a certificate, a person, a key, a role's certificates, a grant or a CA key
    #[command(after_help = revoke::NOTES)]
    Revoke(revoke::Revoke),
    /// List what is revoked: when, by whom, why and until when
    #[command(after_help = EXIT_CODES)]
    Revocations(revocations::Revocations),
    /// Have an authority's key give way to a new one, a step at a time, and show how far that is
    #[command(subcommand, after_help = rotate::NOTES)]
    Rotate(rotate::Rotate),
    /// Explain and test decisions, real or imagined
    #[command(subcommand, after_help = EXIT_CODES)]
    Policy(policy::Policy),
    /// Print the pin of the TLS certificate's key, in curl's form
    #[command(after_help = EXIT_CODES)]
    Pin,
    /// Export the log
    #[command(subcommand, after_help = EXIT_CODES)]
    Log(log::Log),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_holds() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_configuration_may_be_named_anywhere() {
        let parsed = Arguments::try_parse_from(["dayfly-ca", "user", "add", "--config", "x.toml", "alice", "--key", "k.pub"]).unwrap();
        assert_eq!(parsed.config, PathBuf::from("x.toml"));
    }
}
