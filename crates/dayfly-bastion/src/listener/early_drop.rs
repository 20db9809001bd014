//! Random early drop (as OpenSSH's MaxStartups): the more connections wait to be logged in, the more likely a new one is dropped, so that whoever floods the
//! bastion drowns their own connections and not everybody else's. Pure: the dice are thrown outside.

use crate::config::Limits;

/// Whether a new connection is dropped while `waiting` are not logged in. `dice`: from 0 up to, not including, 1.
pub(super) fn drops(limits: &Limits, waiting: usize, dice: f64) -> bool {
    dice < probability(limits, waiting)
}

/// Nothing below the start, the configured part at it, everything at the full number; a straight line between.
fn probability(limits: &Limits, waiting: usize) -> f64 {
    let (from, full) = (limits.early_drop_from, limits.max_unauthenticated);
    if waiting >= full {
        return 1.0;
    }
    if waiting < from {
        return 0.0;
    }
    let at_start = f64::from(limits.early_drop_percent) / 100.0;
    // Counts of connections are far below what a float holds exactly.
    let way = (waiting - from) as f64 / (full - from) as f64;
    at_start + (1.0 - at_start) * way
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits(from: usize, percent: u8, full: usize) -> Limits {
        Limits { early_drop_from: from, early_drop_percent: percent, max_unauthenticated: full, ..Limits::default() }
    }

    #[test]
    fn row_10_a_flood_is_thinned_out_before_it_is_full() {
        let limits = limits(10, 30, 20);
        assert!(!drops(&limits, 9, 0.0));
        assert!(drops(&limits, 10, 0.29) && !drops(&limits, 10, 0.31));
        assert!(drops(&limits, 15, 0.64) && !drops(&limits, 15, 0.66));
        assert!(drops(&limits, 20, 0.999_999) && drops(&limits, 21, 0.999_999));
    }

    proptest! {
        #[test]
        fn row_10_more_waiting_never_means_fewer_dropped(from in 0..300_usize, percent in 0..=100_u8, full in 1..300_usize, waiting in 0..400_usize) {
            let limits = limits(from, percent, full);
            let (now, more) = (probability(&limits, waiting), probability(&limits, waiting + 1));
            prop_assert!((0.0..=1.0).contains(&now) && now <= more);
            prop_assert!(waiting < full || now == 1.0);
        }
    }
}
