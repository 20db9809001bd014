//! The evidence of a session: begun before anything happens in it, sealed before anybody hears of its end.

use super::report::{self, Report};
use crate::{
    authority::PermittedSession, connection::Connection, live::Seat, metrics::RecorderFailure, recorder::Recording, session::Ending,
};
use dayfly_core::{
    audit,
    reason::{Reason, Refusal},
};
use std::sync::Arc;

/// Begins the recording of a permitted session. Without one there is no session, and that is reported.
pub(super) async fn begin(
    connection: &Connection,
    session: &PermittedSession,
    seat: &Seat,
    report: &Report,
) -> Result<Arc<Recording>, Refusal> {
    let facts = report::facts(connection, session);
    match connection.bastion.recorder.begin(facts, connection.bastion.clock.now()).await {
        Ok(recording) => {
            let recording = Arc::new(recording);
            seat.recorded_by(&recording);
            Ok(recording)
        }
        Err(cause) => {
            tracing::error!(%cause, "a session cannot be recorded");
            let refusal = Refusal::new(
                Reason::RecordingUnavailable,
                "the session cannot be recorded, so it cannot start",
                "tell whoever runs the bastion: its disk may be full",
            );
            report.not_recorded(connection, session, seat, &refusal);
            Err(refusal)
        }
    }
}

/// Seals the recording and reports the end.
pub(super) async fn seal(
    connection: &Connection,
    session: &PermittedSession,
    seat: &Seat,
    recording: &Recording,
    report: &Report,
    ending: &Ending,
) {
    if let Some(used) = seat.agent.close() {
        // A recording that fails here is sealed as failed.
        let _ = recording.agent_used(used).await;
    }
    let sealed = recording.finish(ending).await;
    if let Err(cause) = &sealed {
        tracing::error!(%cause, "a recording could not be sealed; the next start will try again");
        connection.bastion.metrics.recorder_failed(RecorderFailure::Seal);
    }
    report.end(connection, session, seat, ending, sealed.as_ref().ok());
}

/// Why it was refused, for the recording.
pub(super) const UNASKED: &str = "the target opened it, and nobody had asked for it";

/// A target opened what nobody had asked for. It was refused; somebody there may be trying something.
pub(super) fn unasked(connection: &Connection, session: &PermittedSession, what: &str) {
    let message = format!("{} opened a channel that nobody had asked for: {what}", session.target_name());
    let refusal = Refusal::new(Reason::NotAllowed, message, "");
    let event = connection.refused(audit::Event::SessionRefused, &refusal).subject(&session.permit().subject);
    let event = event.target(session.target_name()).session(session.session()).serial(session.certificate().serial());
    connection.report(event.fact("asked", what).fact("asked_by", "target"));
}
