//! What is measured, for Prometheus. Labels are words of ours alone: none that a client or a person chooses.

use crate::{live::Counts, serving::End, targets::DialOutcome};
use dayfly_core::{reason::Reason, target::Mode};
use dayfly_recording::Outcome;
use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::{sync::atomic::AtomicU64, time::Duration};

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;
type Seconds = Gauge<f64, AtomicU64>;

/// What became of a connection at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was taken in.
    TakenIn,
    /// There are as many connections as there may be.
    TooMany,
    /// There are as many that are not logged in as there may be.
    TooManyWaiting,
    /// One address has as many of those as it may.
    TooManyOfAddress,
    /// It was dropped by chance, before there were too many.
    DroppedEarly,
    /// Its address has failed too often.
    Penalised,
    /// It came from a proxy, and did not say on whose behalf.
    Nameless,
}

impl Arrival {
    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TakenIn => "taken_in",
            Self::TooMany => "too_many",
            Self::TooManyWaiting => "too_many_waiting",
            Self::TooManyOfAddress => "too_many_of_address",
            Self::DroppedEarly => "dropped_early",
            Self::Penalised => "penalised",
            Self::Nameless => "nameless",
        }
    }
}

/// By which way a client came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over TCP.
    Outer,
    /// Inside a ProxyJump's channel.
    Inner,
}

/// When a recording failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecorderFailure {
    /// It could not begin.
    Begin,
    /// While its session ran.
    Running,
    /// It could not be sealed.
    Seal,
}

/// The counters. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    connections: Counters<1>,
    handshakes: Counters<2>,
    sessions: Counters<2>,
    refusals: Counters<1>,
    bytes: Counters<2>,
    recorder_failures: Counters<1>,
    penalties: Counters<1>,
    target_dials: Counters<1>,
    target_login: Histograms<2>,
    authority: Histograms<1>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            connections: Counters::default(),
            handshakes: Counters::default(),
            sessions: Counters::default(),
            refusals: Counters::default(),
            bytes: Counters::default(),
            recorder_failures: Counters::default(),
            penalties: Counters::default(),
            target_dials: Counters::default(),
            target_login: Histograms::new_with_constructor(latency),
            authority: Histograms::new_with_constructor(latency),
        }
    }
}

/// From five milliseconds to twenty seconds.
fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 13))
}

impl Metrics {
    /// A connection arrived.
    pub fn arrived(&self, arrival: Arrival) {
        self.connections.get_or_create(&[("outcome", arrival.as_str())]).inc();
    }

    /// A connection ended, or somebody logged in over it.
    pub fn handshake(&self, way: Way, end: End) {
        let way = match way {
            Way::Outer => "outer",
            Way::Inner => "inner",
        };
        self.handshakes.get_or_create(&[("way", way), ("outcome", end.as_str())]).inc();
    }

    /// A session that had begun ended.
    pub fn session_ended(&self, mode: Mode, outcome: Outcome) {
        self.sessions.get_or_create(&[("mode", mode.as_str()), ("outcome", outcome.as_str())]).inc();
    }

    /// Somebody was refused something.
    pub fn refused(&self, reason: Reason) {
        self.refusals.get_or_create(&[("reason", reason.code())]).inc();
    }

    /// A recording failed.
    pub fn recorder_failed(&self, when: RecorderFailure) {
        let when = match when {
            RecorderFailure::Begin => "begin",
            RecorderFailure::Running => "running",
            RecorderFailure::Seal => "seal",
        };
        self.recorder_failures.get_or_create(&[("when", when)]).inc();
    }

    /// An address was penalised for how its connection ended.
    pub fn penalised(&self, end: End) {
        self.penalties.get_or_create(&[("kind", end.as_str())]).inc();
    }

    /// Where a session's bytes are counted.
    pub fn counts(&self, mode: Mode) -> Counts {
        let counter = |direction| self.bytes.get_or_create(&[("mode", mode.as_str()), ("direction", direction)]).clone();
        Counts::new(counter("up"), counter("down"))
    }

