//! The conditions under which somebody asks.

use std::net::IpAddr;
use time::OffsetDateTime;

/// What a decision looks at beside who asks and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// When it is asked, UTC.
    pub now: OffsetDateTime,
    /// The address it is asked from: as the CA sees it for a request, as the bastion sees it for a session.
    pub source: IpAddr,
}

impl Context {
    /// `now` in Unix seconds.
    pub fn unix_seconds(&self) -> u64 {
        u64::try_from(self.now.unix_timestamp()).unwrap_or(0)
    }
}
