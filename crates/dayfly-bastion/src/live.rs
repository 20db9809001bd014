//! The sessions that run now: how many there may be, who has them, and how each is reached from outside.

mod agent;
mod counts;

pub use agent::{AgentMeter, AgentUse};
pub use counts::{Busy, Counts};

use crate::{config::Limits, recorder::Recording};
use bytes::Bytes;
use dayfly_api::session::RunningSession;
use dayfly_core::{
    identity::Subject,
    name::{RoleName, TargetName},
    reason::{Reason, Refusal},
    target::Mode,
};
use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};
use time::OffsetDateTime;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

/// How many pieces of output wait for somebody who watches. Who is slower misses some, and holds nobody up.
const WATCHED: usize = 256;

/// All of them.
#[derive(Debug, Default)]
pub struct Live(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    places: usize,
    by_person: HashMap<String, usize>,
    by_target: HashMap<TargetName, usize>,
    sessions: BTreeMap<Uuid, Arc<LiveSession>>,
}

/// What is known of a session while it runs.
#[derive(Debug)]
pub struct LiveFacts {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub person: Subject,
    /// Under which role.
    pub role: RoleName,
    /// The account; none for passthrough.
    pub account: Option<String>,
    /// The target.
    pub target: TargetName,
    /// Recorded or not.
    pub mode: Mode,
    /// From where.
    pub peer: SocketAddr,
    /// Since when.
    pub since: OffsetDateTime,
    /// What the CA is asked while it runs, if its role is `continuous`.
    pub review: Option<RunningSession>,
}

/// A session that runs.
#[derive(Debug)]
pub struct LiveSession {
    /// What is known of it.
    pub facts: LiveFacts,
    /// Its bytes.
    pub counts: Arc<Counts>,
    /// What use is made of the client's agent.
    pub agent: AgentMeter,
    ended: watch::Sender<Option<Order>>,
    output: broadcast::Sender<Bytes>,
    recording: OnceLock<Weak<Recording>>,
}

/// An order from outside: the session's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What the person is told.
    pub message: String,
    /// Whose order it is.
    pub by: OrderedBy,
}

/// Who orders a session's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderedBy {
    /// An operator, by the user's number on the bastion's host.
    Operator(u32),
    /// The CA, for this reason.
    Authority(Reason),
}

impl OrderedBy {
    /// Why the session ends.
    pub fn reason(self) -> Reason {
        match self {
            Self::Operator(_) => Reason::EndedByOperator,
            Self::Authority(reason) => reason,
        }
    }
}

impl Live {
    /// A place for one more session of `person` to `target`, if there may be one.
    pub fn take_place(self: &Arc<Self>, person: &str, target: &TargetName, limits: &Limits) -> Result<Place, Refusal> {
        let mut state = self.lock();
        let (of_person, of_target) = (state.by_person.get(person).copied().unwrap_or(0), state.by_target.get(target).copied().unwrap_or(0));
        if of_person >= limits.max_sessions_per_person {
            return Err(full(
                format!("{person} has {of_person} sessions open at this bastion, and no more are allowed"),
                "end one of them",
            ));
        }
        if of_target >= limits.max_sessions_per_target {
            return Err(full(format!("{target} has {of_target} sessions open, and no more are allowed"), "try again in a while"));
        }
        if state.places >= limits.max_sessions {
            let message = format!("the bastion carries {} sessions, and no more are allowed", state.places);
            return Err(full(message, "try again in a while"));
        }
        state.places += 1;
        state.by_person.insert(person.to_owned(), of_person + 1);
        state.by_target.insert(target.clone(), of_target + 1);
        Ok(Place { live: self.clone(), person: person.to_owned(), target: target.clone(), session: None })
    }

    /// Those that were permitted, oldest first.
    pub fn sessions(&self) -> Vec<Arc<LiveSession>> {
        self.lock().sessions.values().cloned().collect()
    }

    /// The one of this id.
    pub fn find(&self, id: Uuid) -> Option<Arc<LiveSession>> {
        self.lock().sessions.get(&id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full(message: String, remedy: &str) -> Refusal {
    Refusal::new(Reason::LimitReached, message, remedy)
}

/// Held while a session runs, or is being asked for.
#[derive(Debug)]
pub struct Place {
    live: Arc<Live>,
    person: String,
    target: TargetName,
    session: Option<Arc<LiveSession>>,
}

impl Place {
    /// The session was permitted, and is seen from now on.
    pub fn begin(mut self, facts: LiveFacts, counts: Counts) -> Seat {
        let session = Arc::new(LiveSession {
            facts,
            counts: Arc::new(counts),
            agent: AgentMeter::default(),
            ended: watch::Sender::new(None),
            output: broadcast::Sender::new(WATCHED),
            recording: OnceLock::new(),
        });
        self.live.lock().sessions.insert(session.facts.id, session.clone());
        self.session = Some(session.clone());
        Seat { session, _place: self }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        state.places = state.places.saturating_sub(1);
        count_out(&mut state.by_person, &self.person);
        count_out(&mut state.by_target, &self.target);
        if let Some(session) = &self.session {
            state.sessions.remove(&session.facts.id);
        }
    }
}

fn count_out<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// A place with a session in it.
#[derive(Debug)]
pub struct Seat {
    session: Arc<LiveSession>,
    _place: Place,
}

impl std::ops::Deref for Seat {
    type Target = Arc<LiveSession>;
    fn deref(&self) -> &Arc<LiveSession> {
        &self.session
    }
}

impl LiveSession {
    /// Has the session end. False if it was told to before.
    pub fn end(&self, order: Order) -> bool {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(order);
            first
        })
    }

    /// Who ordered its end, if somebody did.
    pub fn ended_by(&self) -> Option<OrderedBy> {
        self.ended.borrow().as_ref().map(|order| order.by)
    }

    /// Returns the order when the session is to end.
    pub fn ending(&self) -> impl Future<Output = Order> + Send + 'static {
        let mut ended = self.ended.subscribe();
        async move {
            let order = ended.wait_for(Option::is_some).await.ok().and_then(|order| order.clone());
            match order {
                Some(order) => order,
                // Nobody can end it any more.
                None => std::future::pending().await,
            }
        }
    }

    /// Lets those who watch see what a terminal showed. Nobody is waited for.
    pub fn show(&self, output: &Bytes) {
        if self.output.receiver_count() > 0 {
            let _ = self.output.send(output.clone());
        }
    }

    /// What the terminal shows from now on, for as long as the session lasts.
    pub fn watch(&self) -> broadcast::Receiver<Bytes> {
        self.output.subscribe()
    }

    /// Names the recording, which tells how far behind the disk is.
    pub fn recorded_by(&self, recording: &Arc<Recording>) {
        let _ = self.recording.set(Arc::downgrade(recording));
    }

    /// How long what happened in it has been on its way to the disk.
    pub fn lag(&self) -> Duration {
        self.recording.get().and_then(Weak::upgrade).map_or(Duration::ZERO, |recording| recording.lag())
    }
}

#[cfg(test)]
mod tests;