    /// How long it took to get through to a target, or to learn that it cannot be.
    pub fn target_login(&self, mode: Mode, took: Duration, is_through: bool) {
        let outcome = if is_through { "through" } else { "failed" };
        self.target_login.get_or_create(&[("mode", mode.as_str()), ("outcome", outcome)]).observe(took.as_secs_f64());
    }

    /// How far a dial went.
    pub fn target_dialled(&self, outcome: DialOutcome) {
        self.target_dials.get_or_create(&[("outcome", outcome.as_str())]).inc();
    }

    /// How long the CA took to say yes or no, or not to answer.
    pub fn authority_answered(&self, took: Duration, outcome: &'static str) {
        self.authority.get_or_create(&[("outcome", outcome)]).observe(took.as_secs_f64());
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("connections", "Connections by what became of them at the door", self.connections.clone());
        registry.register("handshakes", "Connections that were taken in, by how the login went", self.handshakes.clone());
        registry.register("sessions", "Sessions that have ended, by mode and outcome", self.sessions.clone());
        registry.register("refusals", "Logins, sessions and channels that were refused, by reason", self.refusals.clone());
        registry.register_with_unit(
            "transferred",
            "What sessions carried, up from the client, down to it",
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register("recorder_failures", "Recordings that failed", self.recorder_failures.clone());
        registry.register("target_dials", "Dials of targets, by how far they went", self.target_dials.clone());
        registry.register("penalties", "Penalties given to addresses, by what for", self.penalties.clone());
        registry.register_with_unit(
            "target_login",
            "From the first packet to a target until it lets in",
            Unit::Seconds,
            self.target_login.clone(),
        );
        registry.register_with_unit("authority_answer", "How long the CA took to judge a session", Unit::Seconds, self.authority.clone());
    }
}

/// What is looked at when somebody asks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Readings {
    /// Recorded sessions that run.
    pub recorded: usize,
    /// Passthrough sessions that run.
    pub passthrough: usize,
    /// Open connections.
    pub connections: usize,
    /// Those that are not logged in.
    pub waiting: usize,
    /// Addresses that are turned away now.
    pub penalised: usize,
    /// How far the disk is behind with the recording that is furthest behind.
    pub recorder_lag: Duration,
    /// Events that the CA does not have yet.
    pub spool_events: usize,
    /// The file that holds them.
    pub spool_bytes: u64,
    /// Since when the CA has not answered; none if it never has.
    pub inventory_age: Option<Duration>,
    /// Room on the recordings' disk.
    pub free_bytes: Option<u64>,
    /// Targets by how their last dial went, in the order of [`DialOutcome::ALL`].
    pub targets: [usize; DialOutcome::ALL.len()],
    /// Targets that were not dialled yet.
    pub targets_never: usize,
    /// Whether new sessions may start.
    pub is_ready: bool,
}

/// Everything as text.
#[derive(Debug)]
pub struct Exposition {
    registry: Registry,
    sessions: Family<Labels<1>, Gauge>,
    connections: Family<Labels<1>, Gauge>,
    penalised: Gauge,
    recorder_lag: Seconds,
    spool_events: Gauge,
    spool_bytes: Gauge,
    inventory_age: Seconds,
    free: Gauge,
    targets: Family<Labels<1>, Gauge>,
    ready: Gauge,
}

impl Exposition {
    /// What `metrics` counts, and what is read at each time.
    pub fn new(metrics: &Metrics) -> Self {
        let mut registry = Registry::with_prefix("dayfly_bastion");
        metrics.register(&mut registry);
        let mut exposition = Self {
            registry,
            sessions: Family::default(),
            connections: Family::default(),
            penalised: Gauge::default(),
            recorder_lag: Seconds::default(),
            spool_events: Gauge::default(),
            spool_bytes: Gauge::default(),
            inventory_age: Seconds::default(),
            free: Gauge::default(),
            targets: Family::default(),
            ready: Gauge::default(),
        };
        let to = &mut exposition.registry;
        to.register("live_sessions", "Sessions that run", exposition.sessions.clone());
        to.register("open_connections", "Connections that are open, logged in or not", exposition.connections.clone());
        to.register("penalised_addresses", "Addresses that are turned away now", exposition.penalised.clone());
        to.register_with_unit("recorder_lag", "How far the disk is behind", Unit::Seconds, exposition.recorder_lag.clone());
        to.register("spool_events", "Events that wait for the CA", exposition.spool_events.clone());
        to.register_with_unit("spool", "The file that events wait in", Unit::Bytes, exposition.spool_bytes.clone());
        to.register_with_unit("inventory_age", "Since the CA last answered", Unit::Seconds, exposition.inventory_age.clone());
        to.register_with_unit("recordings_free", "Room on the recordings' disk", Unit::Bytes, exposition.free.clone());
        to.register("targets", "Targets, by how their last dial went", exposition.targets.clone());
        to.register("ready", "1 if new sessions may start", exposition.ready.clone());
        exposition
    }

