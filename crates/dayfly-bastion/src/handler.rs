//! The SSH library's callbacks of a client's connection, outer or inner. They turn what arrives into events and answer; they decide nothing and wait for
//! nothing.

mod attempts;
mod channels;
mod error;
mod expiry;
mod login_watch;
mod remote_forwards;

use crate::{
    busy::Busy,
    connection::{Connection, Entrance, Login, Person, Verdict},
    flow::{Lane, Pressure},
    inner, passthrough,
    recorded::{self, Caller, ClientSide},
    session::{Event, Size, StartRequest, Terminal, told},
    signal,
    transport::Answers,
};
use attempts::Attempts;
use channels::Channels;
pub use channels::ClientMark;
pub(crate) use channels::refuse;
use dayfly_core::{
    audit,
    forward::Destination,
    reason::{Reason, Refusal},
    target::{Mode, Target},
};
pub use error::ClientError;
use expiry::Expiry;
pub use login_watch::{LoginWatch, Tried, Tries};
use remote_forwards::RemoteForwards;
use russh::{
    Channel, ChannelId, Pty, Sig,
    server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey},
};
use ssh_key::{Algorithm, Certificate};
use std::sync::Arc;
use tokio::sync::oneshot;
use tracing::Instrument;

/// Where a `direct-tcpip` channel leads.
enum Onwards {
    /// To a target, by its name in the inventory. That is not port forwarding.
    Target(Box<Target>),
    /// From the target onwards.
    From(Destination),
}

/// One client's connection, as the SSH library sees it.
pub struct ClientHandler {
    connection: Arc<Connection>,
    entrance: Entrance,
    attempts: Attempts,
    tries: Tries,
    login: Option<Login>,
    /// Told once somebody is logged in.
    logged_in: Option<oneshot::Sender<()>>,
    channels: Channels,
    forwards: RemoteForwards,
    /// What runs over the connection.
    busy: Busy,
    expiry: Option<Expiry>,
    /// Told when the client is asked to go.
    dismissal: Option<oneshot::Sender<()>>,
    pressure: Arc<Pressure>,
}

impl ClientHandler {
    /// A handler for a connection that came in by `entrance`, and what tells when somebody is logged in.
    pub fn new(connection: Arc<Connection>, entrance: Entrance, answers: Answers) -> (Self, LoginWatch) {
        let (sender, receiver) = oneshot::channel();
        let (dismissal, dismissed) = oneshot::channel();
        let tries = Tries::default();
        let pressure = Arc::new(Pressure::default());
        let handler = Self {
            connection,
            entrance,
            attempts: Attempts::new(answers),
            tries: tries.clone(),
            login: None,
            logged_in: Some(sender),
            channels: Channels::new(pressure.clone()),
            forwards: RemoteForwards::default(),
            busy: Busy::default(),
            expiry: None,
            dismissal: Some(dismissal),
            pressure,
        };
        (handler, LoginWatch { logged_in: receiver, tried: tries, dismissed })
    }

    /// Who logged in, or why they get nothing.
    fn person(&self) -> Result<Arc<Person>, Refusal> {
        match &self.login {
            Some(Login::Person(person)) => Ok(person.clone()),
            Some(Login::Told(refusal)) => Err(refusal.clone()),
            None => Err(Refusal::new(Reason::CertificateRequired, "nobody is logged in", "log in first")),
        }
    }

    /// Where a `direct-tcpip` channel leads: to a target of the inventory, or from the target that this connection is for onwards.
    fn way_onwards(&self, host: &str, port: u32) -> Result<(Arc<Person>, Onwards), Refusal> {
        let person = self.person()?;
        let onwards = || {
            let destination = Destination::new(host, port);
            destination.map(Onwards::From).map_err(|error| Refusal::new(Reason::BadRequest, error.to_string(), "name a host and a port"))
        };
        let way = match &self.entrance {
            Entrance::Inner { .. } => onwards()?,
            Entrance::Outer => match self.connection.find_target(host, port) {
                Ok(target) => Onwards::Target(Box::new(target)),
                Err(_) if self.connection.is_routed(&person) => onwards()?,
                Err(refusal) => return Err(refusal),
            },
        };
        Ok((person, way))
    }

