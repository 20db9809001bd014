//! What every connection needs: who the bastion is, what the CA last told, and the ports to everything outside.

use crate::{
    authority::{Authority, Snapshot},
    config::Limits,
    inner::InnerHosts,
    journal::Journal,
    life::Life,
    live::Live,
    metrics::Metrics,
    recorder::Recorder,
    settings::CurrentSettings,
    targets::Targets,
    vitals::DiskReserve,
};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome, Reporter},
    clock::Clock,
    name::BastionName,
    reason::Refusal,
};
use std::sync::Arc;
use tokio::sync::watch;

/// The parts that connections share.
pub struct Bastion {
    /// Its name at the CA.
    pub name: BastionName,
    /// What the CA last told. Sessions watch it for revocations.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// The CA.
    pub authority: Arc<dyn Authority>,
    /// Keeps evidence of sessions.
    pub recorder: Arc<dyn Recorder>,
    /// Reports to the CA's log.
    pub journal: Arc<dyn Journal>,
    /// The keys and certificates that answer for recorded targets.
    pub inner_hosts: InnerHosts,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Waits for sessions at the end, and tells them of it.
    pub life: Life,
    /// The sessions that run.
    pub live: Arc<Live>,
    /// What is in force of what SIGHUP reads anew.
    pub settings: CurrentSettings,
    /// The room that new sessions leave on the recordings' disk.
    pub disk: DiskReserve,
    /// What is measured.
    pub metrics: Metrics,
    /// How targets were when they were last dialled.
    pub targets: Targets,
}

impl Bastion {
    /// What the CA last told.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// What clients may use up, as it is now.
    pub fn limits(&self) -> Limits {
        self.settings.borrow().limits.clone()
    }

    /// An event of this bastion, now.
    pub fn event(&self, event: Event, outcome: Outcome) -> AuditEvent {
        AuditEvent::new(self.clock.now(), event, outcome, Reporter::Bastion(self.name.clone()))
    }

    /// An event of something that was refused, now.
    pub fn refused(&self, event: Event, refusal: &Refusal) -> AuditEvent {
        AuditEvent::refused(self.clock.now(), event, Reporter::Bastion(self.name.clone()), refusal)
    }
}
