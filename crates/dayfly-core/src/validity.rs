//! When a certificate is valid, and for how long one may be.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// How far a certificate is backdated, in seconds, so that a target whose clock runs a little late accepts it.
pub const BACKDATE_SECONDS: u64 = 30;

/// The longest life a role may give, in seconds: 24 hours.
pub const LONGEST_TTL_SECONDS: u64 = 24 * 60 * 60;

/// The longest that a session may go on, whatever anybody configures, in seconds: thirty days.
pub const LONGEST_SESSION_SECONDS: u64 = 30 * 24 * 60 * 60;

/// A window that no certificate may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a validity must begin before it ends, and end at a time that can be written down")]
pub struct ValidityError;

/// A half-open interval of Unix seconds: valid at `after`, no longer valid at `before` (OpenSSH PROTOCOL.certkeys).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    after: u64,
    before: u64,
}

impl Validity {
    /// Refuses an empty window and "forever" (anything past what a signed 64-bit time holds).
    pub fn new(after: u64, before: u64) -> Result<Self, ValidityError> {
        if after < before && i64::try_from(before).is_ok() { Ok(Self { after, before }) } else { Err(ValidityError) }
    }

    /// A window that ends `ttl` after `now` and began [`BACKDATE_SECONDS`] before it.
    pub fn starting(now: u64, ttl: Ttl) -> Result<Self, ValidityError> {
        Self::new(now.saturating_sub(BACKDATE_SECONDS), now.saturating_add(ttl.seconds()))
    }

    /// The first second it is valid.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// The first second it is no longer valid.
    pub fn before(&self) -> u64 {
        self.before
    }

    /// This window cut to end no later than `before`.
    pub fn ending_by(self, before: u64) -> Result<Self, ValidityError> {
        Self::new(self.after, self.before.min(before))
    }
}

/// A lifetime between one second and [`LONGEST_TTL_SECONDS`]. Written `5m`, `90s`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ttl(u64);

/// A lifetime that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TtlError {
    /// The text is not a duration.
    #[error("{0:?} is not a duration: write 5m, 90s or 1h")]
    NotADuration(String),
    /// Zero, or past the longest.
    #[error("a lifetime must be between 1s and 24h, not {0}s")]
    OutOfRange(u64),
}

impl Ttl {
    /// Five minutes: what a role gives that does not say.
    pub const DEFAULT: Ttl = Ttl(300);

    /// A lifetime of so many seconds.
    pub fn from_seconds(seconds: u64) -> Result<Self, TtlError> {
        if (1..=LONGEST_TTL_SECONDS).contains(&seconds) { Ok(Self(seconds)) } else { Err(TtlError::OutOfRange(seconds)) }
    }

    /// In seconds.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl std::str::FromStr for Ttl {
    type Err = TtlError;
    fn from_str(text: &str) -> Result<Self, TtlError> {
        let duration = humantime::parse_duration(text).map_err(|_| TtlError::NotADuration(text.chars().take(64).collect()))?;
        Self::from_seconds(duration.as_secs())
    }
}

impl TryFrom<String> for Ttl {
    type Error = TtlError;
    fn try_from(text: String) -> Result<Self, TtlError> {
        text.parse()
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(Duration::from_secs(self.0)).fmt(f)
    }
}

impl From<Ttl> for String {
    fn from(ttl: Ttl) -> String {
        ttl.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_05_windows_that_no_certificate_may_have() {
        assert!(Validity::new(5, 5).is_err());
        assert!(Validity::new(6, 5).is_err());
        assert!(Validity::new(0, u64::MAX).is_err());
        assert!(Validity::new(0, i64::MAX as u64 + 1).is_err());
        assert!(Validity::new(0, i64::MAX as u64).is_ok());
    }

    #[test]
    fn lifetimes_are_bounded_and_readable() {
        assert_eq!("5m".parse::<Ttl>().unwrap().seconds(), 300);
        assert_eq!("1h 30m".parse::<Ttl>().unwrap().to_string(), "1h 30m");
        for bad in ["", "5", "0s", "25h", "-1s", "forever"] {
            assert!(bad.parse::<Ttl>().is_err(), "{bad}");
        }
    }
}
