//! How much may be recorded: by one session, and for one person in an hour. Who floods ends their own session, before the disk ends everybody's.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The bounds of recordings, in bytes of their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of one session.
    pub session: u64,
    /// Of all sessions of one person in an hour.
    pub person_per_hour: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { session: 1 << 30, person_per_hour: 4 << 30 }
    }
}

/// Which bound was passed, in words for the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Passed {
    #[error("this session has filled the {0} bytes that one session may record; write bulk to a file and fetch it by sftp")]
    Session(u64),
    #[error(
        "your sessions have filled the {0} bytes that one person may record in an hour; wait, and write bulk to a file and fetch it by sftp"
    )]
    Person(u64),
}

/// What was recorded of late, by person.
#[derive(Debug)]
pub(super) struct Quota {
    bounds: Bounds,
    persons: Mutex<HashMap<String, Level>>,
}

/// Rises with what is recorded, and sinks by an hour's worth in an hour.
#[derive(Debug, Clone, Copy)]
struct Level {
    bytes: f64,
    at: Instant,
}

/// An hour, in seconds.
const HOUR: f64 = 3600.0;

/// With more persons than this, those whose level is down are forgotten.
const MANY_PERSONS: usize = 1024;

impl Quota {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, persons: Mutex::default() }
    }

    /// Counts `new` bytes of a session of `person` whose recording has `size` bytes by now.
    pub(super) fn take(&self, person: &str, new: u64, size: u64, now: Instant) -> Result<(), Passed> {
        let mut persons = self.persons.lock().unwrap_or_else(PoisonError::into_inner);
        if persons.len() > MANY_PERSONS {
            persons.retain(|_, level| level.sunk(self.bounds, now) > 0.0);
        }
        if !persons.contains_key(person) {
            persons.insert(person.to_owned(), Level { bytes: 0.0, at: now });
        }
        let Some(level) = persons.get_mut(person) else { return Ok(()) };
        *level = Level { bytes: level.sunk(self.bounds, now) + new as f64, at: now };
        if size > self.bounds.session {
            return Err(Passed::Session(self.bounds.session));
        }
        if level.bytes > self.bounds.person_per_hour as f64 { Err(Passed::Person(self.bounds.person_per_hour)) } else { Ok(()) }
    }
}

impl Level {
    fn sunk(&self, bounds: Bounds, now: Instant) -> f64 {
        let since = now.checked_duration_since(self.at).unwrap_or(Duration::ZERO);
        (self.bytes - bounds.person_per_hour as f64 * since.as_secs_f64() / HOUR).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_39_a_session_and_a_person_are_bounded_and_nobody_else_is() {
        let quota = Quota::new(Bounds { session: 100, person_per_hour: 3600 });
        let begin = Instant::now();
        assert_eq!(quota.take("alice", 100, 100, begin), Ok(()));
        assert_eq!(quota.take("alice", 1, 101, begin), Err(Passed::Session(100)));
        assert_eq!(quota.take("alice", 3499, 50, begin), Ok(()));
        assert_eq!(quota.take("alice", 1, 51, begin), Err(Passed::Person(3600)));
        assert_eq!(quota.take("bob", 100, 100, begin), Ok(()), "a neighbour");
        let later = begin + Duration::from_secs(60);
        assert_eq!(quota.take("alice", 59, 59, later), Ok(()), "a minute later a sixtieth is there again");
        assert_eq!(quota.take("alice", 1, 60, later + Duration::from_millis(100)), Err(Passed::Person(3600)));
    }

    #[test]
    fn who_was_long_away_is_forgotten() {
        let quota = Quota::new(Bounds { session: 100, person_per_hour: 3600 });
        let begin = Instant::now();
        for number in 0..=MANY_PERSONS {
            assert_eq!(quota.take(&number.to_string(), 1, 1, begin), Ok(()));
        }
        assert_eq!(quota.take("alice", 1, 1, begin + Duration::from_secs(3600)), Ok(()));
        assert_eq!(quota.persons.lock().map(|persons| persons.len()).ok(), Some(1));
    }
}
