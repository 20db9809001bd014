//! Requests that nobody could be found to have sent go to the log, no faster than it can bear: a stranger cannot fill the disk. So does what an enrolled
//! host is refused at each of its renewals, every few minutes.
//!
//! Facts of its events: `address`, `method`, `path`, `purpose`, `key` (whose signature fits, enrolled or not), `caller` (whom that key is enrolled for) and `suppressed`,
//! the number of such refusals since the last row that were not written.

use crate::{
    address_rate::AddressRate,
    authority::Authority,
    identity::{HostCall, Rejection},
    store::Change,
};
use dayfly_core::{audit::Event, reason::Refusal, signed_request::Purpose};
use std::{
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicU64, Ordering},
};

/// Rows that one address may cause at once, and a second from then on.
const PER_ADDRESS: (u64, u64) = (50, 1);

/// Rows that all addresses may cause at once, and a second from then on.
const IN_ALL: (u64, u64) = (500, 10);

/// Whose bucket the rows of all addresses come from.
const EVERYBODY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The longest part of a path that is logged, in characters.
const LONGEST_PATH: usize = 200;

/// Writes refused requests down.
#[derive(Debug)]
pub struct RefusedRequests {
    of_address: AddressRate,
    of_all: AddressRate,
    suppressed: AtomicU64,
}

/// What was refused.
#[derive(Debug, Clone, Copy)]
pub struct RefusedRequest<'a> {
    /// Where it came from.
    pub address: IpAddr,
    /// As what it called.
    pub purpose: Purpose,
    /// The HTTP method.
    pub method: &'a str,
    /// The path without its query.
    pub path: &'a str,
    /// Why, and what is known of the caller all the same.
    pub rejection: &'a Rejection,
}

impl Default for RefusedRequests {
    fn default() -> Self {
        Self {
            of_address: AddressRate::new(PER_ADDRESS.0, PER_ADDRESS.1),
            of_all: AddressRate::new(IN_ALL.0, IN_ALL.1),
            suppressed: AtomicU64::new(0),
        }
    }
}

impl RefusedRequests {
    /// Logs, or counts, that an enrolled host that called `method` and `path` was refused.
    pub async fn log_host(&self, authority: &Authority, call: &HostCall, (method, path): (&str, &str), refusal: &Refusal) {
        let rejection = Rejection {
            refusal: refusal.clone(),
            key_fingerprint: call.host.key.as_ref().map(|key| key.fingerprint.clone()),
            caller: Some(call.host.name.to_string()),
        };
        let refused = RefusedRequest { address: call.context.source, purpose: Purpose::Host, method, path, rejection: &rejection };
        self.log(authority, refused).await;
    }

    /// Logs a refusal, or counts it. The request is refused either way, so a log that cannot be written is only traced.
    pub async fn log(&self, authority: &Authority, refused: RefusedRequest<'_>) {
        let (rejection, now) = (refused.rejection, authority.clock.unix_seconds());
        if !self.of_address.take(refused.address, now) || !self.of_all.take(EVERYBODY, now) {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        tracing::warn!(address = %refused.address, path = refused.path, reason = %rejection.refusal.reason, "request refused");
        let path: String = refused.path.chars().take(LONGEST_PATH).collect();
        let mut event = authority
            .refused(Event::RequestRefused, &rejection.refusal)
            .fact("address", refused.address.to_canonical())
            .fact("purpose", refused.purpose)
            .fact("method", refused.method)
            .fact("path", path);
        for (name, value) in [("key", &rejection.key_fingerprint), ("caller", &rejection.caller)] {
            if let Some(value) = value {
                event = event.fact(name, value);
            }
        }
        let suppressed = self.suppressed.swap(0, Ordering::Relaxed);
        if suppressed > 0 {
            event = event.fact("suppressed", suppressed);
        }
        if let Err(error) = authority.store.commit(Change::None, event).await {
            self.suppressed.fetch_add(suppressed.saturating_add(1), Ordering::Relaxed);
            tracing::error!(%error, "a refused request could not be logged");
        }
    }
}
