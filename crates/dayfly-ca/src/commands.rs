//! The commands, one file each. They write through the same store as the server, and work beside it.

use crate::{
    args::{Arguments, Command},
    config::{Config, RuleBook},
    failure::Failure,
    inventory::in_force,
    mistake::{Mistake, Mistakes},
    store::sqlite::SqliteStore,
};
use anyhow::Context;
use clap::Parser;
use dayfly_core::audit::{AuditEvent, Event, Outcome, Reporter};
use std::{
    future::Future,
    io::{ErrorKind, Write},
    path::Path,
    process::ExitCode,
};
use time::OffsetDateTime;

pub mod bastion;
pub mod check;
pub mod completions;
pub mod device;
mod enrolled_key;
pub mod host;
pub mod init;
pub mod inventory;
pub mod log;
mod pin;
pub mod policy;
pub mod revocations;
pub mod revoke;
pub mod rotate;
pub mod serve;
pub mod user;

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
        Command::Init(init) => init.run(out),
        Command::Check(check) => check.run(config, out),
        Command::Serve(serve) => serve.run(config, out),
        Command::User(user) => user.run(config, out),
        Command::Device(device) => device.run(config, out),
        Command::Bastion(bastion) => bastion.run(config, out),
        Command::Inventory(inventory) => inventory.run(config, out),
        Command::Host(host) => host.run(config, out),
        Command::Hosts(list) => list.run(config, out),
        Command::Revoke(revoke) => revoke.run(config, out),
        Command::Revocations(revocations) => revocations.run(config, out),
        Command::Rotate(rotate) => rotate.run(config, out),
        Command::Policy(policy) => policy.run(config, out),
        Command::Pin => pin::run(config, out),
        Command::Log(log) => log.run(config, out),
        Command::Completions(completions) => completions.run(out),
    }
}

fn refused(error: &anyhow::Error) -> ExitCode {
    let mut err = std::io::stderr().lock();
    if let Some(io) = error.downcast_ref::<std::io::Error>()
        && io.kind() == ErrorKind::BrokenPipe
    {
        // Whoever read has read enough.
        return ExitCode::SUCCESS;
    }
    // Where nobody listens to what went wrong, the exit code still tells.
    let _ = writeln!(err, "error: {error:#}");
    let is_configuration = error.downcast_ref::<Mistakes>().is_some() || error.downcast_ref::<Mistake>().is_some();
    ExitCode::from(if is_configuration { CONFIGURATION_IS_WRONG } else { FAILED })
}

/// Opens the store that a configuration names, whatever else is in it.
fn open_store(config: &Path) -> anyhow::Result<SqliteStore> {
    let path = Config::store_path(config)?;
    SqliteStore::open(&path).with_context(|| path.display().to_string())
}

/// The rules with what the sources of the inventory said last, if there are any.
fn rules(config: &Path) -> anyhow::Result<RuleBook> {
    let (written, sources) = RuleBook::load(config)?;
    if sources.is_empty() {
        return Ok(written);
    }
    Ok(wait(in_force(&open_store(config)?, &written, &sources))??.book)
}

/// Waits for an answer of the store.
fn wait<T>(answer: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().context("the runtime cannot be started")?;
    Ok(runtime.block_on(answer))
}

/// A refusal's remedy is the next step.
fn told_with_remedy(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Refused(refusal) => anyhow::anyhow!("{}: {}", refusal.message, refusal.remedy),
        failure => failure.into(),
    }
}

/// An event that whoever administers this host reports, now. Which account of the host that was is a fact of it.
fn event(kind: Event) -> AuditEvent {
    let account = rustix::process::getuid().as_raw();
    AuditEvent::new(OffsetDateTime::now_utc(), kind, Outcome::Done, Reporter::Administrator).fact("uid", account)
}

/// Names, separated by a comma and a space; `none` if there are none.
fn list<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