    fn report_refused_channel(&self, host: &str, port: u32, refusal: &Refusal) {
        let Some(Login::Person(person)) = &self.login else { return };
        let asked = format!("{}:{port}", host.chars().take(256).collect::<String>());
        let event = self.connection.refused(audit::Event::SessionRefused, refusal).fact("asked", asked);
        self.connection.report(match person.verified.subject() {
            Some(subject) => event.subject(subject).serial(person.verified.serial()),
            None => event,
        });
    }

    /// A request that no session and no connection is given. Reported, since it may be an attempt.
    fn report_forbidden(&self, what: &str) {
        let refusal = Refusal::new(Reason::NotAllowed, format!("the bastion gives no {what}"), "");
        let event = self.connection.refused(audit::Event::SessionRefused, &refusal).fact("asked", what);
        let subject = self.person().ok().and_then(|person| person.verified.subject().cloned());
        self.connection.report(match &subject {
            Some(subject) => event.subject(subject),
            None => event,
        });
    }

    /// The channel's session takes `event`; a request is answered at once.
    fn session_event(&mut self, channel: ChannelId, event: Event, session: &mut Session) -> Result<(), ClientError> {
        match self.channels.session_event(channel, event)? {
            Some(true) => session.channel_success(channel)?,
            Some(false) => session.channel_failure(channel)?,
            None => {}
        }
        Ok(())
    }

    /// This connection, for whoever opens channels at it.
    fn side(&self, session: &Session) -> ClientSide {
        ClientSide::new(session.handle(), self.channels.opened(), self.busy.token())
    }

    /// A request of the connection that was refused. Its answer carries no words, so sessions tell.
    fn tell(&mut self, what: &'static str, refusal: &Refusal, session: &mut Session) -> Result<(), ClientError> {
        session.debug(true, &told(refusal), "en")?;
        Ok(self.channels.tell(what, refusal)?)
    }

    /// A kind of channel that nobody is given, in words.
    async fn forbid_channel(&self, what: &str, reply: ChannelOpenHandle) -> Result<(), ClientError> {
        self.report_forbidden(what);
        let refusal = Refusal::new(Reason::NotAllowed, format!("the bastion gives no {what}"), "");
        refuse(reply, &refusal).await;
        Ok(())
    }
}

impl Drop for ClientHandler {
    /// The connection is over: what was tried in vain is reported now, when it is certain that nothing came of it.
    fn drop(&mut self) {
        if self.login.is_none()
            && let Some(event) = self.attempts.report(&self.connection)
        {
            self.connection.report(event);
        }
    }
}

impl Handler for ClientHandler {
    type Error = ClientError;

    async fn authentication_banner(&mut self) -> Result<Option<String>, ClientError> {
        self.attempts.begin();
        // Inside a ProxyJump it was shown already.
        Ok(match &self.entrance {
            Entrance::Outer => self.connection.bastion.settings.borrow().banner.clone(),
            Entrance::Inner { .. } => None,
        })
    }

    async fn auth_none(&mut self, _: &str) -> Result<Auth, ClientError> {
        self.attempts.probe();
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, _: &str, _: &str) -> Result<Auth, ClientError> {
        self.tries.reach(Tried::Login);
        self.attempts.other();
        Ok(Auth::reject())
    }

