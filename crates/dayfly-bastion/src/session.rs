//! The state machine of a recorded session: events in, actions out. No I/O, no clock, no SSH library.
//!
//! One session is one session channel. What the client asks for, what the target answers and what goes wrong arrive as [`Event`]s in some order; the machine
//! answers with [`Action`]s to perform in theirs. Bytes do not pass through it, only their ends do.
//!
//! Invariants, whatever the order of events (a property test drives them at random):
//! - every request is answered once, yes or no, at once;
//! - nothing is asked of the target before the CA permitted the session, and nothing that the role, the certificate or an earlier refusal rules out;
//! - one start a channel;
//! - the client learns the end of the output and the exit once each, before its channel closes;
//! - exactly one [`Action::Finish`], the last action of all.

mod action;
mod deadline;
mod event;
mod rules;
mod words;

pub use action::{Action, Plan};
pub use deadline::{Deadlines, Due};
pub use event::{Ending, Event, Exit, Size, StartRequest, Terminal};
pub use rules::Rules;
pub use words::{EXIT_REFUSED, notice, told};

use dayfly_core::{
    forward::{Destination, ListenAddress},
    reason::{Reason, Refusal},
};
use dayfly_recording::Outcome;
use std::net::SocketAddr;

/// How many environment variables one session may set.
const MOST_VARIABLES: usize = 64;

/// How many notices wait for a terminal.
const MOST_NOTICES: usize = 16;

/// The longest value of an environment variable, in bytes.
const LONGEST_VALUE: usize = 4096;

/// The longest command, `TERM` or subsystem name, in bytes.
const LONGEST_COMMAND: usize = 64 * 1024;

/// A session, from the opening of its channel on.
#[derive(Debug)]
pub struct Session {
    standing: Standing,
    target: Target,
    terminal: Option<Terminal>,
    environment: Vec<(String, String)>,
    /// The client's agent may be used.
    agent: bool,
    notes: Vec<String>,
    /// For the terminal, once it is there.
    notices: Vec<String>,
    start: Option<StartRequest>,
    exit_sent: bool,
    client_eof_sent: bool,
    target_eof_sent: bool,
    /// The target sends no more, and the client is told after the exit.
    client_eof_held: bool,
    /// The client is gone, and what it had sent is still on its way.
    is_leaving: bool,
}

/// Whether anything may be started.
#[derive(Debug)]
enum Standing {
    /// The CA has not answered yet; the channel is not open.
    Asked,
    /// The CA said yes, and these are its rules.
    Permitted(Rules),
    /// Somebody said no. The session exists to tell why.
    Refused(Refusal),
    /// It is over.
    Over,
}

/// How far the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// Nobody is connected yet.
    Away,
    /// Logged in, nothing started.
    Ready,
    /// The start was asked for.
    Begun,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            standing: Standing::Asked,
            target: Target::Away,
            terminal: None,
            environment: Vec::new(),
            agent: false,
            notes: Vec::new(),
            notices: Vec::new(),
            start: None,
            exit_sent: false,
            client_eof_sent: false,
            target_eof_sent: false,
            client_eof_held: false,
            is_leaving: false,
        }
    }
}

impl Session {
    /// A connection from the target onwards. Its start is asked for by the channel's opening, and it takes no other.
    pub fn forwarding(destination: Destination) -> Self {
        Self { start: Some(StartRequest::Forward(destination)), ..Self::default() }
    }

    /// A connection that arrived where the target listens, and goes to the client. It takes no other start either.
    pub fn arrived(at: ListenAddress, from: SocketAddr) -> Self {
        Self { start: Some(StartRequest::Arrival { at, from }), ..Self::default() }
    }

