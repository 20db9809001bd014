//! A set of serials, however many and however dense: runs of serials that follow each other.

/// A set of serials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SerialSet {
    /// First and last serial of each run, in order. No two overlap or touch.
    runs: Vec<(u64, u64)>,
}

impl SerialSet {
    /// Whether it holds this serial.
    pub fn contains(&self, serial: u64) -> bool {
        let after = self.runs.partition_point(|(first, _)| *first <= serial);
        after.checked_sub(1).and_then(|index| self.runs.get(index)).is_some_and(|(_, last)| serial <= *last)
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Its runs in order: first and last serial of each.
    pub fn runs(&self) -> &[(u64, u64)] {
        &self.runs
    }

    /// How many serials it holds. All 2^64 - 1 that certificates have still fit.
    pub fn len(&self) -> u64 {
        self.runs.iter().fold(0, |sum: u64, (first, last)| sum.saturating_add(last.saturating_sub(*first)).saturating_add(1))
    }

    /// Adds runs, in any order, overlapping or not. In each the first serial is not past the last.
    pub(super) fn extend(&mut self, more: Vec<(u64, u64)>) {
        let mut runs = std::mem::take(&mut self.runs);
        runs.extend(more);
        runs.sort_unstable();
        self.runs.reserve(runs.len());
        for (first, last) in runs {
            match self.runs.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => self.runs.push((first, last)),
            }
        }
        self.runs.shrink_to_fit();
    }
}