    async fn auth_keyboard_interactive<'a>(&'a mut self, _: &str, _: &str, _: Option<Response<'a>>) -> Result<Auth, ClientError> {
        self.tries.reach(Tried::Login);
        self.attempts.other();
        Ok(Auth::reject())
    }

    /// Sees the bare key only, and cannot tell whether a certificate is behind it: both are let go on to their proof.
    async fn auth_publickey_offered(&mut self, _: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, ClientError> {
        self.tries.reach(Tried::Login);
        self.attempts.offered(offer.public_key.key_data());
        let sha1 = matches!(offer.algorithm, Algorithm::Rsa { hash: None });
        Ok(if sha1 { Auth::reject() } else { Auth::Accept })
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, ClientError> {
        self.tries.reach(Tried::Login);
        self.attempts.bare(key.public_key.key_data());
        Ok(Auth::reject())
    }

    async fn auth_openssh_certificate(&mut self, user: &str, certificate: &Certificate) -> Result<Auth, ClientError> {
        self.attempts.judged(certificate.public_key());
        match self.connection.judge_login(&self.entrance, user, certificate) {
            Verdict::Accept(login) => {
                if matches!(login, Login::Told(_)) {
                    self.tries.reach(Tried::Told);
                }
                self.login = Some(login);
                Ok(Auth::Accept)
            }
            Verdict::Deny => {
                self.tries.reach(Tried::Login);
                Ok(Auth::reject())
            }
        }
    }

    /// Who is only to be told why they get nothing does not count as logged in: the grace is time enough for that.
    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), ClientError> {
        let Some(Login::Person(person)) = &self.login else { return Ok(()) };
        if let Some(logged_in) = self.logged_in.take() {
            let _ = logged_in.send(());
        }
        if let Some(dismissal) = self.dismissal.take() {
            let now = self.connection.bastion.clock.unix_seconds();
            self.expiry = Some(Expiry::watch(person, now, session.handle(), self.busy.clone(), dismissal));
        }
        Ok(())
    }

    fn adjust_window(&mut self, _: ChannelId, _: u32) -> u32 {
        self.pressure.window_target()
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), ClientError> {
        if let Err(refusal) = self.channels.make_room() {
            refuse(reply, &refusal).await;
            return Ok(());
        }
        let ask = match self.person() {
            Ok(person) => recorded::Request::Session(self.entrance.clone(), person),
            Err(refusal) => recorded::Request::Told(refusal),
        };
        let id = channel.id();
        // The reading half would hold up the whole connection: bytes come by the callbacks below.
        let (_, writer) = channel.split();
        let queue = self.channels.open(id);
        let client = recorded::Client::new(writer, self.side(session), queue);
        let control = recorded::open(self.connection.clone(), ask, reply, client);
        Ok(self.channels.set_session(id, control)?)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), ClientError> {
        let (person, way) = match self.channels.make_room().and_then(|()| self.way_onwards(host, port)) {
            Ok(found) => found,
            Err(refusal) => {
                self.report_refused_channel(host, port, &refusal);
                refuse(reply, &refusal).await;
                return Ok(());
            }
        };
        let id = channel.id();
        let (_, writer) = channel.split();
        let queue = self.channels.open(id);
        let (connection, under_way) = (self.connection.clone(), self.busy.token());
        match way {
            Onwards::Target(target) if target.mode == Mode::Record => {
                let answered = inner::answer(connection, person, target.name, reply, writer, queue);
                tokio::spawn(under_way.during(answered).in_current_span());
            }
            Onwards::Target(target) => {
                let span = connection.session_span();
                let carried = passthrough::run(connection, person, *target, reply, writer, queue);
                tokio::spawn(under_way.during(carried).instrument(span));
            }
            Onwards::From(destination) => {
                let ask = recorded::Request::Forward(self.entrance.clone(), person, destination);
                let client = recorded::Client::new(writer, self.side(session), queue);
                let control = recorded::open(connection, ask, reply, client);
                self.channels.set_forward(id, control);
            }
        }
        Ok(())
    }

    async fn channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        self.forbid_channel("X11 channel", reply).await
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        self.forbid_channel("forwarded port", reply).await
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        self.forbid_channel("Unix socket forwarding", reply).await
    }

    async fn channel_open_confirmation(&mut self, id: ChannelId, _: u32, _: u32, _: &mut Session) -> Result<(), ClientError> {
        Ok(self.channels.opened_here(id)?)
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _: &mut Session) -> Result<(), ClientError> {
        match self.channels.queue(channel) {
            Some(queue) => Ok(queue.bytes(Lane::Main, data)?),
            None => Ok(()),
        }
    }

    async fn channel_eof(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), ClientError> {
        match self.channels.queue(channel) {
            Some(queue) => Ok(queue.mark(ClientMark::Eof)?),
            None => Ok(()),
        }
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), ClientError> {
        self.channels.session_event(channel, Event::ClientLeft)?;
        self.channels.close(channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), ClientError> {
        // The library puts an end mark in the place of each mode that it does not know; passed on, it would cut off the rest.
        let modes = modes.iter().filter(|(mode, _)| *mode != Pty::TTY_OP_END).map(|(mode, value)| (*mode as u8, *value)).collect();
        let terminal = Terminal { term: term.to_owned(), size: Size { columns, rows, width, height }, modes };
        self.session_event(channel, Event::TerminalRequested(terminal), session)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        session: &mut Session,
    ) -> Result<(), ClientError> {
        self.session_event(channel, Event::Resized(Size { columns, rows, width, height }), session)
    }

    async fn env_request(&mut self, channel: ChannelId, name: &str, value: &str, session: &mut Session) -> Result<(), ClientError> {
        let event = Event::VariableRequested { name: name.to_owned(), value: value.to_owned() };
        self.session_event(channel, event, session)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), ClientError> {
        self.session_event(channel, Event::StartRequested(StartRequest::Shell), session)
    }

    async fn exec_request(&mut self, channel: ChannelId, command: &[u8], session: &mut Session) -> Result<(), ClientError> {
        self.session_event(channel, Event::StartRequested(StartRequest::Exec(command.to_vec())), session)
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, session: &mut Session) -> Result<(), ClientError> {
        self.session_event(channel, Event::StartRequested(StartRequest::Subsystem(name.to_owned())), session)
    }

    async fn signal(&mut self, channel: ChannelId, signal: Sig, session: &mut Session) -> Result<(), ClientError> {
        self.session_event(channel, Event::Signalled(signal::name(&signal)), session)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Result<(), ClientError> {
        self.report_forbidden("X11 forwarding");
        session.debug(true, "dayfly: the bastion gives no X11 forwarding", "en")?;
        self.session_event(channel, Event::OtherRequested("x11-req"), session)
    }

    async fn agent_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<bool, ClientError> {
        // Many people's configuration asks for it everywhere, so a no is kept with the session and not reported as an attempt.
        let answer = self.channels.session_event(channel, Event::AgentRequested)?;
        if answer != Some(true) {
            session.debug(true, "dayfly: the agent is not forwarded", "en")?;
        }
        Ok(answer.unwrap_or(false))
    }

    async fn tcpip_forward(&mut self, address: &str, port: &mut u32, session: &mut Session) -> Result<bool, ClientError> {
        let asked = match self.person() {
            Ok(person) => {
                let side = self.side(session);
                let (connection, entrance) = (self.connection.clone(), self.entrance.clone());
                let caller = Caller { connection, entrance, person, side, address: address.to_owned() };
                self.forwards.listen(caller, *port).await
            }
            Err(refusal) => Err(refusal),
        };
        match asked {
            Ok(chosen) => {
                *port = chosen.into();
                Ok(true)
            }
            Err(refusal) => {
                self.tell("tcpip-forward", &refusal, session)?;
                Ok(false)
            }
        }
    }

    async fn cancel_tcpip_forward(&mut self, address: &str, port: u32, _: &mut Session) -> Result<bool, ClientError> {
        Ok(self.forwards.cancel(address, port))
    }

    async fn streamlocal_forward(&mut self, _: &str, session: &mut Session) -> Result<bool, ClientError> {
        self.report_forbidden("remote Unix socket forwarding");
        let refusal = Refusal::new(Reason::NotAllowed, "the bastion gives no remote Unix socket forwarding", "forward a port: ssh -R");
        self.tell("streamlocal-forward@openssh.com", &refusal, session)?;
        Ok(false)
    }
}
