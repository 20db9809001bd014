//! Dials the target of a permitted session, and nothing else: it takes nothing but a [`PermittedSession`].

mod handler;
mod host_key;
mod inbound;
mod listen;

use crate::{
    algorithms,
    authority::{Login, PermittedSession, Snapshot},
    flow::{Pressure, QueueReceiver, Valve, WINDOW, queue},
    targets::DialOutcome,
    transport::{Cut, Cuttable},
};
use dayfly_core::{
    address::is_elsewhere,
    reason::{Reason, Refusal},
    target::{Inventory, Mode, Target, canonical_host},
};
use handler::TargetHandler;
pub use handler::TargetMark;
use host_key::HostKeyCheck;
pub use host_key::HostKeySeen;
use inbound::{Expected, Inbound};
pub use inbound::{Offer, Opening};
pub use listen::{TargetListener, listen};
use russh::{Channel, ChannelWriteHalf, Disconnect, client};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpStream, sync::mpsc};

/// How long a target may take to accept the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long handshake and login may take together.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a target may take to hear of the end.
const PARTING: Duration = Duration::from_secs(10);

/// How long an idle connection to a target stays silent before the kernel asks whether the target is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A session's channel at a target.
pub struct TargetConnection {
    /// Writes to the channel, within the target's window.
    pub channel: Arc<ChannelWriteHalf<client::Msg>>,
    /// What the target sends, until somebody takes it.
    pub incoming: Option<QueueReceiver<TargetMark>>,
    /// What the target opens, until somebody takes it. None if the login is another session's.
    pub openings: Option<mpsc::Receiver<Opening>>,
    login: Option<LoggedIn>,
}

/// A login at a target, which ends when it is dropped, whatever the target does: one that does not read could keep its connection for ever.
struct LoggedIn {
    handle: client::Handle<TargetHandler>,
    expected: Arc<Expected>,
    cut: Option<Cut>,
}

impl Drop for LoggedIn {
    fn drop(&mut self) {
        let Some(cut) = self.cut.take() else { return };
        // What was said last is given time to arrive. Where nothing runs any more, nothing is connected.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(PARTING).await;
                drop(cut);
            });
        }
    }
}

impl TargetConnection {
    /// A channel that the target opened, over the login of the session that listens.
    pub async fn arrived(offer: Offer) -> Self {
        let (channel, incoming) = offer.accept().await;
        Self { channel: Arc::new(channel), incoming: Some(incoming), openings: None, login: None }
    }

    /// From now on the target may open channels to the client's agent.
    pub fn expect_agent(&self) {
        if let Some(login) = &self.login {
            login.expected.agent();
        }
    }

    /// Ends the channel, and the connection if it is this session's.
    pub async fn close(&self) {
        // The session is over: whether the target still hears it changes nothing.
        let _ = self.channel.close().await;
        if let Some(login) = &self.login {
            login.close().await;
        }
    }
}

impl LoggedIn {
    async fn close(&self) {
        let _ = self.handle.disconnect(Disconnect::ByApplication, "session ended", "en").await;
    }
}

/// A target that could not be used.
#[derive(Debug, Clone)]
pub struct DialFailure {
    /// How far it went.
    pub outcome: DialOutcome,
    /// What the person is told.
    pub refusal: Refusal,
    /// What it showed, if that was not its own.
    pub host_key: Option<HostKeySeen>,
}

impl DialFailure {
    fn new(outcome: DialOutcome, refusal: Refusal) -> Self {
        Self { outcome, refusal, host_key: None }
    }

    fn unavailable(outcome: DialOutcome, target: &Target, cause: &str) -> Self {
        Self::new(outcome, unavailable(target, cause))
    }
}

/// Connects to the permitted target, recognises it by a key or certificate that is not revoked, logs in with the session certificate and opens a session channel.
pub async fn log_in(session: &PermittedSession, snapshot: Arc<Snapshot>) -> Result<TargetConnection, DialFailure> {
    in_time(session, async {
        let Greeted { login, incoming, openings } = greet(session, snapshot).await?;
        let channel = open(&login.handle, session).await?;
        // The reading half would hold up the whole connection: bytes come by the handler's callbacks.
        let (_, channel) = channel.split();
        Ok(TargetConnection { channel: Arc::new(channel), incoming: Some(incoming), openings: Some(openings), login: Some(login) })
    })
    .await
}

