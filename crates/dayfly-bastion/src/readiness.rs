//! Whether new sessions may start, and if not, why not, in words. Pure: what is so comes in, what stands in the way goes out.

use dayfly_core::reason::Refusal;
use std::time::Duration;

/// How far the disk may be behind.
pub const LONGEST_LAG: Duration = Duration::from_secs(5);

/// What is so.
#[derive(Debug, Clone)]
pub struct Vitals {
    /// Whether the bastion was not asked to stop.
    pub is_running: bool,
    /// The room on the recordings' disk, in bytes, or why it is not known.
    pub free_bytes: Result<u64, String>,
    /// Whether a file could be stored beside the recordings, or why not.
    pub storable: Result<(), String>,
    /// How far the disk is behind with the recording that is furthest behind.
    pub recorder_lag: Duration,
    /// How long ago the CA last told what may be served; none if it has not since the start.
    pub inventory_age: Option<Duration>,
    /// Whether the ends of sessions can be kept for the CA.
    pub journal: Result<(), Refusal>,
}

/// What must be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least room on the recordings' disk, in bytes.
    pub disk_reserve: u64,
    /// How old the inventory may be.
    pub inventory_stale_after: Duration,
}

/// Everything that stands in the way of new sessions. Empty: ready.
pub fn obstacles(vitals: &Vitals, bounds: &Bounds) -> Vec<String> {
    let mut found = Vec::new();
    if !vitals.is_running {
        found.push("the bastion is being stopped".to_owned());
    }
    match &vitals.free_bytes {
        Ok(free) if *free < bounds.disk_reserve => found.push(format!(
            "the recordings' disk has {free} bytes left, less than disk_reserve_bytes = {}: make room, or give it a larger disk",
            bounds.disk_reserve
        )),
        Ok(_) => {}
        Err(cause) => found.push(format!("the recordings' disk cannot be looked at: {cause}")),
    }
    if let Err(cause) = &vitals.storable {
        found.push(format!("nothing can be stored beside the recordings: {cause}"));
    }
    if vitals.recorder_lag > LONGEST_LAG {
        found.push(format!("the recordings' disk is {} s behind", vitals.recorder_lag.as_secs()));
    }
    match vitals.inventory_age {
        None => found.push("the CA has not answered since the start, so that no session can be permitted".to_owned()),
        Some(age) if age > bounds.inventory_stale_after => {
            found.push(format!("the CA has not answered for {} s, so that targets and revocations may be old", age.as_secs()));
        }
        Some(_) => {}
    }
    if let Err(refusal) = &vitals.journal {
        found.push(refusal.message.clone());
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::reason::Reason;

    const BOUNDS: Bounds = Bounds { disk_reserve: 1000, inventory_stale_after: Duration::from_secs(60) };

    fn well() -> Vitals {
        Vitals {
            is_running: true,
            free_bytes: Ok(1000),
            storable: Ok(()),
            recorder_lag: LONGEST_LAG,
            inventory_age: Some(BOUNDS.inventory_stale_after),
            journal: Ok(()),
        }
    }

    #[test]
    fn at_every_bound_it_is_still_ready() {
        assert_eq!(obstacles(&well(), &BOUNDS), Vec::<String>::new());
    }

    #[test]
    fn row_13_each_thing_that_is_wrong_is_told_alone_and_all_of_them_together() {
        let refusal = Refusal::new(Reason::CaUnavailable, "its end could not be kept", "");
        type Change = fn(&mut Vitals);
        let wrong: [(Change, &str); 6] = [
            (|vitals| vitals.is_running = false, "being stopped"),
            (|vitals| vitals.free_bytes = Ok(999), "999 bytes left"),
            (|vitals| vitals.storable = Err("read-only file system".to_owned()), "read-only file system"),
            (|vitals| vitals.recorder_lag = LONGEST_LAG + Duration::from_secs(1), "6 s behind"),
            (|vitals| vitals.inventory_age = Some(Duration::from_secs(61)), "for 61 s"),
            (|vitals| vitals.inventory_age = None, "since the start"),
        ];
        for (change, said) in wrong {
            let mut vitals = well();
            change(&mut vitals);
            let found = obstacles(&vitals, &BOUNDS);
            assert!(found.len() == 1 && found[0].contains(said), "{found:?}");
        }
        let all = Vitals {
            is_running: false,
            free_bytes: Err("gone".to_owned()),
            storable: Err("full".to_owned()),
            recorder_lag: LONGEST_LAG * 2,
            inventory_age: None,
            journal: Err(refusal),
        };
        assert_eq!(obstacles(&all, &BOUNDS).len(), 6);
    }
}
