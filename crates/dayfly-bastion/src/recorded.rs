//! A recorded session as a task: performs what the state machine decides, between a client's channel and a target's.
//!
//! Callbacks and the two pumps feed events into the [`Control`]; the state machine's answers come out of it in order, and this task performs them one by one.

mod client;
mod client_side;
mod control;
mod download;
mod evidence;
mod listening;
mod openings;
pub(crate) mod report;
mod target;
pub(crate) mod timer;
mod upload;

pub use client::Client;
pub use client_side::{ClientSide, Opened, Unasked};
pub use control::{Control, Flooded};
pub use listening::{Caller, Listener, listen};

use crate::{
    authority::{Ask, PermittedSession},
    connection::{Connection, Entrance, Person},
    handler::refuse,
    live::Seat,
    recorder::{Recording, RecordingFailure},
    session::{Action, Ending, Event, Plan, Rules, Session, notice},
    upstream::{self, TargetConnection},
};
use control::Outbox;
use dayfly_core::{
    forward::Destination,
    reason::{Reason, Refusal},
};
use dayfly_recording::{Outcome, Stream};
use download::Download;
use openings::Openings;
use report::Report;
use russh::server::ChannelOpenHandle;
use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use target::Word;
use timer::{Alarm, Timer};
use tokio::{sync::oneshot, task::JoinSet, time::Sleep};
use tracing::Instrument;
use upload::Upload;

/// Extended data of this type is the error stream (RFC 4254 section 5.2).
const STDERR: u32 = 1;

/// How long a session has after its client left: what was sent is delivered, and what runs may end by itself.
const LINGER: Duration = Duration::from_secs(5);

/// What somebody who opens a session channel wants.
pub enum Request {
    /// A session, by this way in.
    Session(Entrance, Arc<Person>),
    /// A connection from the target onwards.
    Forward(Entrance, Arc<Person>, Destination),
    /// Nothing that they can have: to be told why.
    Told(Refusal),
}

/// Starts the task of a session whose channel is being opened. Returns what feeds it.
pub fn open(connection: Arc<Connection>, request: Request, reply: ChannelOpenHandle, client: Client) -> Arc<Control> {
    let session = match &request {
        Request::Forward(_, _, destination) => Session::forwarding(destination.clone()),
        Request::Session(..) | Request::Told(_) => Session::default(),
    };
    let (control, outbox) = Control::new(session);
    let task = Task { connection, control: control.clone(), client, pumps: JoinSet::new(), report: Report::default() };
    let span = task.connection.session_span();
    tokio::spawn(task.run(request, reply, outbox).instrument(span));
    control
}

struct Task {
    connection: Arc<Connection>,
    control: Arc<Control>,
    client: Client,
    pumps: JoinSet<()>,
    report: Report,
}

/// A session that the CA permitted and whose recording has begun.
struct Permitted {
    session: PermittedSession,
    seat: Seat,
    recording: Arc<Recording>,
    /// The login at the target, while it is on its way.
    dialling: JoinSet<Result<TargetConnection, Refusal>>,
    target: Option<TargetConnection>,
}

/// Why an action could not be performed.
enum Trouble {
    Recording(RecordingFailure),
    Target,
}

impl From<RecordingFailure> for Trouble {
    fn from(failure: RecordingFailure) -> Self {
        Self::Recording(failure)
    }
}

impl Task {
    async fn run(mut self, request: Request, reply: ChannelOpenHandle, outbox: Outbox) {
        // Held until the session is sealed, so that a bastion that drains waits for it.
        let _alive = self.connection.bastion.life.token();
        // Boxed, each for its own time: a session lasts long, and most of it needs little.
        let permitted = match request {
            Request::Forward(entrance, person, destination) => {
                return Box::pin(self.forward(entrance, person, destination, reply, outbox)).await;
            }
            Request::Session(entrance, person) => Box::pin(self.permit(&entrance, &person, None)).await,
            Request::Told(refusal) => Err(refusal),
        };
        match permitted {
            Ok(permitted) => {
                reply.accept().await;
                Box::pin(self.carry(permitted, outbox)).await;
            }
            Err(refusal) => {
                self.control.event(Event::Refused(refusal));
                reply.accept().await;
                self.tell(outbox).await;
            }
        }
    }

