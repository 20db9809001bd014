//! What is told about a session: to its recording at the beginning, to the CA's log at the end.

use crate::{
    authority::PermittedSession,
    connection::Connection,
    live::{LiveSession, OrderedBy},
    metrics::RecorderFailure,
    session::{Ending, Exit},
};
use dayfly_core::{
    audit::{self, AuditEvent},
    reason::Refusal,
    signature::fingerprint,
    target::Mode,
};
use dayfly_recording::{FinishedRecording, Outcome, SessionFacts};
/// Collects what the log will hold.
#[derive(Debug, Default)]
pub(crate) struct Report {
    exit: Option<Exit>,
}

impl Report {
    /// How what ran ended.
    pub(crate) fn exited(&mut self, exit: &Exit) {
        self.exit = Some(exit.clone());
    }

    /// Reports the end of a session.
    pub(crate) fn end(
        &self,
        connection: &Connection,
        session: &PermittedSession,
        live: &LiveSession,
        ending: &Ending,
        sealed: Option<&FinishedRecording>,
    ) {
        // A recording that failed while it was sealed says so itself.
        let outcome = sealed.map_or(ending.outcome, |finished| finished.manifest.outcome);
        if outcome == Outcome::RecordingFailed {
            connection.bastion.metrics.recorder_failed(RecorderFailure::Running);
        }
        let mut event = self.ended(connection, session, live, outcome, &ending.reason, ending.refusal.as_ref());
        if let Some(finished) = sealed {
            event = event.fact("manifest_sha256", finished.manifest_sha256);
        }
        connection.bastion.journal.note(event);
    }

    /// Reports the end of a session that has no recording to begin with.
    pub(crate) fn not_recorded(&self, connection: &Connection, session: &PermittedSession, live: &LiveSession, refusal: &Refusal) {
        connection.bastion.metrics.recorder_failed(RecorderFailure::Begin);
        let event = self.ended(connection, session, live, Outcome::RecordingFailed, &refusal.message, Some(refusal));
        connection.bastion.journal.note(event);
    }

    /// The event of a session's end, which is counted.
    pub(crate) fn ended(
        &self,
        connection: &Connection,
        session: &PermittedSession,
        live: &LiveSession,
        outcome: Outcome,
        reason: &str,
        refusal: Option<&Refusal>,
    ) -> AuditEvent {
        let how = match outcome {
            Outcome::Refused => audit::Outcome::Refused,
            Outcome::RecordingFailed | Outcome::TargetGone => audit::Outcome::Failed,
            Outcome::Completed | Outcome::ClientGone | Outcome::Terminated | Outcome::Interrupted => audit::Outcome::Done,
        };
        connection.bastion.metrics.session_ended(session.permit().mode, outcome);
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
            .fact("bytes_in", live.counts.up())
            .fact("bytes_out", live.counts.down())
            .fact("duration_ms", live.counts.elapsed().as_millis());
        event.reason = refusal.map(|refusal| refusal.reason);
        event = match live.ended_by() {
            Some(OrderedBy::Operator(uid)) => event.fact("ended_by_uid", uid),
            Some(OrderedBy::Authority(_)) => event.fact("withdrawn", true),
            None => event,
        };
        if let Some(account) = session.ask().admission.account() {
            event = event.fact("account", account);
        }
        if let Some(destination) = &session.ask().forward {
            event = event.fact("forward", destination);
        }
        if let Some(listening) = &session.ask().listen {
            event = event.fact("listen", &listening.at);
            if let Some(arrival) = &listening.arrival {
                event = event.fact("from", arrival.from).fact("listener", arrival.listener);
            }
        }
        if let Some(used) = live.agent.close() {
            event = event.fact("agent_connections", used.connections).fact("agent_asked", used.asked).fact("agent_answered", used.answered);
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
