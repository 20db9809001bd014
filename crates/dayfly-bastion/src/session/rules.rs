//! What a permitted session may do: the role's session rules and the certificate's own limits.

use super::StartRequest;
use dayfly_core::{
    reason::{Reason, Refusal},
    role::{Extension, ForceCommand, SessionRules, Start},
};
use std::collections::BTreeSet;

/// The one subsystem that roles know.
const SFTP: &str = "sftp";

/// The limits of one session.
#[derive(Debug, Clone)]
pub struct Rules {
    session: SessionRules,
    extensions: BTreeSet<Extension>,
    force_command: Option<ForceCommand>,
}

impl Rules {
    /// The role's rules as the CA told them, and what the person's certificate carries.
    pub fn new(session: SessionRules, extensions: BTreeSet<Extension>, force_command: Option<ForceCommand>) -> Self {
        Self { session, extensions, force_command }
    }

    pub(super) fn terminal_allowed(&self) -> bool {
        self.extensions.contains(&Extension::PermitPty)
    }

    pub(super) fn variable_allowed(&self, name: &str) -> bool {
        self.session.allows_environment(name)
    }

    pub(super) fn force_command(&self) -> Option<&ForceCommand> {
        self.force_command.as_ref()
    }

    pub(super) fn judge_agent(&self) -> Result<(), Refusal> {
        self.session.allows_agent(&self.extensions, self.force_command.as_ref())
    }

    /// Whether `start` may be started; on a terminal, if one was asked for.
    pub(super) fn judge(&self, start: &StartRequest, on_terminal: bool) -> Result<(), Refusal> {
        // A terminal changes bytes, so what passes could not be followed.
        if on_terminal && matches!(start, StartRequest::Subsystem(_)) {
            return Err(Refusal::new(Reason::NotAllowed, "a subsystem takes no terminal", "leave out -t"));
        }
        if self.force_command.is_some() && matches!(start, StartRequest::Subsystem(_)) {
            return Err(not_allowed("the certificate allows one command only, and no subsystem"));
        }
        let kind = match start {
            StartRequest::Shell => Start::Shell,
            StartRequest::Exec(_) => Start::Exec,
            StartRequest::Forward(destination) => {
                return self.session.allows_forward(destination, &self.extensions, self.force_command.as_ref());
            }
            StartRequest::Arrival { at, .. } => return self.session.allows_listen(at, &self.extensions, self.force_command.as_ref()),
            StartRequest::Subsystem(name) if name == SFTP => Start::Sftp,
            StartRequest::Subsystem(_) => return Err(not_allowed(&format!("no role allows the {start}"))),
        };
        if self.session.allow.contains(&kind) { Ok(()) } else { Err(not_allowed(&format!("the role does not allow a {start}"))) }
    }
}

fn not_allowed(message: &str) -> Refusal {
    Refusal::new(Reason::NotAllowed, message, "ask for a role that allows it: dayfly roles")
}