    /// Admission here, the CA's yes, and a recording that is on disk, in this order. What is refused is reported.
    async fn permit(&mut self, entrance: &Entrance, person: &Person, forward: Option<&Destination>) -> Result<Permitted, Refusal> {
        let connection = &self.connection;
        let admitted = connection.admit_session(entrance, person).map(|ask| Ask { forward: forward.cloned(), ..ask });
        let (session, seat) = connection.permit(admitted, person).await?;
        // The target's login takes its time, so it begins at once. Nothing is asked of the target before the recording is there.
        let mut dialling = JoinSet::new();
        dialling.spawn({
            let (session, bastion) = (session.clone(), connection.bastion.clone());
            let log_in = async move {
                let began = Instant::now();
                let target = upstream::log_in(&session, bastion.snapshot()).await;
                bastion.dialled(&session, began.elapsed(), target)
            };
            log_in.in_current_span()
        });
        let recording = evidence::begin(connection, &session, &seat, &self.report).await?;
        let verified = session.certificate();
        let rules = Rules::new(session.permit().rules.clone(), verified.extensions().clone(), verified.force_command().cloned());
        self.control.event(Event::Permitted(rules));
        if let Some(message) = &connection.bastion.settings.borrow().message_of_the_day {
            self.control.event(Event::Noticed(message.clone()));
        }
        Ok(Permitted { session, seat, recording, dialling, target: None })
    }

    /// A forwarded connection is open once the target has opened it: its programs hear of nothing else.
    async fn forward(
        mut self,
        entrance: Entrance,
        person: Arc<Person>,
        destination: Destination,
        reply: ChannelOpenHandle,
        outbox: Outbox,
    ) {
        let mut permitted = match Box::pin(self.permit(&entrance, &person, Some(&destination))).await {
            Ok(permitted) => permitted,
            Err(refusal) => return refuse(reply, &refusal).await,
        };
        let (outcome, refusal) = match Self::onwards(&mut permitted, &destination).await {
            Ok(()) => {
                reply.accept().await;
                self.control.event(Event::TargetReady);
                return Box::pin(self.carry(permitted, outbox)).await;
            }
            Err(refusal) if refusal.reason == Reason::NotAllowed => (Outcome::Refused, refusal),
            Err(refusal) => (Outcome::TargetGone, refusal),
        };
        refuse(reply, &refusal).await;
        self.end(permitted, Ending { outcome, reason: refusal.message.clone(), refusal: Some(refusal) }).await;
    }

    /// The CA has judged the destination by the same rules; twice is how a mistake in one of the two costs nothing.
    async fn onwards(permitted: &mut Permitted, destination: &Destination) -> Result<(), Refusal> {
        let certificate = permitted.session.certificate();
        permitted.session.permit().rules.allows_forward(destination, certificate.extensions(), certificate.force_command())?;
        let lost = || Refusal::new(Reason::TargetUnavailable, "the connection to the target was lost", "try again");
        permitted.target = Some(permitted.dialling.join_next().await.and_then(Result::ok).ok_or_else(lost)??);
        Ok(())
    }

    /// A session that only tells why there is none.
    async fn tell(self, mut outbox: Outbox) {
        let gone = self.client.gone().clone();
        while let Some(Some(action)) = gone.or_gone(outbox.next()).await {
            if matches!(action, Action::Finish(_)) {
                break;
            }
            self.client.hear(action).await;
        }
        self.client.close().await;
    }