    /// The text, in the format of OpenMetrics 1.0.
    pub fn render(&self, readings: &Readings) -> Result<String, std::fmt::Error> {
        self.sessions.get_or_create(&[("mode", Mode::Record.as_str())]).set(whole(readings.recorded as u64));
        self.sessions.get_or_create(&[("mode", Mode::Passthrough.as_str())]).set(whole(readings.passthrough as u64));
        let logged_in = readings.connections.saturating_sub(readings.waiting);
        self.connections.get_or_create(&[("login", "done")]).set(whole(logged_in as u64));
        self.connections.get_or_create(&[("login", "pending")]).set(whole(readings.waiting as u64));
        self.penalised.set(whole(readings.penalised as u64));
        self.recorder_lag.set(readings.recorder_lag.as_secs_f64());
        self.spool_events.set(whole(readings.spool_events as u64));
        self.spool_bytes.set(whole(readings.spool_bytes));
        self.inventory_age.set(readings.inventory_age.map_or(f64::INFINITY, |age| age.as_secs_f64()));
        self.free.set(readings.free_bytes.map_or(-1, whole));
        let states = DialOutcome::ALL.map(DialOutcome::as_str).into_iter().zip(readings.targets);
        for (state, count) in states.chain([("never_dialled", readings.targets_never)]) {
            self.targets.get_or_create(&[("state", state)]).set(whole(count as u64));
        }
        self.ready.set(i64::from(readings.is_ready));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_counted_and_read_is_told() {
        let metrics = Metrics::default();
        let exposition = Exposition::new(&metrics);
        metrics.arrived(Arrival::TakenIn);
        metrics.arrived(Arrival::Penalised);
        metrics.handshake(Way::Outer, End::LoggedIn);
        metrics.session_ended(Mode::Record, Outcome::Completed);
        metrics.refused(Reason::Expired);
        metrics.target_login(Mode::Record, Duration::from_millis(30), true);
        metrics.target_dialled(DialOutcome::HostKeyWrong);
        let counts = metrics.counts(Mode::Record);
        counts.add_up(7);
        counts.add_down(9);
        assert_eq!((counts.up(), counts.down()), (7, 9));
        let text =
            exposition.render(&Readings { recorded: 2, connections: 5, waiting: 1, targets_never: 3, ..Readings::default() }).unwrap();
        for line in [
            "dayfly_bastion_connections_total{outcome=\"taken_in\"} 1",
            "dayfly_bastion_connections_total{outcome=\"penalised\"} 1",
            "dayfly_bastion_handshakes_total{way=\"outer\",outcome=\"logged_in\"} 1",
            "dayfly_bastion_sessions_total{mode=\"record\",outcome=\"completed\"} 1",
            "dayfly_bastion_refusals_total{reason=\"expired\"} 1",
            "dayfly_bastion_transferred_bytes_total{mode=\"record\",direction=\"up\"} 7",
            "dayfly_bastion_transferred_bytes_total{mode=\"record\",direction=\"down\"} 9",
            "dayfly_bastion_target_login_seconds_count{mode=\"record\",outcome=\"through\"} 1",
            "dayfly_bastion_live_sessions{mode=\"record\"} 2",
            "dayfly_bastion_open_connections{login=\"done\"} 4",
            "dayfly_bastion_target_dials_total{outcome=\"host_key_wrong\"} 1",
            "dayfly_bastion_targets{state=\"never_dialled\"} 3",
            "dayfly_bastion_ready 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in:\n{text}");
        }
    }
}