async fn in_time<T>(session: &PermittedSession, work: impl Future<Output = Result<T, DialFailure>>) -> Result<T, DialFailure> {
    match tokio::time::timeout(CONNECT_TIMEOUT + LOGIN_TIMEOUT, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DialFailure::unavailable(DialOutcome::TimedOut, session.target(), "it takes too long to log in")),
    }
}

/// Connects to the permitted target, for bytes to be forwarded. Never to an address where a target of `inventory` is recorded, whatever name led there.
pub async fn forward(session: &PermittedSession, inventory: &Inventory) -> Result<TcpStream, DialFailure> {
    let failed = |cause: &str| DialFailure::unavailable(DialOutcome::Failed, session.target(), cause);
    let transport = connect(session.target()).await?;
    let peer = transport.peer_addr().map_err(|error| failed(&error.to_string()))?;
    match inventory.iter().find(|other| is_recorded_at(other, peer)) {
        Some(recorded) => Err(failed(&format!("its name leads to {}, which is recorded", recorded.name))),
        None => Ok(transport),
    }
}

fn is_recorded_at(target: &Target, address: SocketAddr) -> bool {
    target.mode == Mode::Record
        && target.port == address.port()
        && canonical_host(&target.address) == address.ip().to_canonical().to_string()
}

/// Resolves the address once, and dials what came of that.
async fn connect(target: &Target) -> Result<TcpStream, DialFailure> {
    let attempt = tokio::time::timeout(CONNECT_TIMEOUT, async {
        let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        for address in resolve(target).await? {
            match TcpStream::connect(address).await {
                Ok(transport) => return Ok(transport),
                Err(error) => last = error,
            }
        }
        Err(last)
    });
    let transport = match attempt.await {
        Ok(Ok(transport)) => transport,
        Ok(Err(error)) => return Err(DialFailure::unavailable(DialOutcome::of(&error), target, &error.to_string())),
        Err(_) => return Err(DialFailure::unavailable(DialOutcome::TimedOut, target, "no answer")),
    };
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
    let tuned = transport.set_nodelay(true).and_then(|()| socket2::SockRef::from(&transport).set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::warn!(target = %target.name, %error, "the socket to a target cannot be tuned");
    }
    Ok(transport)
}

/// The inventory's address. A literal one is not resolved at all, so it cannot come to mean another; a name must not lead to the bastion itself.
async fn resolve(target: &Target) -> std::io::Result<Vec<SocketAddr>> {
    if let Ok(address) = canonical_host(&target.address).parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    let found: Vec<SocketAddr> = tokio::net::lookup_host((target.address.as_str(), target.port)).await?.collect();
    match found.iter().find(|address| !is_elsewhere(address.ip())) {
        Some(address) => Err(std::io::Error::other(format!(
            "its name resolves to {}; if that is meant, write the address into the inventory",
            address.ip()
        ))),
        None => Ok(found),
    }
}

/// A login at a target that nothing was asked of yet.
struct Greeted {
    login: LoggedIn,
    incoming: QueueReceiver<TargetMark>,
    openings: mpsc::Receiver<Opening>,
}

/// Connects, recognises the target and logs in.
async fn greet(session: &PermittedSession, snapshot: Arc<Snapshot>) -> Result<Greeted, DialFailure> {
    let target = session.target();
    let failed = |refusal| DialFailure::new(DialOutcome::Failed, refusal);
    let Some(login) = session.login() else {
        return Err(DialFailure::unavailable(DialOutcome::Failed, target, "the session has no login of its own"));
    };
    let transport = connect(target).await?;
    let check = HostKeyCheck::new(target, snapshot).map_err(failed)?;
    let config = Arc::new(client::Config {
        client_id: crate::identification(),
        preferred: algorithms::towards_target(check.is_certified(), check.pinned_algorithms()),
        window_size: WINDOW,
        nodelay: true,
        ..client::Config::default()
    });
    let pressure = Arc::new(Pressure::default());
    let (sender, incoming) = queue(pressure.clone());
    let expected = Arc::new(Expected::default());
    let (inbound, openings) = Inbound::new(expected.clone(), pressure.clone());
    let handler = TargetHandler::new(check.clone(), sender, inbound);
    // Outermost, so that a valve that is shut hides no cut.
    let (transport, cut) = Cuttable::new(Valve::new(transport, pressure));
    let mut handle = client::connect_stream(config, transport, handler).await.map_err(|error| match check.refused() {
        Some((refusal, seen)) => DialFailure { outcome: DialOutcome::HostKeyWrong, refusal, host_key: Some(seen) },
        None => failed(unavailable(target, &error.to_string())),
    })?;
    let key = Arc::new(login.key.clone());
    let answer = handle.authenticate_openssh_cert(login.account.as_str(), key, login.certificate.clone()).await;
    match answer {
        Ok(result) if result.success() => {}
        Ok(_) => return Err(DialFailure::new(DialOutcome::LoginRefused, not_accepted(target, login))),
        Err(error) => return Err(failed(unavailable(target, &error.to_string()))),
    }
    Ok(Greeted { login: LoggedIn { handle, expected, cut: Some(cut) }, incoming, openings })
}

