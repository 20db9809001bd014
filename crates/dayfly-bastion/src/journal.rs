//! The port to the journal: what happens here and belongs into the CA's log.

use dayfly_core::{audit::AuditEvent, reason::Refusal};

/// Takes events, and brings them to the CA in their order.
pub trait Journal: Send + Sync {
    /// Takes an event. Never waits.
    fn note(&self, event: AuditEvent);

    /// Whether the end of a session that starts now can be kept until the CA has it.
    fn check_open(&self) -> Result<(), Refusal>;
}

/// Keeps events in memory.
#[cfg(test)]
#[derive(Debug, Default)]
pub struct MemoryJournal(std::sync::Mutex<Vec<AuditEvent>>);

#[cfg(test)]
impl MemoryJournal {
    /// What was noted so far.
    pub fn events(&self) -> Vec<AuditEvent> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
impl Journal for MemoryJournal {
    fn note(&self, event: AuditEvent) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(event);
    }

    fn check_open(&self) -> Result<(), Refusal> {
        Ok(())
    }
}
