//! How each target was when it was last dialled, and what showed in its place.
//!
//! What is kept is for operators, in memory. A host key that is not the target's own is an event of the CA's log too, once for each key that shows.

use crate::{
    authority::PermittedSession,
    bastion::Bastion,
    upstream::{DialFailure, HostKeySeen},
};
use dayfly_core::{
    audit::{Event, Outcome},
    name::TargetName,
    reason::Refusal,
    target::Inventory,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use time::OffsetDateTime;

/// How far a dial went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialOutcome {
    /// It let in; a passthrough target took the connection.
    Reachable,
    /// Nothing listens there.
    Refused,
    /// It did not answer in time.
    TimedOut,
    /// There is no way there, or its name leads nowhere.
    Unreachable,
    /// What answered is not it.
    HostKeyWrong,
    /// It is it, and does not take the session certificate.
    LoginRefused,
    /// It broke off.
    Failed,
}

impl DialOutcome {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Reachable, Self::Refused, Self::TimedOut, Self::Unreachable, Self::HostKeyWrong, Self::LoginRefused, Self::Failed];

    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::HostKeyWrong => "host_key_wrong",
            Self::LoginRefused => "login_refused",
            Self::Failed => "failed",
        }
    }

    /// Why there is no connection.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Unreachable,
        }
    }
}

/// The last dial of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// How far it went.
    pub outcome: DialOutcome,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What the person was told, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What it should have shown and what it did, if that was not its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<HostKeySeen>,
}

/// The last dial of each target that was dialled.
#[derive(Debug, Default)]
pub struct Targets(Mutex<BTreeMap<TargetName, Dial>>);

impl Targets {
    /// How a target was when it was last dialled; `None` if it was not.
    pub fn last(&self, target: &TargetName) -> Option<Dial> {
        self.lock().get(target).cloned()
    }

    /// How many targets of `inventory` are in each state, in the order of [`DialOutcome::ALL`], and how many were not dialled.
    pub fn states(&self, inventory: &Inventory) -> ([usize; DialOutcome::ALL.len()], usize) {
        let dialled = self.lock();
        let count =
            |outcome| dialled.iter().filter(|(name, dial)| dial.outcome == outcome && inventory.get(name.as_str()).is_some()).count();
        let states = DialOutcome::ALL.map(count);
        (states, inventory.iter().count().saturating_sub(states.iter().sum()))
    }

    /// Keeps how a dial went. Whether what the target showed is not its own, and not what it showed last.
    fn note(&self, target: &TargetName, dial: Dial, inventory: &Inventory) -> bool {
        let mut dialled = self.lock();
        let earlier = dialled.get(target).and_then(|earlier| earlier.host_key.as_ref());
        let is_news = dial.host_key.as_ref().is_some_and(|shown| earlier != Some(shown));
        // A target that cannot be reached for a while has not shown anything else meanwhile.
        let remembered = dial.host_key.clone().or_else(|| earlier.filter(|_| dial.outcome != DialOutcome::Reachable).cloned());
        dialled.insert(target.clone(), Dial { host_key: remembered, ..dial });
        if dialled.len() > inventory.iter().count() {
            dialled.retain(|name, _| inventory.get(name.as_str()).is_some());
        }
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TargetName, Dial>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bastion {
    /// Measures and keeps how dialling the target of `session` went, and reports a host key that is not its own.
    pub fn dialled<T>(&self, session: &PermittedSession, took: Duration, dialled: Result<T, DialFailure>) -> Result<T, Refusal> {
        let failure = dialled.as_ref().err();
        let outcome = failure.map_or(DialOutcome::Reachable, |failure| failure.outcome);
        self.metrics.target_login(session.permit().mode, took, failure.is_none());
        self.metrics.target_dialled(outcome);
        let dial = Dial {
            outcome,
            at: self.clock.now(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            detail: failure.map(|failure| failure.refusal.message.clone()),
            host_key: failure.and_then(|failure| failure.host_key.clone()),
        };
        let target = session.target_name();
        if self.targets.note(target, dial, self.snapshot().inventory())
            && let Some(DialFailure { refusal, host_key: Some(shown), .. }) = failure
        {
            self.report_host_key(target, refusal, shown);
        }
        dialled.map_err(|failure| failure.refusal)
    }

    fn report_host_key(&self, target: &TargetName, refusal: &Refusal, shown: &HostKeySeen) {
        tracing::error!(%target, seen = shown.seen, expected = ?shown.expected, "a target shows a host key that is not its own");
        let mut event = self.event(Event::TargetHostKeyRefused, Outcome::Refused).target(target).detail(&refusal.message);
        event.reason = Some(refusal.reason);
        self.journal.note(event.fact("expected", shown.expected.join(", ")).fact("seen", &shown.seen));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn dial(outcome: DialOutcome, seen: Option<&str>) -> Dial {
        let host_key = seen.map(|seen| HostKeySeen { expected: vec!["SHA256:own".to_owned()], seen: seen.to_owned() });
        Dial { outcome, at: OffsetDateTime::UNIX_EPOCH, took_ms: 5, detail: None, host_key }
    }

    fn inventory(names: &[&str]) -> Inventory {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        let target = |name: &&str| {
            let text = serde_json::json!({"name": name, "address": "192.0.2.1", "host_keys": [key], "mode": "record"});
            serde_json::from_value(text).unwrap()
        };
        Inventory::new(names.iter().map(target).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_wrong_host_key_is_news_once_until_another_shows_or_the_right_one_did() {
        let (targets, inventory, db1) = (Targets::default(), inventory(&["db1", "db2"]), "db1".parse().unwrap());
        let note = |outcome, seen| targets.note(&db1, dial(outcome, seen), &inventory);
        assert!(!note(DialOutcome::Reachable, None));
        assert!(note(DialOutcome::HostKeyWrong, Some("SHA256:x")));
        assert!(!note(DialOutcome::HostKeyWrong, Some("SHA256:x")));
        assert!(!note(DialOutcome::TimedOut, None));
        assert!(!note(DialOutcome::HostKeyWrong, Some("SHA256:x")), "it was away meanwhile, and shows the same");
        assert!(note(DialOutcome::HostKeyWrong, Some("SHA256:y")));
        assert!(!note(DialOutcome::Reachable, None));
        assert!(targets.last(&db1).unwrap().host_key.is_none());
        assert!(note(DialOutcome::HostKeyWrong, Some("SHA256:y")), "it was right meanwhile");
    }

    #[test]
    fn targets_are_counted_by_state_and_those_that_are_gone_are_forgotten() {
        let (targets, two) = (Targets::default(), inventory(&["db1", "db2"]));
        for (name, outcome) in [("db1", DialOutcome::Reachable), ("gone", DialOutcome::Refused)] {
            targets.note(&name.parse().unwrap(), dial(outcome, None), &two);
        }
        let (states, never) = targets.states(&two);
        assert_eq!((states.iter().sum::<usize>(), never), (1, 1));
        targets.note(&"db2".parse().unwrap(), dial(DialOutcome::TimedOut, None), &two);
        assert_eq!((targets.last(&"gone".parse().unwrap()), targets.states(&two).1), (None, 0));
    }
}
