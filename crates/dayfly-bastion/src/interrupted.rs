//! Sessions that a killed bastion left behind: sealed at the next start, and reported.

use crate::{journal::Journal, recorder::seal_interrupted};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome, Reporter},
    name::BastionName,
    signer::Signer,
};
use dayfly_recording::{FinishedRecording, RecordingError};
use std::path::Path;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Seals what has no manifest below `recordings`, and notes the end of each of these sessions.
pub fn report(recordings: &Path, signer: &dyn Signer, bastion: &BastionName, journal: &dyn Journal) -> Result<(), RecordingError> {
    let now = OffsetDateTime::now_utc();
    let found = seal_interrupted(recordings, signer, now)?;
    for finished in &found.closed {
        tracing::warn!(session = %finished.manifest.session.session_id, "a session was cut off by the bastion's end; its recording is sealed");
        journal.note(ended(bastion, finished, now));
    }
    for directory in &found.in_use {
        tracing::error!(directory = %directory.display(), "a recording is being written by another process: two bastions share a directory");
    }
    for (directory, error) in &found.failed {
        tracing::error!(directory = %directory.display(), %error, "a recording cannot be sealed");
    }
    Ok(())
}

fn ended(bastion: &BastionName, finished: &FinishedRecording, now: OffsetDateTime) -> AuditEvent {
    let session = &finished.manifest.session;
    let mut event = AuditEvent::new(now, Event::SessionEnded, Outcome::Failed, Reporter::Bastion(bastion.clone()))
        .serial(session.certificate_serial)
        .session(session.session_id)
        .detail("the bastion was stopped in the middle of the session")
        .fact("connection", session.connection_id)
        .fact("mode", "record")
        .fact("peer", session.peer)
        .fact("account", &session.account)
        .fact("ending", finished.manifest.outcome)
        .fact("ended_at", finished.manifest.ended_at.format(&Rfc3339).unwrap_or_default())
        .fact("manifest_sha256", finished.manifest_sha256);
    // A recording that somebody has tampered with may name what no log can hold.
    event.subject = session.subject.parse().ok();
    event.role = session.role.parse().ok();
    event.target = session.target.parse().ok();
    event
}