    async fn carry(mut self, mut permitted: Permitted, mut outbox: Outbox) {
        self.look_at_openings(&mut permitted);
        let session = permitted.session.clone();
        let recording = permitted.recording.clone();
        let gone = self.client.gone().clone();
        let mut snapshot = self.connection.bastion.snapshot.clone();
        let (mut has_left, mut has_stopped, mut is_watching) = (false, false, true);
        let mut lingering = None;
        let bastion = self.connection.bastion.clone();
        let (draining, stopping, ended) = (bastion.life.draining(), bastion.life.stopping(), permitted.seat.ending());
        tokio::pin!(draining, stopping, ended);
        let (mut is_draining, mut is_ended, mut is_over_time) = (false, false, false);
        let mut timer = Timer::new(&bastion.limits(), &session, permitted.seat.counts.clone(), bastion.clock.now());
        let ending = loop {
            tokio::select! {
                biased;
                () = gone.clone().wait(), if !has_left => {
                    has_left = true;
                    self.control.event(Event::ClientLeft);
                }
                changed = snapshot.changed(), if is_watching => {
                    is_watching = changed.is_ok();
                    if let Some(by) = snapshot.borrow_and_update().revocations().cover(session.certificate()) {
                        self.control.event(terminated(Reason::Revoked, &by.to_string()));
                    }
                }
                () = &mut draining, if !is_draining => {
                    is_draining = true;
                    let left = humantime::format_duration(bastion.limits().drain);
                    self.control.event(Event::Noticed(notice(&format!("the bastion is being stopped: this session ends in {left}"))));
                }
                () = &mut stopping, if !has_stopped => {
                    has_stopped = true;
                    self.control.event(terminated(Reason::LimitReached, "the bastion is being stopped"));
                }
                order = &mut ended, if !is_ended => {
                    is_ended = true;
                    self.control.event(terminated(order.by.reason(), &order.message));
                }
                alarm = timer.next(), if !is_over_time => self.control.event(match alarm {
                    Alarm::Warning(words) => Event::Noticed(notice(&words)),
                    Alarm::End(reason, message) => {
                        is_over_time = true;
                        terminated(reason, &message)
                    }
                }),
                // After every order to end: whoever sends without end puts off no order to end.
                action = outbox.next() => match action {
                    Some(Action::Finish(ending)) => break ending,
                    Some(Action::Linger) => lingering = Some(Box::pin(tokio::time::sleep(LINGER))),
                    Some(action) => self.perform(&mut permitted, action).await,
                    None => break Ending::new(Outcome::ClientGone, "the session was let go of"),
                },
                Some(dialled) = permitted.dialling.join_next() => {
                    let event = match dialled {
                        Ok(Ok(target)) => {
                            permitted.target = Some(target);
                            self.look_at_openings(&mut permitted);
                            Event::TargetReady
                        }
                        Ok(Err(refusal)) => Event::TargetFailed(refusal),
                        Err(_) => Event::TargetGone,
                    };
                    self.control.event(event);
                }
                () = until_lingered(&mut lingering) => {
                    lingering = None;
                    self.control.event(Event::LingeredEnough);
                }
                failure = recording.failure() => self.control.event(failure.event()),
            }
        };
        self.end(permitted, ending).await;
    }

    /// Seals, then closes: what the person sees as the end is evidence already.
    async fn end(mut self, permitted: Permitted, ending: Ending) {
        self.pumps.shutdown().await;
        let Permitted { session, seat, recording, .. } = &permitted;
        evidence::seal(&self.connection, session, seat, recording, &self.report, &ending).await;
        self.client.close().await;
        if let Some(target) = permitted.target {
            target::close(&target).await;
        }
    }

    /// What the target opens is looked at from its login on.
    fn look_at_openings(&mut self, permitted: &mut Permitted) {
        let Some(openings) = permitted.target.as_mut().and_then(|target| target.openings.take()) else { return };
        let openings = Openings { live: permitted.seat.clone(), client: self.client.side().clone(), openings };
        self.pumps.spawn(openings.run().in_current_span());
    }

