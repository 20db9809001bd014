//! What the target of a session is told, beside bytes.

use super::Trouble;
use crate::{
    session::{Plan, Size, StartRequest},
    signal,
    upstream::TargetConnection,
};
use russh::{ChannelWriteHalf, Pty, client};
use std::time::Duration;

/// How long a target may take to accept a word.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something to tell it.
pub(super) enum Word<'a> {
    /// What to start, and in which surroundings.
    Ask(&'a Plan),
    /// The terminal's new size.
    Resize(Size),
    /// A signal.
    Signal(&'a str),
    /// The client sends no more.
    Eof,
}

/// Tells the target something, unless it takes too long.
pub(super) async fn say(target: Option<&TargetConnection>, word: Word<'_>) -> Result<(), Trouble> {
    let Some(target) = target else { return Err(Trouble::Target) };
    let channel = &target.channel;
    let said = tokio::time::timeout(PATIENCE, async {
        match word {
            Word::Ask(plan) => ask(channel, plan).await,
            Word::Resize(size) => channel.window_change(size.columns, size.rows, size.width, size.height).await,
            Word::Signal(name) => channel.signal(signal::named(name)).await,
            Word::Eof => channel.eof().await,
        }
    });
    match said.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Trouble::Target),
    }
}

/// Ends the connection. Whether the target still hears it changes nothing.
pub(super) async fn close(target: &TargetConnection) {
    let _ = tokio::time::timeout(PATIENCE, target.close()).await;
}

async fn ask(channel: &ChannelWriteHalf<client::Msg>, plan: &Plan) -> Result<(), russh::Error> {
    if let Some(terminal) = &plan.terminal {
        let modes: Vec<(Pty, u32)> = terminal.modes.iter().filter_map(|(mode, value)| Some((Pty::from_u8(*mode)?, *value))).collect();
        let size = terminal.size;
        channel.request_pty(true, &terminal.term, size.columns, size.rows, size.width, size.height, &modes).await?;
    }
    if plan.agent {
        channel.agent_forward(false).await?;
    }
    for (name, value) in &plan.environment {
        channel.set_env(false, name.as_str(), value.as_str()).await?;
    }
    match &plan.start {
        // The channel itself is the connection.
        StartRequest::Forward(_) | StartRequest::Arrival { .. } => Ok(()),
        StartRequest::Shell => channel.request_shell(true).await,
        StartRequest::Exec(command) => channel.exec(true, command.as_slice()).await,
        StartRequest::Subsystem(name) => channel.request_subsystem(true, name.as_str()).await,
    }
}
