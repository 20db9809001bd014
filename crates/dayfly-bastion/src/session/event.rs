//! What happens to a session.

use super::Rules;
use dayfly_core::{
    forward::{Destination, ListenAddress},
    reason::{Reason, Refusal},
};
use dayfly_recording::Outcome;
use std::{fmt, net::SocketAddr};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The CA permits the session.
    Permitted(Rules),
    /// The bastion or the CA does not.
    Refused(Refusal),
    /// The client asks for a terminal (RFC 4254 section 6.2).
    TerminalRequested(Terminal),
    /// The client asks to set an environment variable (section 6.4).
    VariableRequested {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// The client asks to start something (section 6.5).
    StartRequested(StartRequest),
    /// The client asks for its agent to be forwarded (`auth-agent-req@openssh.com`).
    AgentRequested,
    /// The client asks for something that no session gives.
    OtherRequested(&'static str),
    /// What the client asked for on this session's connection, beside it, was refused.
    RefusedBeside(&'static str, Refusal),
    /// The client's terminal changed its size (section 6.7).
    Resized(Size),
    /// The client sends a signal (section 6.9), named without `SIG`.
    Signalled(String),
    /// The client sends no more, and everything it sent reached the target.
    ClientEof,
    /// The client closed the channel, or its connection ended. What it had sent may still be on its way.
    ClientLeft,
    /// Nothing more of it is on its way.
    ClientDrained,
    /// The time that a session has after its client left is over.
    LingeredEnough,
    /// The bastion is logged in at the target.
    TargetReady,
    /// It could not log in.
    TargetFailed(Refusal),
    /// The target gives no terminal.
    TerminalDeclined,
    /// The target does not start what was asked for.
    StartDeclined,
    /// The target sends no more, and everything it sent reached the client.
    TargetEof,
    /// What ran at the target ended.
    TargetExited(Exit),
    /// The target closed the channel.
    TargetClosed,
    /// The target's connection ended.
    TargetGone,
    /// The target opened a channel of this kind, which nobody had asked for.
    TargetOpened(&'static str),
    /// There is something to tell the person that ends nothing. Whole lines, ready for a terminal.
    Noticed(String),
    /// Something could not be recorded.
    RecordingFailed(String),
    /// The bastion ends the session: revoked, past a limit, draining.
    Terminated {
        /// The stable code.
        reason: Reason,
        /// The sentence for the person.
        message: String,
    },
}

impl Event {
    /// Whether the client waits for a yes or no.
    pub fn wants_answer(&self) -> bool {
        matches!(
            self,
            Self::TerminalRequested(_)
                | Self::VariableRequested { .. }
                | Self::StartRequested(_)
                | Self::AgentRequested
                | Self::OtherRequested(_)
        )
    }
}

/// A terminal as the client describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// `TERM`.
    pub term: String,
    /// Its size.
    pub size: Size,
    /// Encoded modes: opcode and argument (RFC 4254 section 8).
    pub modes: Vec<(u8, u32)>,
}

/// A terminal's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Width in characters.
    pub columns: u32,
    /// Height in characters.
    pub rows: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// What a client wants to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartRequest {
    /// A login shell.
    Shell,
    /// A command.
    Exec(Vec<u8>),
    /// A subsystem.
    Subsystem(String),
    /// A connection from the target onwards (section 7.2).
    Forward(Destination),
    /// A connection that arrived where the target listens (section 7.2). The target asks for it, and no client can.
    Arrival {
        /// Where.
        at: ListenAddress,
        /// Where it came from.
        from: SocketAddr,
    },
}

impl StartRequest {
    /// How many bytes the client sent to say so.
    pub fn length(&self) -> usize {
        match self {
            Self::Shell => 0,
            Self::Exec(command) => command.len(),
            Self::Subsystem(name) => name.len(),
            Self::Forward(destination) => destination.host().len(),
            Self::Arrival { at, .. } => at.host().len(),
        }
    }
}

impl fmt::Display for StartRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell => f.write_str("shell"),
            Self::Exec(_) => f.write_str("command"),
            Self::Forward(destination) => write!(f, "connection to {destination}"),
            Self::Arrival { from, .. } => write!(f, "connection from {from}"),
            Self::Subsystem(name) => write!(f, "subsystem {:?}", name.chars().take(64).collect::<String>()),
        }
    }
}

/// How what ran ended (RFC 4254 section 6.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with a status.
    Status(u32),
    /// By a signal.
    Signal {
        /// Without `SIG`.
        name: String,
        /// Whether it dumped core.
        core_dumped: bool,
        /// The target's explanation.
        message: String,
    },
}

/// How the session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// In one word.
    pub outcome: Outcome,
    /// In a sentence.
    pub reason: String,
    /// What was refused or failed, with its code.
    pub refusal: Option<Refusal>,
}

impl Ending {
    /// An end that nothing was refused in.
    pub fn new(outcome: Outcome, reason: &str) -> Self {
        Self { outcome, reason: reason.to_owned(), refusal: None }
    }
}
