//! What is refused of a browser or its tool goes to the log, no faster than it can bear: anybody can try.

use crate::{address_rate::AddressRate, authority::Authority, store::Change};
use dayfly_core::{
    audit::{AuditEvent, Event},
    reason::Refusal,
};
use std::net::IpAddr;

/// Rows that one address may cause at once, and a second from then on.
const PER_ADDRESS: (u64, u64) = (50, 1);

/// Writes them down.
pub struct Refusals {
    event: Event,
    rate: AddressRate,
}

impl Refusals {
    /// As this event.
    pub fn of(event: Event) -> Self {
        Self { event, rate: AddressRate::new(PER_ADDRESS.0, PER_ADDRESS.1) }
    }

    /// Logs a refusal; `about` adds what is known of it. It is refused either way, so a log that cannot be written is only traced.
    pub async fn log(&self, authority: &Authority, address: IpAddr, refusal: &Refusal, about: impl FnOnce(AuditEvent) -> AuditEvent) {
        tracing::warn!(event = %self.event, %address, reason = %refusal.reason, "refused");
        if !self.rate.take(address, authority.clock.unix_seconds()) {
            return;
        }
        let event = about(authority.refused(self.event, refusal).fact("address", address.to_canonical()));
        if let Err(error) = authority.store.commit(Change::None, event).await {
            tracing::error!(event = %self.event, %error, "a refusal could not be logged");
        }
    }
}