    /// What is to be done about `event`.
    pub fn on(&mut self, event: Event) -> Vec<Action> {
        if matches!(self.standing, Standing::Over) {
            return if event.wants_answer() { vec![Action::Decline] } else { Vec::new() };
        }
        match event {
            Event::Permitted(rules) => self.permitted(rules),
            Event::Refused(refusal) => self.refused(refusal),
            Event::TerminalRequested(terminal) => vec![self.terminal(terminal)],
            Event::VariableRequested { name, value } => vec![self.variable(name, value)],
            Event::StartRequested(start) => self.start(start),
            Event::AgentRequested => self.agent(),
            Event::OtherRequested(what) => self.other(what),
            Event::RefusedBeside(what, refusal) => self.refused_beside(what, &refusal),
            Event::TargetOpened(what) => vec![Action::NoteOpened(what)],
            Event::Resized(size) => self.resized(size),
            Event::Signalled(name) => self.signalled(name),
            Event::ClientEof => self.client_eof(),
            Event::ClientLeft => self.client_left(),
            Event::ClientDrained => self.client_drained(),
            Event::LingeredEnough => self.lingered_enough(),
            Event::TargetReady => self.target_ready(),
            Event::TargetFailed(refusal) => self.refused(refusal),
            Event::TerminalDeclined => {
                self.declined("terminal", "ask for none (ssh -T), or ask whoever runs the target what its sshd allows")
            }
            Event::StartDeclined => self.start_declined(),
            Event::TargetEof => self.target_eof(),
            Event::TargetExited(exit) => self.target_exited(exit),
            Event::TargetClosed => self.target_closed(),
            Event::TargetGone => self.failed(Outcome::TargetGone, Reason::TargetUnavailable, "the connection to the target was lost"),
            Event::Noticed(words) => self.noticed(words),
            Event::RecordingFailed(cause) => self.recording_failed(&cause),
            Event::Terminated { reason, message } => self.failed(Outcome::Terminated, reason, &message),
        }
    }

    fn permitted(&mut self, rules: Rules) -> Vec<Action> {
        if !matches!(self.standing, Standing::Asked) {
            return Vec::new();
        }
        let refusal = self.start.as_ref().and_then(|start| rules.judge(start, self.terminal.is_some()).err());
        self.standing = Standing::Permitted(rules);
        refusal.map_or_else(Vec::new, |refusal| self.tell_and_end(&refusal, Outcome::Refused))
    }

    /// Told at once if the start was already asked for, else as soon as it is.
    fn refused(&mut self, refusal: Refusal) -> Vec<Action> {
        if self.start.is_some() {
            let outcome = if refusal.reason == Reason::TargetUnavailable { Outcome::TargetGone } else { Outcome::Refused };
            return self.tell_and_end(&refusal, outcome);
        }
        if !matches!(self.standing, Standing::Refused(_)) {
            self.standing = Standing::Refused(refusal);
        }
        Vec::new()
    }

    fn terminal(&mut self, terminal: Terminal) -> Action {
        let Standing::Permitted(rules) = &self.standing else { return Action::Decline };
        if self.start.is_some() || self.terminal.is_some() || terminal.term.len() > LONGEST_COMMAND {
            return Action::Decline;
        }
        if !rules.terminal_allowed() {
            self.notes.push("dayfly: no terminal: the role has no permit-pty\r\n".to_owned());
            return Action::Decline;
        }
        self.terminal = Some(terminal);
        Action::Accept
    }

    fn variable(&mut self, name: String, value: String) -> Action {
        let Standing::Permitted(rules) = &self.standing else { return Action::Decline };
        let fits = self.environment.len() < MOST_VARIABLES && value.len() <= LONGEST_VALUE && !value.contains('\0');
        if self.start.is_some() || !fits || !rules.variable_allowed(&name) {
            return Action::Decline;
        }
        self.environment.push((name, value));
        Action::Accept
    }

    fn start(&mut self, start: StartRequest) -> Vec<Action> {
        if self.start.is_some() || start.length() > LONGEST_COMMAND {
            return vec![Action::Decline];
        }
        let refusal = match &self.standing {
            Standing::Permitted(rules) => rules.judge(&start, self.terminal.is_some()).err(),
            Standing::Refused(refusal) => Some(refusal.clone()),
            Standing::Asked | Standing::Over => return vec![Action::Decline],
        };
        self.start = Some(start);
        // A failure reply carries no words, so the start is accepted and the refusal told in its place.
        let mut actions = vec![Action::Accept];
        match refusal {
            Some(refusal) => actions.extend(self.tell_and_end(&refusal, Outcome::Refused)),
            None => actions.extend(self.begin_if_ready()),
        }
        actions
    }

