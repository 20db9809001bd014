//! The port through which an outer crate learns the time; the domain itself takes `now` as an argument.

use time::OffsetDateTime;

/// What time it is.
pub trait Clock: Send + Sync {
    /// The current time, UTC.
    fn now(&self) -> OffsetDateTime;

    /// The current time in Unix seconds; a time before 1970 counts as 0, which fails every validity check.
    fn unix_seconds(&self) -> u64 {
        u64::try_from(self.now().unix_timestamp()).unwrap_or(0)
    }
}

/// A clock that a test sets.
#[cfg(feature = "test-support")]
#[derive(Debug)]
pub struct FixedClock(std::sync::Mutex<OffsetDateTime>);

#[cfg(feature = "test-support")]
impl FixedClock {
    /// A clock that stands at `unix_seconds`.
    pub fn at(unix_seconds: i64) -> Self {
        Self(std::sync::Mutex::new(OffsetDateTime::from_unix_timestamp(unix_seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)))
    }

    /// Moves the clock by `seconds`, backwards if negative.
    pub fn advance(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now += time::Duration::seconds(seconds);
    }
}

#[cfg(feature = "test-support")]
impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
