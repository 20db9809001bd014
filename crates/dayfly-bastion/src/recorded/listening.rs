//! A session that has its target listen for the client (`ssh -R`), and the connections that arrive there: each is a session of its own.

mod arrival;
mod pace;

use super::{ClientSide, evidence, report::Report, terminated_ending, timer::Timer};
use crate::{
    authority::{Ask, PermittedSession},
    connection::{Connection, Entrance, Person},
    live::Seat,
    recorder::Recording,
    session::{Ending, Event},
    upstream::{self, Opening, TargetListener},
};
use arrival::Arriving;
use dayfly_core::{
    forward::{Arrival, ListenAddress, Listening, origin},
    reason::{Reason, Refusal},
};
use dayfly_recording::Outcome;
use pace::Pace;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, task::JoinSet};
use tracing::Instrument;

/// How many connections one listening session carries at a time.
const MOST_ARRIVALS: usize = 32;

/// How often one listening session tells of what nobody had asked for.
const MOST_TOLD: usize = 16;

/// Who asks for a target to listen, and where what arrives goes.
#[derive(Clone)]
pub struct Caller {
    /// Their connection.
    pub connection: Arc<Connection>,
    /// By which way they came.
    pub entrance: Entrance,
    /// Who.
    pub person: Arc<Person>,
    /// Where channels are opened at them.
    pub side: ClientSide,
    /// The address as they spell it, by which they know again what arrives there.
    pub address: String,
}

impl Caller {
    /// What to ask the CA: everything that is asked for a session there, anew each time.
    fn admit(&self, at: &ListenAddress, arrival: Option<Arrival>) -> Result<Ask, Refusal> {
        let ask = self.connection.admit_session(&self.entrance, &self.person)?;
        Ok(Ask { listen: Some(Listening { at: at.clone(), arrival }), ..ask })
    }
}

/// A target listens for as long as this is held. What has arrived goes on without it.
#[derive(Debug)]
pub struct Listener {
    at: ListenAddress,
    held: oneshot::Sender<()>,
}

impl Listener {
    /// Where it listens, with the port that the target chose.
    pub fn at(&self) -> &ListenAddress {
        &self.at
    }

    /// Whether it has ended by itself: the target is gone, or its session was ended.
    pub fn is_over(&self) -> bool {
        self.held.is_closed()
    }
}

/// Has the target listen, if the bastion and the CA permit it. What is refused is reported.
pub async fn listen(caller: Caller, wanted: ListenAddress) -> Result<Listener, Refusal> {
    let span = caller.connection.session_span();
    begin(caller, wanted).instrument(span).await
}

async fn begin(caller: Caller, wanted: ListenAddress) -> Result<Listener, Refusal> {
    let connection = caller.connection.clone();
    // Held until the session is sealed.
    let alive = connection.bastion.life.token();
    let (session, seat) = connection.permit(caller.admit(&wanted, None), &caller.person).await?;
    let report = Report::default();
    let recording = evidence::begin(&connection, &session, &seat, &report).await?;
    match ask_target(&connection, &session, &recording, &wanted).await {
        Ok(target) => {
            let (held, released) = oneshot::channel();
            let listener = Listener { at: target.at.clone(), held };
            let listening =
                ListeningSession { caller, session, seat, recording, target, report, pace: Pace::default(), told: 0, is_listening: true };
            let serve = async move {
                let _alive = alive;
                listening.run(released).await;
            };
            tokio::spawn(serve.in_current_span());
            Ok(listener)
        }
        Err(refusal) => {
            let outcome = if refusal.reason == Reason::NotAllowed { Outcome::Refused } else { Outcome::TargetGone };
            let ending = Ending { outcome, reason: refusal.message.clone(), refusal: Some(refusal.clone()) };
            evidence::seal(&connection, &session, &seat, &recording, &report, &ending).await;
            Err(refusal)
        }
    }
}

/// The CA has judged the address by the same rules; twice is how a mistake in one of the two costs nothing.
async fn ask_target(
    connection: &Connection,
    session: &PermittedSession,
    recording: &Recording,
    wanted: &ListenAddress,
) -> Result<TargetListener, Refusal> {
    let certificate = session.certificate();
    session.permit().rules.allows_listen(wanted, certificate.extensions(), certificate.force_command())?;
    let began = Instant::now();
    let dialled = upstream::listen(session, connection.bastion.snapshot()).await;
    let target = connection.bastion.dialled(session, began.elapsed(), dialled)?;
    match recording.listening(&target.at).await {
        Ok(()) => Ok(target),
        Err(failure) => {
            target.close().await;
            Err(Refusal::new(Reason::RecordingUnavailable, failure.to_string(), "tell whoever runs the bastion"))
        }
    }
}

struct ListeningSession {
    caller: Caller,
    session: PermittedSession,
    seat: Seat,
    recording: Arc<Recording>,
    target: TargetListener,
    report: Report,
    pace: Pace,
    /// How often it was told of what nobody had asked for.
    told: usize,
    is_listening: bool,
}

