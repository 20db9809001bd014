//! What is revoked now, kept at hand: every request asks.

use crate::store::{Certificate, RevocationState, Store, StoreError};
use dayfly_core::{
    certificate::{Revocations, Revoked},
    clock::Clock,
    validity::LONGEST_SESSION_SECONDS,
};
use std::sync::{Arc, Mutex, PoisonError};

/// What is revoked now. Another process may revoke at any time (`dayfly-ca revoke` while the CA serves): the store is asked each time whether anything
/// changed, and read anew only then.
pub struct CurrentRevocations {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    state: RevocationState,
    read_at: u64,
    /// The next time at which one of them ends, in Unix seconds.
    until: Option<u64>,
    revocations: Arc<Revocations>,
}

impl CurrentRevocations {
    /// Of this store, by this clock.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, kept: Mutex::default() }
    }

    /// Everything that is in force: revocations that have not ended, and people who are disabled.
    pub async fn current(&self) -> Result<Arc<Revocations>, StoreError> {
        let (now, state) = (self.clock.unix_seconds(), self.store.revocation_state().await?);
        if let Some(kept) = &*self.kept.lock().unwrap_or_else(PoisonError::into_inner)
            && kept.state == state
            && kept.read_at <= now
            && kept.until.is_none_or(|until| now < until)
        {
            return Ok(Arc::clone(&kept.revocations));
        }
        let kept = self.read(now, state).await?;
        let revocations = Arc::clone(&kept.revocations);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(revocations)
    }

    /// What was added since `state` was read only makes the next question read again.
    async fn read(&self, now: u64, state: RevocationState) -> Result<Kept, StoreError> {
        let mut revocations = Revocations::default();
        if state.disabled > 0 {
            let people = self.store.people().await?;
            revocations.subjects = people.into_iter().filter(|person| person.disabled).map(|person| person.subject).collect();
        }
        let mut until: Option<u64> = None;
        for revocation in self.store.revocations().await?.iter().filter(|revocation| revocation.is_in_force(now)) {
            revocations.add(&revocation.revoked, revocation.at);
            if let Revoked::Key(_) = &revocation.revoked {
                // What it asked for is certified for other keys, by which nobody else would know it.
                let covered = self.store.covered(&revocation.revoked, revocation.at).await?;
                let may_run = |certificate: &Certificate| now < certificate.ends_at.saturating_add(LONGEST_SESSION_SECONDS);
                revocations.serials.extend(covered.into_iter().filter(may_run).map(|certificate| certificate.serial));
            }
            until = until.into_iter().chain(revocation.ends_at).min();
        }
        Ok(Kept { state, read_at: now, until, revocations: Arc::new(revocations) })
    }
}
