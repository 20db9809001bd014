//! The commands, one file each.

use crate::{
    args::{Arguments, Command},
    config::ConfigError,
};
use clap::Parser;
use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

pub mod check;
pub mod completions;
pub mod end;
pub mod key;
pub mod serve;
pub mod sessions;
pub mod targets;
pub mod watch;

/// Something failed.
const FAILED: u8 = 1;

/// The configuration is wrong.
const CONFIGURATION_IS_WRONG: u8 = 3;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    match dispatch(&arguments, &mut out).and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(&error),
    }
}

fn dispatch(Arguments { config, command }: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        Command::Check(check) => check.run(config, out),
        Command::Serve(serve) => serve.run(config, out),
        Command::Sessions(sessions) => sessions.run(config, out),
        Command::Targets(targets) => targets.run(config, out),
        Command::End(end) => end.run(config, out),
        Command::Watch(watch) => watch.run(config, out),
        Command::Key(key) => key.run(config, out),
        Command::Completions(completions) => completions.run(out),
    }
}

fn refused(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::BrokenPipe) {
        // Whoever read has read enough.
        return ExitCode::SUCCESS;
    }
    // Where nobody listens to what went wrong, the exit code still tells.
    let _ = writeln!(std::io::stderr().lock(), "error: {error:#}");
    ExitCode::from(if error.downcast_ref::<ConfigError>().is_some() { CONFIGURATION_IS_WRONG } else { FAILED })
}
