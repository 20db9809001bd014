//! When a session has to end: after its longest time, after nothing has happened for too long, or with its certificate. Pure: times come in, counted from the
//! session's beginning.

use crate::config::Limits;
use dayfly_core::{reason::Reason, role::SessionRules};
use std::time::Duration;

/// How long a session may go on.
#[derive(Debug, Clone)]
pub struct Deadlines {
    /// Ends that stand, counted from the beginning.
    fixed: Vec<Fixed>,
    idle: Option<Duration>,
    warn_before: Duration,
    /// The idle time that was warned of is that since here.
    idle_warned: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Fixed {
    at: Duration,
    reason: Reason,
    why: &'static str,
    is_warned: bool,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Nothing, for so long. None: ever.
    Nothing(Option<Duration>),
    /// The person is to be told that the end comes.
    Warning(String),
    /// It is over.
    End(Reason, String),
}

impl Deadlines {
    /// The shorter of what the bastion and the role give. `certificate_left`: how long the certificate lasts from the beginning.
    pub fn new(limits: &Limits, rules: &SessionRules, certificate_left: Duration) -> Self {
        let shorter = |ours: Option<Duration>, theirs: Option<Duration>| ours.into_iter().chain(theirs).min();
        let longest = shorter(limits.session_max, rules.max_duration.map(|span| span.duration()));
        let with_certificate = rules.end_with_certificate.then_some(certificate_left);
        let fixed = [
            (longest, Reason::LimitReached, "sessions may not last longer"),
            (with_certificate, Reason::Expired, "the session ends with its certificate"),
        ];
        let fixed = fixed.into_iter().filter_map(|(at, reason, why)| Some(Fixed { at: at?, reason, why, is_warned: false })).collect();
        let idle = shorter(limits.session_idle, rules.max_idle.map(|span| span.duration()));
        Self { fixed, idle, warn_before: limits.warn_before, idle_warned: None }
    }

