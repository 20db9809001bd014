//! How a set of serials is written in the fewest bytes (OpenSSH PROTOCOL.krl § 2: serial list, range, bitmap).
//!
//! A run is listed, one serial after the other; is a range; or shares a bitmap with its neighbours. Which of these is best for all runs together follows from
//! what is best for those before each, in one pass: the cheapest bitmap that ends with a run is found without trying every beginning (see [`Beginnings`]).

use std::collections::VecDeque;

/// The bits that one bitmap may have: OpenSSH reads numbers of up to 16384.
pub(super) const LARGEST_BITMAP: u64 = 16384;

/// Type and length that stand before each section's data.
const SECTION: i128 = 1 + 4;

/// A range: two serials.
const RANGE: i128 = SECTION + 16;

/// A bitmap without its bits: the first serial, and a number's length and sign.
const BITMAP: i128 = SECTION + 8 + 4 + 1;

/// The sections that hold all runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Runs that are listed serial by serial, in one list.
    pub(super) listed: Vec<(u64, u64)>,
    /// Runs that are ranges.
    pub(super) ranges: Vec<(u64, u64)>,
    /// Runs that share a bitmap.
    pub(super) bitmaps: Vec<Vec<(u64, u64)>>,
}

/// How the last of some runs is written.
#[derive(Clone, Copy)]
enum Step {
    List,
    Range,
    /// In a bitmap that begins with the run of this index.
    Bitmap(usize),
}

/// The smallest layout of `runs`, which are in order and do not touch.
pub(super) fn smallest(runs: &[(u64, u64)]) -> Layout {
    // Only the first serial that is listed costs the list's own header, so both ways are worked out.
    let (with_list, without_list) = (steps(runs, true), steps(runs, false));
    let steps = if with_list.0 + SECTION < without_list.0 { with_list.1 } else { without_list.1 };
    collect(runs, &steps)
}

/// The cost in bytes of all runs, and for each run how it is written if it is the last.
fn steps(runs: &[(u64, u64)], may_list: bool) -> (i128, Vec<Step>) {
    let mut before = 0;
    let mut beginnings = Beginnings::default();
    let mut steps = Vec::with_capacity(runs.len());
    for (index, (first, last)) in runs.iter().copied().enumerate() {
        beginnings.push(index, first, before);
        let serials = i128::from(last) - i128::from(first) + 1;
        let mut best = (before + RANGE, Step::Range);
        if may_list && 8 * serials < RANGE {
            best = (before + 8 * serials, Step::List);
        }
        if let Some((cost, beginning)) = beginnings.cheapest(last)
            && cost < best.0
        {
            best = (cost, Step::Bitmap(beginning));
        }
        before = best.0;
        steps.push(best.1);
    }
    (before, steps)
}

/// Where a bitmap could begin. One that begins at serial `first`, after runs that cost `before`, and ends at `last` costs
/// `before + BITMAP + (last - first + 1) / 8`. That is least, whatever `last` is, where `8 * before - first` is.
#[derive(Default)]
struct Beginnings {
    /// In order of `first`, and of rising `8 * before - first`: what is dearer than something behind it is never chosen again.
    candidates: VecDeque<Beginning>,
}

struct Beginning {
    index: usize,
    first: u64,
    eight_times_before_less_first: i128,
}

impl Beginnings {
    fn push(&mut self, index: usize, first: u64, before: i128) {
        let candidate = Beginning { index, first, eight_times_before_less_first: 8 * before - i128::from(first) };
        let is_dearer = |other: &Beginning| other.eight_times_before_less_first >= candidate.eight_times_before_less_first;
        while self.candidates.back().is_some_and(is_dearer) {
            self.candidates.pop_back();
        }
        self.candidates.push_back(candidate);
    }

    /// The cheapest that reaches `last`: its cost, and the run that it begins with.
    fn cheapest(&mut self, last: u64) -> Option<(i128, usize)> {
        while self.candidates.front().is_some_and(|candidate| last - candidate.first >= LARGEST_BITMAP) {
            self.candidates.pop_front();
        }
        let best = self.candidates.front()?;
        Some((BITMAP + (best.eight_times_before_less_first + i128::from(last) + 1).div_euclid(8), best.index))
    }
}

/// Follows the steps back from the last run.
fn collect(runs: &[(u64, u64)], steps: &[Step]) -> Layout {
    let mut layout = Layout::default();
    let mut end = runs.len();
    while let Some((run, step)) = end.checked_sub(1).and_then(|last| Some((runs.get(last)?, steps.get(last)?))) {
        end -= 1;
        match *step {
            Step::List => layout.listed.push(*run),
            Step::Range => layout.ranges.push(*run),
            Step::Bitmap(beginning) => {
                layout.bitmaps.push(runs.get(beginning..=end).unwrap_or_default().to_vec());
                end = beginning;
            }
        }
    }
    layout.listed.reverse();
    layout.ranges.reverse();
    layout.bitmaps.reverse();
    layout
}