impl ListeningSession {
    async fn run(mut self, mut released: oneshot::Receiver<()>) {
        let bastion = self.caller.connection.bastion.clone();
        let mut snapshot = bastion.snapshot.clone();
        let mut is_watching = true;
        let (stopping, ended) = (bastion.life.stopping(), self.seat.ending());
        tokio::pin!(stopping, ended);
        let mut timer = Timer::new(&bastion.limits(), &self.session, self.seat.counts.clone(), bastion.clock.now());
        let recording = self.recording.clone();
        // What arrives later would be refused, one by one, and the client would not know why.
        let ends_at = self.caller.person.certificate.valid_before();
        let certified = tokio::time::sleep(Duration::from_secs(ends_at.saturating_sub(bastion.clock.unix_seconds())));
        tokio::pin!(certified);
        let mut arrivals = JoinSet::new();
        let ending = loop {
            tokio::select! {
                biased;
                changed = snapshot.changed(), if is_watching => {
                    is_watching = changed.is_ok();
                    if let Some(by) = snapshot.borrow_and_update().revocations().cover(self.session.certificate()) {
                        break terminated_ending(Reason::Revoked, &by.to_string());
                    }
                }
                () = &mut stopping => break terminated_ending(Reason::LimitReached, "the bastion is being stopped"),
                order = &mut ended => break terminated_ending(order.by.reason(), &order.message),
                (reason, message) = timer.end() => break terminated_ending(reason, &message),
                failure = recording.failure() => break match failure.event() {
                    Event::Terminated { reason, message } => terminated_ending(reason, &message),
                    _ => failed("the session cannot be recorded any more"),
                },
                () = &mut certified, if self.is_listening => self.stop_listening().await,
                _ = &mut released, if self.is_listening => self.stop_listening().await,
                opening = self.target.openings.recv() => match opening {
                    Some(opening) => self.opened(&mut arrivals, opening).await,
                    None => break Ending::new(Outcome::TargetGone, "the connection to the target was lost"),
                },
                Some(_) = arrivals.join_next() => {}
            }
            if !self.is_listening && arrivals.is_empty() {
                break Ending::new(Outcome::Completed, "the client wants no more connections, or may have none");
            }
        };
        // Those that still go on lose their target, and are sealed by themselves.
        arrivals.detach_all();
        self.target.close().await;
        evidence::seal(&self.caller.connection, &self.session, &self.seat, &self.recording, &self.report, &ending).await;
    }

    async fn stop_listening(&mut self) {
        self.is_listening = false;
        self.target.stop_listening().await;
    }

    /// A channel that the target opens is carried to the client if it came to where the client wanted it to listen. Everything else is refused by dropping it.
    async fn opened(&mut self, arrivals: &mut JoinSet<()>, opening: Opening) {
        let (at, from, offer) = match opening {
            Opening::Connection { at, from, offer } => (at, from, offer),
            Opening::Agent(_) => return self.unasked("auth-agent@openssh.com").await,
            Opening::Unasked(what) => return self.unasked(what).await,
        };
        let Some(from) = arrived(&self.target.at, (&at.0, at.1), (&from.0, from.1)) else { return self.unasked("forwarded-tcpip").await };
        if !self.is_listening {
            return;
        }
        if arrivals.len() >= MOST_ARRIVALS || !self.pace.take(self.seat.counts.elapsed()) {
            if self.pace.is_news() {
                self.note("forwarded-tcpip", "more connections arrive than one session carries").await;
            }
            return;
        }
        let arriving = Arriving {
            caller: self.caller.clone(),
            at: self.target.at.clone(),
            arrival: Arrival { listener: self.session.session(), from },
            busy: self.seat.counts.busy(),
        };
        let span = self.caller.connection.session_span();
        arrivals.spawn(arriving.carry(offer).instrument(span));
    }

    /// A target that goes on learns nothing, and fills neither recording nor log.
    async fn unasked(&mut self, what: &'static str) {
        self.told += 1;
        if self.told > MOST_TOLD {
            return;
        }
        evidence::unasked(&self.caller.connection, &self.session, what);
        self.note(what, evidence::UNASKED).await;
    }

    /// What cannot be recorded ends the session by the recording's own failure.
    async fn note(&self, what: &'static str, why: &str) {
        let _ = self.recording.refused(what, why.to_owned()).await;
    }
}

/// Where a connection came from, if it arrived where the target was asked to listen.
fn arrived(asked: &ListenAddress, at: (&str, u32), from: (&str, u32)) -> Option<SocketAddr> {
    let at = ListenAddress::new(at.0, at.1).ok()?;
    if at == *asked { origin(from.0, from.1) } else { None }
}

fn failed(reason: &str) -> Ending {
    let refusal = Refusal::new(Reason::RecordingUnavailable, reason, "");
    Ending { outcome: Outcome::RecordingFailed, reason: reason.to_owned(), refusal: Some(refusal) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_12_a_connection_arrives_where_it_was_asked_for_or_nowhere() {
        let asked = "localhost:8080".parse().unwrap();
        let from = ("203.0.113.9", 4711);
        assert_eq!(arrived(&asked, ("localhost", 8080), from), Some("203.0.113.9:4711".parse().unwrap()));
        for other in
            [("localhost", 8081), ("127.0.0.1", 8080), ("", 8080), ("localhost", 65_536 + 8080), ("localhost", 0), ("\u{1b}[2J", 8080)]
        {
            assert_eq!(arrived(&asked, other, from), None, "{other:?}");
        }
        assert_eq!(arrived(&asked, ("localhost", 8080), ("\u{1b}]52;c;x\u{7}", 1)), None);
    }
}
