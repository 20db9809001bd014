//! How fast connections may arrive where a target listens: everybody there can connect, and each connection is asked about and logged.

use std::time::Duration;

/// So many at once.
const AT_ONCE: u64 = 128;

/// So many more each second.
const EACH_SECOND: u64 = 16;

/// The pace of one listening session.
#[derive(Debug, Default)]
pub(super) struct Pace {
    taken: u64,
    is_told: bool,
}

impl Pace {
    /// Whether one more may arrive, so long after the beginning.
    pub(super) fn take(&mut self, elapsed: Duration) -> bool {
        // Who was slow before may be so much faster now, and no more.
        let given = elapsed.as_secs().saturating_mul(EACH_SECOND);
        self.taken = self.taken.max(given);
        let may = self.taken < given.saturating_add(AT_ONCE);
        self.taken += u64::from(may);
        may
    }

    /// Whether nobody was told yet that there are too many. Once.
    pub(super) fn is_news(&mut self) -> bool {
        !std::mem::replace(&mut self.is_told, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_10_whoever_connects_without_end_fills_no_log() {
        let mut pace = Pace::default();
        let arrive = |pace: &mut Pace, seconds| (0..10_000).filter(|_| pace.take(Duration::from_secs(seconds))).count();
        assert_eq!(arrive(&mut pace, 0), 128);
        assert_eq!(arrive(&mut pace, 1), 16);
        assert_eq!(arrive(&mut pace, 3600), 128, "a quiet hour is not saved up");
        assert!(pace.is_news() && !pace.is_news());
    }
}
