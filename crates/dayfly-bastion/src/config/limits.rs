//! What clients may use up, and what failing costs: the parts of the configuration that SIGHUP reads anew.

use super::duration;
use dayfly_core::address::Network;
use serde::Deserialize;
use std::time::Duration;

/// What clients may use up, so that no one of them can take the bastion from the others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How long a client may take to log in.
    #[serde(with = "duration")]
    pub login_grace: Duration,
    /// Connections in all that are not logged in yet.
    pub max_unauthenticated: usize,
    /// From so many of them on, some of the new ones are dropped at random.
    pub early_drop_from: usize,
    /// How many of a hundred are dropped at that point; all of them at `max_unauthenticated`.
    pub early_drop_percent: u8,
    /// Connections of one address that are not logged in yet.
    pub max_unauthenticated_per_address: usize,
    /// Connections in all.
    pub max_connections: usize,
    /// Sessions in all.
    pub max_sessions: usize,
    /// Sessions of one person.
    pub max_sessions_per_person: usize,
    /// Sessions to one target.
    pub max_sessions_per_target: usize,
    /// How long a session may last. None: for ever.
    #[serde(with = "duration::or_never")]
    pub session_max: Option<Duration>,
    /// How long nothing may happen in a session. None: for ever.
    #[serde(with = "duration::or_never")]
    pub session_idle: Option<Duration>,
    /// How long before the end somebody at a terminal is told of it.
    #[serde(with = "duration")]
    pub warn_before: Duration,
    /// How long sessions may go on after the bastion was asked to stop.
    #[serde(with = "duration")]
    pub drain: Duration,
    /// How often the CA is asked what changed.
    #[serde(with = "duration")]
    pub refresh: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login_grace: Duration::from_secs(60),
            max_unauthenticated: 256,
            early_drop_from: 128,
            early_drop_percent: 30,
            max_unauthenticated_per_address: 32,
            max_connections: 4096,
            max_sessions: 8192,
            max_sessions_per_person: 256,
            max_sessions_per_target: 2048,
            session_max: Some(Duration::from_secs(24 * 60 * 60)),
            session_idle: None,
            warn_before: Duration::from_secs(5 * 60),
            drain: Duration::from_secs(30),
            refresh: Duration::from_secs(5),
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), String> {
        let counts = [
            self.max_unauthenticated,
            self.max_unauthenticated_per_address,
            self.max_connections,
            self.max_sessions,
            self.max_sessions_per_person,
            self.max_sessions_per_target,
        ];
        if counts.contains(&0) {
            return Err("limits: a limit of 0 would let nobody in".to_owned());
        }
        let durations = [Some(self.login_grace), Some(self.refresh), self.session_max, self.session_idle];
        if durations.iter().flatten().any(Duration::is_zero) {
            return Err("limits: login_grace, refresh, session_max and session_idle must be longer than 0s".to_owned());
        }
        if self.early_drop_percent > 100 {
            return Err("limits: early_drop_percent is more than 100".to_owned());
        }
        Ok(())
    }
}

/// What failing costs an address: how long it is turned away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Penalties {
    /// For a login that was refused.
    #[serde(with = "duration")]
    pub failed_login: Duration,
    /// For a connection that left without having tried to log in.
    #[serde(with = "duration")]
    pub no_login: Duration,
    /// For one that was cut off because it took too long.
    #[serde(with = "duration")]
    pub grace_exceeded: Duration,
    /// For one that did not keep to the protocol.
    #[serde(with = "duration")]
    pub malformed: Duration,
    /// How much has to come together before any of it is enforced.
    #[serde(with = "duration")]
    pub enforced_from: Duration,
    /// How much may come together.
    #[serde(with = "duration")]
    pub longest: Duration,
    /// Whom nothing costs anything.
    pub exempt: Vec<Network>,
}

impl Default for Penalties {
    fn default() -> Self {
        Self {
            failed_login: Duration::from_secs(5),
            no_login: Duration::from_secs(1),
            grace_exceeded: Duration::from_secs(10),
            malformed: Duration::from_secs(10),
            enforced_from: Duration::from_secs(15),
            longest: Duration::from_secs(10 * 60),
            exempt: Vec::new(),
        }
    }
}

impl Penalties {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.enforced_from > self.longest {
            return Err("penalties: enforced_from is longer than longest, so that nothing would ever be enforced".to_owned());
        }
        Ok(())
    }
}
