//! What the state machine wants done.

use super::{Ending, Exit, Size, StartRequest, Terminal};
use dayfly_core::role::ForceCommand;

/// Something to do. Actions are performed in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answer the client's request with yes.
    Accept,
    /// Answer the client's request with no.
    Decline,
    /// Keep evidence that something was refused, and why.
    NoteRefused(&'static str, String),
    /// Keep evidence that the target opened a channel that nobody had asked for, and report it.
    NoteOpened(&'static str),
    /// Ask the target for what was planned, and let bytes flow.
    Begin(Plan),
    /// Tell the target the terminal's new size.
    Resize(Size),
    /// Send the target a signal.
    Signal(String),
    /// Tell the target that the client sends no more.
    TargetEof,
    /// Say something to the person, on the error stream.
    Tell(String),
    /// Tell the client that no more output follows.
    ClientEof,
    /// Tell the client how it ended.
    ClientExit(Exit),
    /// Give the session a little time after its client left, and then say so.
    Linger,
    /// Seal the recording, close both sides, report the end. The last action.
    Finish(Ending),
}

/// What is asked of the target, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The terminal.
    pub terminal: Option<Terminal>,
    /// The environment variables that the role allows.
    pub environment: Vec<(String, String)>,
    /// Whether programs there may use the client's agent.
    pub agent: bool,
    /// What to start.
    pub start: StartRequest,
    /// What the session certificate makes the target run in its place.
    pub forced: Option<ForceCommand>,
}
