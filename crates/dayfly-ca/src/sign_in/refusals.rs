//! Refused sign-ins go to the log, no faster than it can bear: anybody can ask for one.

use crate::{address_rate::AddressRate, authority::Authority, store::Change};
use dayfly_core::{
    audit::{AuditEvent, Event},
    reason::Refusal,
};
use std::net::IpAddr;

/// Rows that one address may cause at once, and a second from then on.
const PER_ADDRESS: (u64, u64) = (50, 1);

/// Writes refused sign-ins down.
pub struct Refusals(AddressRate);

impl Default for Refusals {
    fn default() -> Self {
        Self(AddressRate::new(PER_ADDRESS.0, PER_ADDRESS.1))
    }
}

impl Refusals {
    /// Logs a refusal; `about` adds what is known of it. It is refused either way, so a log that cannot be written is only traced.
    pub async fn log(&self, authority: &Authority, address: IpAddr, refusal: &Refusal, about: impl FnOnce(AuditEvent) -> AuditEvent) {
        tracing::warn!(%address, reason = %refusal.reason, "sign-in refused");
        if !self.0.take(address, authority.clock.unix_seconds()) {
            return;
        }
        let event = about(authority.refused(Event::SignInRefused, refusal).fact("address", address.to_canonical()));
        if let Err(error) = authority.store.commit(Change::None, event).await {
            tracing::error!(%error, "a refused sign-in could not be logged");
        }
    }
}
