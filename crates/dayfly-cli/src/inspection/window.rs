//! When a certificate is valid, in words: OpenSSH's half-open interval.

use crate::certificate::in_words;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The window, how long it is, and where in it `now` is. All in Unix seconds.
pub(super) fn validity(after: u64, before: u64, now: u64) -> String {
    let window = match (after, before) {
        (0, u64::MAX) => return "always".to_owned(),
        (after, u64::MAX) => format!("from {} for ever", time(after)),
        (after, before) if before <= after => return format!("never: it would end ({}) before it begins ({})", time(before), time(after)),
        (after, before) => format!("from {} to {} ({})", time(after), time(before), in_words(before.saturating_sub(after))),
    };
    let state = if now < after {
        format!("begins in {}", in_words(after.saturating_sub(now)))
    } else if now >= before {
        format!("ended {} ago", in_words(now.saturating_sub(before)))
    } else if before == u64::MAX {
        return window;
    } else {
        format!("{} left", in_words(before.saturating_sub(now)))
    };
    format!("{window}: {state}")
}

/// A time, and how long ago it was.
pub(super) fn ago(seconds: u64, now: u64) -> String {
    match now.checked_sub(seconds) {
        Some(age) => format!("{}, {} ago", time(seconds), in_words(age)),
        None => format!("{}, which is still to come", time(seconds)),
    }
}

/// RFC 3339, or the number where that cannot be written.
pub(super) fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("second {seconds}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_told_in_words_at_its_boundaries() {
        let window = "from 1970-01-01T00:16:40Z to 1970-01-01T00:21:40Z (5m)";
        assert_eq!(validity(1000, 1300, 990), format!("{window}: begins in 10s"));
        assert_eq!(validity(1000, 1300, 1000), format!("{window}: 5m left"));
        assert_eq!(validity(1000, 1300, 1299), format!("{window}: 1s left"));
        assert_eq!(validity(1000, 1300, 1300), format!("{window}: ended 0s ago"));
        assert_eq!(validity(0, u64::MAX, 5), "always");
        assert_eq!(validity(1000, u64::MAX, 1000), "from 1970-01-01T00:16:40Z for ever");
        assert!(validity(5, 5, 5).starts_with("never") && validity(6, 5, 5).starts_with("never"));
        assert!(validity(u64::MAX - 1, u64::MAX, 5).contains("second 18446744073709551614"));
    }
}
