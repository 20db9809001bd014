//! How fast a recording is shown.

use std::time::Duration;

/// The pace of a replay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// How many times faster than it was; none: all at once.
    pub speed: Option<f64>,
    /// The longest pause of the recording that is kept as it was, before it is sped up.
    pub longest_pause: Duration,
}

impl Pace {
    /// How long to wait between two moments of the recording.
    pub fn wait(&self, from: Duration, to: Duration) -> Duration {
        let pause = to.saturating_sub(from).min(self.longest_pause);
        match self.speed {
            Some(speed) if speed > 0.0 => Duration::try_from_secs_f64(pause.as_secs_f64() / speed).unwrap_or(self.longest_pause),
            _ => Duration::ZERO,
        }
    }
}

/// Reads a speed: a number above zero.
pub fn parse_speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "write a number, such as 2 or 0.5".to_owned())?;
    if (0.01..=1000.0).contains(&speed) { Ok(speed) } else { Err("a speed is between 0.01 and 1000".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_are_cut_and_then_sped_up() {
        let pace = Pace { speed: Some(2.0), longest_pause: 4 * SECOND };
        assert_eq!(pace.wait(SECOND, 3 * SECOND), SECOND);
        assert_eq!(pace.wait(SECOND, 3600 * SECOND), 2 * SECOND);
        assert_eq!(pace.wait(3 * SECOND, SECOND), Duration::ZERO, "time that goes back");
        assert_eq!(Pace { speed: None, ..pace }.wait(SECOND, 3 * SECOND), Duration::ZERO);
    }

    #[test]
    fn a_speed_is_a_number_that_makes_sense() {
        assert_eq!(parse_speed("0.5"), Ok(0.5));
        for bad in ["", "0", "-1", "inf", "NaN", "1e9", "fast"] {
            assert!(parse_speed(bad).is_err(), "{bad}");
        }
    }
}
