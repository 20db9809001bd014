//! What is told about a session: to its recording at the beginning, to the CA's log at the end.

use crate::{
    authority::PermittedSession,
    connection::Connection,
    session::{Ending, Exit},
};
use dayfly_core::{
    audit::{self, AuditEvent},
    reason::Refusal,
    signature::fingerprint,
    target::Mode,
};
use dayfly_recording::{FinishedRecording, Outcome, SessionFacts};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// How many bytes went which way.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    up: AtomicU64,
    down: AtomicU64,
}

impl Counts {
    /// From the client to the target.
    pub(crate) fn up(&self, bytes: usize) {
        self.up.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// From the target to the client.
    pub(crate) fn down(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Collects what the log will hold.
#[derive(Debug, Default)]
pub(crate) struct Report {
    counts: Arc<Counts>,
    began: Option<Instant>,
    exit: Option<Exit>,
}

impl Report {
    /// The session begins now.
    pub(crate) fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    /// Where bytes are counted.
    pub(crate) fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }

    /// How what ran ended.
    pub(crate) fn exited(&mut self, exit: &Exit) {
        self.exit = Some(exit.clone());
    }

    /// Reports the end of a session.
    pub(crate) fn end(&self, connection: &Connection, session: &PermittedSession, ending: &Ending, sealed: Option<&FinishedRecording>) {
        // A recording that failed while it was sealed says so itself.
        let outcome = sealed.map_or(ending.outcome, |finished| finished.manifest.outcome);
        let mut event = self.ended(connection, session, outcome, &ending.reason, ending.refusal.as_ref());
        if let Some(finished) = sealed {
            event = event.fact("manifest_sha256", finished.manifest_sha256);
        }
        connection.bastion.journal.note(event);
    }

    /// Reports the end of a session that has no recording to begin with.
    pub(crate) fn not_recorded(&self, connection: &Connection, session: &PermittedSession, refusal: &Refusal) {
        let event = self.ended(connection, session, Outcome::RecordingFailed, &refusal.message, Some(refusal));
        connection.bastion.journal.note(event);
    }

    /// The event of a session's end.
    pub(crate) fn ended(
        &self,
        connection: &Connection,
        session: &PermittedSession,
        outcome: Outcome,
        reason: &str,
        refusal: Option<&Refusal>,
    ) -> AuditEvent {
        let how = match outcome {
            Outcome::Refused => audit::Outcome::Refused,
            Outcome::RecordingFailed | Outcome::TargetGone => audit::Outcome::Failed,
            Outcome::Completed | Outcome::ClientGone | Outcome::Terminated | Outcome::Interrupted => audit::Outcome::Done,
        };
        let duration = self.began.map_or(0, |began| began.elapsed().as_millis());
        let mut event = connection
            .bastion
            .event(audit::Event::SessionEnded, how)
            .subject(&session.permit().subject)
            .role(&session.permit().role)
            .target(session.target_name())
            .serial(session.certificate().serial())
            .session(session.session())
            .detail(reason)
            .fact("connection", connection.id)
            .fact("mode", session.permit().mode.as_str())
            .fact("peer", connection.peer)
            .fact("ending", outcome)
            .fact("bytes_in", self.counts.up.load(Ordering::Relaxed))
            .fact("bytes_out", self.counts.down.load(Ordering::Relaxed))
            .fact("duration_ms", duration);
        event.reason = refusal.map(|refusal| refusal.reason);
        if let Some(account) = session.ask().admission.account() {
            event = event.fact("account", account);
        }
        if let Some(destination) = &session.ask().forward {
            event = event.fact("forward", destination);
        }
        if let Some(command) = session.certificate().force_command() {
            event = event.fact("force_command", command.as_str());
        }
        match &self.exit {
            Some(Exit::Status(status)) => event.fact("exit_status", status),
            Some(Exit::Signal { name, .. }) => event.fact("exit_signal", name),
            None => event,
        }
    }
}

/// What a recording begins with.
pub(super) fn facts(connection: &Connection, session: &PermittedSession) -> SessionFacts {
    let permit = session.permit();
    let certificate = session.certificate();
    SessionFacts {
        session_id: session.session(),
        connection_id: connection.id,
        subject: permit.subject.to_string(),
        role: permit.role.to_string(),
        grant: permit.grant.to_string(),
        certificate_serial: certificate.serial(),
        key_fingerprint: fingerprint(certificate.public_key()),
        session_certificate_serial: session.login().map(|login| login.certificate.serial()),
        account: session.ask().admission.account().map(ToString::to_string).unwrap_or_default(),
        target: session.target_name().to_string(),
        bastion: connection.bastion.name.to_string(),
        mode: match permit.mode {
            Mode::Record => dayfly_recording::Mode::Record,
            Mode::Passthrough => dayfly_recording::Mode::Passthrough,
        },
        peer: connection.peer,
        record_input: permit.rules.record_input,
    }
}
