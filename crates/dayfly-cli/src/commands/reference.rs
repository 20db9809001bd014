//! The hidden `dayfly reference`: `docs/cli.md`, made from the command line's own definition.

use super::Context;
use crate::{args::Arguments, error::Failure};
use clap::{Command, CommandFactory};
use std::fmt::Write as _;

pub(super) fn run(context: &Context<'_>) -> Result<(), Failure> {
    Ok(context.output.document(&reference())?)
}

/// The reference of all commands, in Markdown.
fn reference() -> String {
    let mut root = Arguments::command().term_width(100);
    root.build();
    let mut text =
        String::from("# `dayfly`\n\nWhat `dayfly --help` says, for every command. Made by `dayfly reference`; a test compares the two.\n");
    describe(&root, &mut text);
    text
}

fn describe(command: &Command, text: &mut String) {
    if command.get_name() != "dayfly" {
        let _ = write!(text, "\n## `{}`\n", command.get_bin_name().unwrap_or_else(|| command.get_name()));
    }
    let help = command.clone().render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(text, "\n```text\n{}\n```\n", lines.join("\n").trim_end());
    command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()).for_each(|subcommand| describe(subcommand, text));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{fs, path::Path};

    #[test]
    fn the_committed_reference_is_this_programs() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
        assert_eq!(fs::read_to_string(path).unwrap(), reference(), "write it anew: dayfly reference > docs/cli.md");
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