    fn target_ready(&mut self) -> Vec<Action> {
        if self.target == Target::Away {
            self.target = Target::Ready;
        }
        self.begin_if_ready()
    }

    fn begin_if_ready(&mut self) -> Vec<Action> {
        let (Some(start), Target::Ready, Standing::Permitted(rules)) = (&self.start, self.target, &self.standing) else {
            return Vec::new();
        };
        self.target = Target::Begun;
        let plan = Plan {
            terminal: self.terminal.clone(),
            environment: std::mem::take(&mut self.environment),
            agent: self.agent,
            start: start.clone(),
            forced: rules.force_command().cloned(),
        };
        let notes = std::mem::take(&mut self.notes);
        let notices = std::mem::take(&mut self.notices).into_iter().filter(|_| self.terminal.is_some());
        notices.chain(notes).map(Action::Tell).chain([Action::Begin(plan)]).collect()
    }

    /// Many people's configuration asks for it everywhere, so nobody but who sits at a terminal hears of a no.
    fn agent(&mut self) -> Vec<Action> {
        let judged = match &self.standing {
            Standing::Permitted(rules) if self.start.is_none() => rules.judge_agent(),
            _ => return vec![Action::Decline],
        };
        match judged {
            Ok(()) => {
                self.agent = true;
                vec![Action::Accept]
            }
            Err(refusal) => self.declined_request("auth-agent-req@openssh.com", &refusal),
        }
    }

    /// X11 and whatever else a channel can be asked for.
    fn other(&mut self, what: &'static str) -> Vec<Action> {
        self.declined_request(what, &Refusal::new(Reason::NotAllowed, format!("the bastion does not give {what}"), ""))
    }

    fn declined_request(&mut self, what: &'static str, refusal: &Refusal) -> Vec<Action> {
        let mut actions = vec![Action::Decline, Action::NoteRefused(what, refusal.message.clone())];
        actions.extend(self.noticed(told(refusal)));
        actions
    }

    /// Told on the error stream before anything starts, since the connection's own answer carries no words. Later only a terminal has a place for it.
    fn refused_beside(&mut self, what: &'static str, refusal: &Refusal) -> Vec<Action> {
        if self.is_forward() {
            return Vec::new();
        }
        let mut actions = vec![Action::NoteRefused(what, refusal.message.clone())];
        match self.target {
            Target::Begun => actions.extend(self.noticed(told(refusal))),
            Target::Away | Target::Ready if self.notes.len() < MOST_NOTICES => self.notes.push(told(refusal)),
            Target::Away | Target::Ready => {}
        }
        actions
    }

    fn resized(&mut self, size: Size) -> Vec<Action> {
        let Some(terminal) = &mut self.terminal else { return Vec::new() };
        terminal.size = size;
        if self.target == Target::Begun { vec![Action::Resize(size)] } else { Vec::new() }
    }

