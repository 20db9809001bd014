//! Tells a session's task when something is due.

use crate::{
    authority::PermittedSession,
    config::Limits,
    live::Counts,
    session::{Deadlines, Due},
};
use dayfly_core::reason::Reason;
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;

/// Follows a session's clock, which is the monotonic one: setting the system's clock back prolongs nothing.
pub(crate) struct Timer {
    deadlines: Deadlines,
    counts: Arc<Counts>,
}

/// What a session is told by its timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// The end comes.
    Warning(String),
    /// It is here.
    End(Reason, String),
}

impl Timer {
    /// For a session that begins at `now` of the system's clock.
    pub(crate) fn new(limits: &Limits, session: &PermittedSession, counts: Arc<Counts>, now: OffsetDateTime) -> Self {
        let permit = session.permit();
        let left = Duration::try_from(permit.certificate_ends - now).unwrap_or(Duration::ZERO).saturating_add(counts.elapsed());
        Self { deadlines: Deadlines::new(limits, &permit.rules, left), counts }
    }

    /// The next alarm. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Alarm {
        loop {
            match self.deadlines.due(self.counts.elapsed(), self.counts.moved()) {
                Due::Nothing(Some(pause)) => tokio::time::sleep(pause).await,
                Due::Nothing(None) => std::future::pending().await,
                Due::Warning(words) => return Alarm::Warning(words),
                Due::End(reason, message) => return Alarm::End(reason, message),
            }
        }
    }

    /// The end, for those who cannot be warned. Safe to cancel.
    pub(crate) async fn end(&mut self) -> (Reason, String) {
        loop {
            if let Alarm::End(reason, message) = self.next().await {
                return (reason, message);
            }
        }
    }
}