    /// What is to be done at `now`, when something last moved at `moved`. A warning is given once.
    pub fn due(&mut self, now: Duration, moved: Duration) -> Due {
        let mut next: Option<Duration> = None;
        let mut wait_for = |at: Duration| next = Some(next.map_or(at, |next| next.min(at)));
        for fixed in &mut self.fixed {
            if now >= fixed.at {
                return Due::End(fixed.reason, fixed.why.to_owned());
            }
            wait_for(fixed.at);
        }
        if let Some(idle) = self.idle {
            let at = moved + idle;
            if now >= at {
                return Due::End(Reason::LimitReached, format!("nothing has happened in the session for {}", spoken(idle)));
            }
            wait_for(at);
            let warn_at = warn_at(moved, idle, self.warn_before);
            if self.idle_warned != Some(moved) {
                if now >= warn_at {
                    self.idle_warned = Some(moved);
                    return Due::Warning(format!(
                        "nothing has happened here for {}: the session ends in {}",
                        spoken(now - moved),
                        spoken(at - now)
                    ));
                }
                wait_for(warn_at);
            }
        }
        for fixed in &mut self.fixed {
            let warn_at = warn_at(Duration::ZERO, fixed.at, self.warn_before);
            if !fixed.is_warned {
                if now >= warn_at {
                    fixed.is_warned = true;
                    return Due::Warning(format!("this session ends in {}: {}", spoken(fixed.at - now), fixed.why));
                }
                wait_for(warn_at);
            }
        }
        Due::Nothing(next.map(|next| next.saturating_sub(now)))
    }
}

/// So long before the end, but not before half of the time has passed.
fn warn_at(begin: Duration, span: Duration, warn_before: Duration) -> Duration {
    begin + span - warn_before.min(span / 2)
}

/// A time as people say it, to the second.
fn spoken(span: Duration) -> String {
    let whole = Duration::from_secs(span.as_secs() + u64::from(span.subsec_nanos() >= 500_000_000));
    humantime::format_duration(whole).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn limits(max: Option<u64>, idle: Option<u64>, warn: u64) -> Limits {
        Limits { session_max: max.map(seconds), session_idle: idle.map(seconds), warn_before: seconds(warn), ..Limits::default() }
    }

    fn rules(toml: &str) -> SessionRules {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn the_longest_time_is_warned_of_once_and_kept_to_the_second() {
        let mut deadlines = Deadlines::new(&limits(Some(600), None, 300), &rules(""), seconds(60));
        assert_eq!(deadlines.due(seconds(0), seconds(0)), Due::Nothing(Some(seconds(300))));
        let warning = "this session ends in 5m: sessions may not last longer";
        assert_eq!(deadlines.due(seconds(300), seconds(299)), Due::Warning(warning.to_owned()));
        assert_eq!(deadlines.due(seconds(300), seconds(299)), Due::Nothing(Some(seconds(300))));
        assert_eq!(deadlines.due(seconds(599), seconds(599)), Due::Nothing(Some(seconds(1))));
        assert!(matches!(deadlines.due(seconds(600), seconds(600)), Due::End(Reason::LimitReached, _)));
    }

    #[test]
    fn whatever_moves_begins_the_idle_time_anew_and_the_warning_with_it() {
        let mut deadlines = Deadlines::new(&limits(None, Some(60), 10), &rules(""), seconds(60));
        for moved in [0, 55, 200] {
            let warning = deadlines.due(seconds(moved + 50), seconds(moved));
            assert_eq!(warning, Due::Warning("nothing has happened here for 50s: the session ends in 10s".to_owned()));
            assert_eq!(deadlines.due(seconds(moved + 50), seconds(moved)), Due::Nothing(Some(seconds(10))));
        }
        assert!(matches!(deadlines.due(seconds(260), seconds(200)), Due::End(Reason::LimitReached, _)));
    }

    #[test]
    fn a_role_gives_less_and_never_more_and_may_end_a_session_with_its_certificate() {
        let ours = limits(Some(600), Some(60), 1);
        let end = |rules: &SessionRules, at: u64, moved: u64| {
            let mut deadlines = Deadlines::new(&ours, rules, seconds(30));
            while let Due::Warning(_) = deadlines.due(seconds(at), seconds(moved)) {}
            match deadlines.due(seconds(at), seconds(moved)) {
                Due::End(reason, _) => Some(reason),
                _ => None,
            }
        };
        let (narrow, wide, bound) = (
            rules("max_duration = \"5m\"\nmax_idle = \"20s\""),
            rules("max_duration = \"2d\"\nmax_idle = \"1d\""),
            rules("end_with_certificate = true"),
        );
        assert_eq!(
            (end(&narrow, 299, 299), end(&narrow, 300, 300), end(&narrow, 20, 0)),
            (None, Some(Reason::LimitReached), Some(Reason::LimitReached))
        );
        assert_eq!(
            (end(&wide, 599, 599), end(&wide, 600, 600), end(&wide, 60, 0)),
            (None, Some(Reason::LimitReached), Some(Reason::LimitReached))
        );
        assert_eq!((end(&bound, 29, 29), end(&bound, 30, 30), end(&rules(""), 30, 30)), (None, Some(Reason::Expired), None));
    }

    #[test]
    fn without_limits_nothing_is_ever_due() {
        assert_eq!(Deadlines::new(&limits(None, None, 5), &rules(""), seconds(0)).due(seconds(1 << 40), seconds(0)), Due::Nothing(None));
    }

    proptest! {
        /// Drives it as the session's task does: sleeps as long as it is told to, with something moving now and then.
        #[test]
        fn it_ends_neither_early_nor_late_and_never_stands_still(
            max in prop::option::of(1..5000_u64), idle in prop::option::of(1..5000_u64), warn in 0..6000_u64, moves in prop::collection::vec(1..4000_u64, 0..20)
        ) {
            let mut deadlines = Deadlines::new(&limits(max, idle, warn), &rules(""), seconds(0));
            let (mut now, mut moved, mut warnings) = (seconds(0), seconds(0), 0);
            let mut moves = moves.into_iter();
            for _ in 0..100 {
                match deadlines.due(now, moved) {
                    Due::End(..) => {
                        let at = [max.map(seconds), idle.map(|idle| moved + seconds(idle))].into_iter().flatten().min().unwrap();
                        prop_assert_eq!(now, at);
                        return Ok(());
                    }
                    Due::Warning(_) => {
                        warnings += 1;
                        prop_assert!(warnings <= 24, "one for the longest time and one for each idle time");
                    }
                    Due::Nothing(None) => {
                        prop_assert!(max.is_none() && idle.is_none());
                        return Ok(());
                    }
                    Due::Nothing(Some(pause)) => {
                        prop_assert!(!pause.is_zero());
                        now += pause;
                        if let Some(step) = moves.next()
                            && seconds(step) < pause
                        {
                            moved = now - pause + seconds(step);
                        }
                    }
                }
            }
            prop_assert!(false, "it must come to an end");
        }
    }
}