    async fn perform(&mut self, permitted: &mut Permitted, action: Action) {
        match self.record_and_pass(permitted, &action).await {
            Ok(()) => self.client.hear(action).await,
            Err(Trouble::Recording(failure)) => self.control.event(failure.event()),
            Err(Trouble::Target) => self.control.event(Event::TargetGone),
        }
    }

    /// Everything is recorded before anybody else learns of it.
    async fn record_and_pass(&mut self, permitted: &mut Permitted, action: &Action) -> Result<(), Trouble> {
        let recording = &permitted.recording;
        let word = match action {
            Action::Begin(plan) => return self.begin(permitted, plan).await,
            Action::Resize(size) => {
                recording.resized(*size).await?;
                Word::Resize(*size)
            }
            Action::Signal(name) => {
                recording.signalled(name).await?;
                Word::Signal(name)
            }
            Action::TargetEof => {
                recording.eof(Stream::Stdin).await?;
                Word::Eof
            }
            Action::NoteRefused(what, why) => return Ok(recording.refused(what, why.clone()).await?),
            Action::NoteOpened(what) => {
                evidence::unasked(&self.connection, &permitted.session, what);
                return Ok(recording.refused(what, evidence::UNASKED.to_owned()).await?);
            }
            Action::ClientEof => return Ok(recording.eof(Stream::Stdout).await?),
            Action::ClientExit(exit) => {
                self.report.exited(exit);
                return Ok(recording.exited(exit).await?);
            }
            Action::Accept | Action::Decline | Action::Tell(_) | Action::Linger | Action::Finish(_) => return Ok(()),
        };
        target::say(permitted.target.as_ref(), word).await
    }

    /// Asks the target for everything that was planned, and lets bytes flow.
    async fn begin(&mut self, permitted: &mut Permitted, plan: &Plan) -> Result<(), Trouble> {
        permitted.recording.started(plan).await?;
        if let (true, Some(target)) = (plan.agent, &permitted.target) {
            target.expect_agent();
        }
        target::say(permitted.target.as_ref(), Word::Ask(plan)).await?;
        let (Some(target), Some(queue)) = (&mut permitted.target, self.client.take_queue()) else { return Err(Trouble::Target) };
        let Some(incoming) = target.incoming.take() else { return Err(Trouble::Target) };
        let (terminal_asked, terminal_answer) = plan.terminal.as_ref().map(|_| oneshot::channel()).unzip();
        let upload = Upload {
            control: self.control.clone(),
            recording: permitted.recording.clone(),
            target: target.channel.clone(),
            queue,
            live: permitted.seat.clone(),
            download_pressure: incoming.pressure().clone(),
            terminal: terminal_answer,
        };
        let download = Download {
            control: self.control.clone(),
            recording: permitted.recording.clone(),
            client: self.client.channel(),
            incoming,
            gone: self.client.gone().clone(),
            live: permitted.seat.clone(),
            is_terminal: plan.terminal.is_some(),
            terminal_asked,
        };
        self.pumps.spawn(upload.run().in_current_span());
        self.pumps.spawn(download.run().in_current_span());
        Ok(())
    }
}

fn terminated(reason: Reason, message: &str) -> Event {
    Event::Terminated { reason, message: message.to_owned() }
}

/// The end of a session that something other than its two sides ended.
fn terminated_ending(reason: Reason, message: &str) -> Ending {
    Ending { outcome: Outcome::Terminated, reason: message.to_owned(), refusal: Some(Refusal::new(reason, message, "")) }
}

/// Never returns while nobody lingers.
async fn until_lingered(lingering: &mut Option<Pin<Box<Sleep>>>) {
    match lingering {
        Some(lingering) => lingering.await,
        None => std::future::pending().await,
    }
}