/// The one channel: a session's, or a connection from the target onwards. Where that comes from is nobody's business there.
async fn open(handle: &client::Handle<TargetHandler>, session: &PermittedSession) -> Result<Channel<client::Msg>, DialFailure> {
    let target = session.target();
    let Some(to) = &session.ask().forward else {
        let failed = |error: russh::Error| DialFailure::unavailable(DialOutcome::Failed, target, &error.to_string());
        return handle.channel_open_session().await.map_err(failed);
    };
    let opened = handle.channel_open_direct_tcpip(to.host(), to.port().into(), "127.0.0.1", 0).await;
    opened.map_err(|error| {
        tracing::info!(target = %target.name, %to, %error, "a connection was not forwarded");
        let remedy = format!("check that something listens there, and what the sshd of {} forwards", target.name);
        // What it would not connect to is no fault of the target's.
        let refusal = Refusal::new(Reason::TargetUnavailable, format!("{} does not connect to {to}", target.name), remedy);
        DialFailure::new(DialOutcome::Reachable, refusal)
    })
}

fn unavailable(target: &Target, cause: &str) -> Refusal {
    tracing::warn!(target = %target.name, cause, "a target cannot be reached");
    Refusal::new(
        Reason::TargetUnavailable,
        format!("{} cannot be reached: {cause}", target.name),
        "try again; if it stays so, tell whoever runs the target",
    )
}

fn not_accepted(target: &Target, login: &Login) -> Refusal {
    Refusal::new(
        Reason::TargetUnavailable,
        format!("{} does not accept the session certificate for {}", target.name, login.account),
        "whoever runs the target: check that its sshd trusts the session CA, that the account exists, and its AuthorizedPrincipals",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn target(address: &str) -> Target {
        Target {
            name: "db1".parse().unwrap(),
            address: address.to_owned(),
            port: 22,
            groups: Default::default(),
            host_keys: Vec::new(),
            host_ca: Vec::new(),
            mode: Mode::Passthrough,
            literal_principals: Default::default(),
            session: None,
        }
    }

    #[test]
    fn row_11_a_name_leads_to_no_loopback_link_local_or_metadata_address() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "fd00:ec2::254",
            "100.100.100.200",
        ] {
            assert!(!is_elsewhere(address.parse().unwrap()), "{address}");
        }
        for address in ["192.0.2.1", "10.0.0.1", "2001:db8::1", "fd00::1"] {
            assert!(is_elsewhere(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn row_11_a_name_that_leads_back_is_not_dialled_and_an_address_is_what_it_says() {
        assert!(resolve(&target("localhost")).await.is_err());
        assert_eq!(resolve(&target("::ffff:127.0.0.1")).await.unwrap(), ["127.0.0.1:22".parse().unwrap()]);
    }

    #[test]
    fn row_38_no_name_leads_around_the_recorder() {
        let recorded = Target { mode: Mode::Record, ..target("::ffff:192.0.2.1") };
        assert!(is_recorded_at(&recorded, "192.0.2.1:22".parse().unwrap()));
        assert!(is_recorded_at(&recorded, "[::ffff:192.0.2.1]:22".parse().unwrap()));
        assert!(!is_recorded_at(&recorded, "192.0.2.1:2222".parse().unwrap()));
        assert!(!is_recorded_at(&target("192.0.2.1"), "192.0.2.1:22".parse().unwrap()));
    }
}