    fn signalled(&mut self, name: String) -> Vec<Action> {
        // RFC 4254 section 6.10: names without SIG; local ones end in @domain.
        let well_formed =
            !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'.' | b'-'));
        if self.target == Target::Begun && well_formed { vec![Action::Signal(name)] } else { Vec::new() }
    }

    fn client_eof(&mut self) -> Vec<Action> {
        if self.target != Target::Begun || std::mem::replace(&mut self.target_eof_sent, true) {
            return Vec::new();
        }
        vec![Action::TargetEof]
    }

    /// A client that has ended its own input closes the channel as soon as it hears of this end, and could not be told the exit any more: it hears of the exit
    /// first. One whose input goes on hears of it at once.
    fn target_eof(&mut self) -> Vec<Action> {
        if self.target != Target::Begun || self.client_eof_sent {
            return Vec::new();
        }
        if self.target_eof_sent && !self.exit_sent && !self.is_forward() {
            self.client_eof_held = true;
            return Vec::new();
        }
        self.client_eof_sent = true;
        vec![Action::ClientEof]
    }

    fn target_exited(&mut self, exit: Exit) -> Vec<Action> {
        if self.target != Target::Begun || std::mem::replace(&mut self.exit_sent, true) {
            return Vec::new();
        }
        let mut actions = vec![Action::ClientExit(exit)];
        if std::mem::take(&mut self.client_eof_held) {
            actions.extend(self.target_eof());
        }
        actions
    }

    fn start_declined(&mut self) -> Vec<Action> {
        let what = self.start.as_ref().map_or_else(|| "start".to_owned(), |start| start.to_string());
        self.declined(&what, "ask whoever runs the target what its sshd allows")
    }

    /// What goes on without a terminal that was asked for would be recorded as if one showed it.
    fn declined(&mut self, what: &str, remedy: &str) -> Vec<Action> {
        if self.target != Target::Begun {
            return Vec::new();
        }
        let refusal = Refusal::new(Reason::TargetUnavailable, format!("the target does not give a {what}"), remedy);
        self.tell_and_end(&refusal, Outcome::Refused)
    }

    fn target_closed(&mut self) -> Vec<Action> {
        if self.target != Target::Begun {
            return self.on(Event::TargetGone);
        }
        self.over(Ending::new(Outcome::Completed, "the target ended the session"))
    }

    /// What a client sent before it left is still delivered, as `sshd` itself would, and the target gets a moment to end by itself.
    fn client_left(&mut self) -> Vec<Action> {
        if self.start.is_none() {
            return self.over(Ending::new(Outcome::Completed, "nothing was started"));
        }
        if self.exit_sent {
            return self.over(Ending::new(Outcome::Completed, "the person left after the end"));
        }
        if std::mem::replace(&mut self.is_leaving, true) { Vec::new() } else { vec![Action::Linger] }
    }

    fn client_drained(&mut self) -> Vec<Action> {
        let mut actions = self.client_left();
        if self.is_leaving && !matches!(self.standing, Standing::Over) {
            actions.extend(self.client_eof());
        }
        actions
    }

    fn lingered_enough(&mut self) -> Vec<Action> {
        if self.is_leaving { self.over(Ending::new(Outcome::Completed, "the person left")) } else { Vec::new() }
    }

    /// For a person at a terminal: a program's error stream has no place for it.
    fn noticed(&mut self, words: String) -> Vec<Action> {
        match (self.target, &self.terminal) {
            (Target::Begun, Some(_)) => return vec![Action::Tell(words)],
            (Target::Away | Target::Ready, _) if self.notices.len() < MOST_NOTICES => self.notices.push(words),
            _ => {}
        }
        Vec::new()
    }

    fn recording_failed(&mut self, cause: &str) -> Vec<Action> {
        self.failed(Outcome::RecordingFailed, Reason::RecordingUnavailable, &format!("the session cannot be recorded any more: {cause}"))
    }

    /// Something other than the two sides ended it.
    fn failed(&mut self, outcome: Outcome, reason: Reason, message: &str) -> Vec<Action> {
        self.tell_and_end(&Refusal::new(reason, message, ""), outcome)
    }

    fn tell_and_end(&mut self, refusal: &Refusal, outcome: Outcome) -> Vec<Action> {
        let mut actions = Vec::new();
        // A forwarded connection belongs to two programs that know nothing of words and exits.
        if !self.is_forward() {
            actions.push(Action::Tell(told(refusal)));
            if !std::mem::replace(&mut self.exit_sent, true) {
                actions.push(Action::ClientExit(Exit::Status(EXIT_REFUSED)));
            }
        }
        actions.extend(self.over(Ending { outcome, reason: refusal.message.clone(), refusal: Some(refusal.clone()) }));
        actions
    }

    fn is_forward(&self) -> bool {
        matches!(self.start, Some(StartRequest::Forward(_) | StartRequest::Arrival { .. }))
    }

    fn over(&mut self, mut ending: Ending) -> Vec<Action> {
        self.standing = Standing::Over;
        if self.is_leaving && matches!(ending.outcome, Outcome::Completed | Outcome::TargetGone) {
            ending = Ending::new(Outcome::ClientGone, "the person left before the end");
        }
        let mut actions = Vec::new();
        if ending.outcome != Outcome::ClientGone && !std::mem::replace(&mut self.client_eof_sent, true) {
            actions.push(Action::ClientEof);
        }
        actions.push(Action::Finish(ending));
        actions
    }
}

#[cfg(test)]
mod tests;
