//! Accepts connections: learns whose they are, limits those that are not logged in yet, survives what the system runs out of, and stops when it is told to.

mod early_drop;
mod limits;
mod penalties;
mod proxy;
mod quick_ack;
mod sockets;

use crate::{
    bastion::Bastion,
    connection::{Connection, Entrance},
    handler::ClientHandler,
    host_identity::CurrentIdentity,
    metrics::{Arrival, Way},
    serving::{End, serve},
    transport::ClientTransport,
};
use dayfly_core::address::Network;
use limits::{Doors, Waiting};
use quick_ack::QuickAck;
pub use sockets::{bind, handed_over};
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tracing::Instrument;

/// How long to wait when the system has no room for a connection: file descriptors may come free.
const OUT_OF_ROOM: Duration = Duration::from_millis(50);

/// How long a silent client stays unasked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How many proxies' connections may be about to say whose they are.
const MOST_NAMELESS: usize = 256;

/// What somebody is told who is turned away, in the place of an SSH server's identification (RFC 4253 section 4.2 allows lines before it).
const TURNED_AWAY: &[u8] = b"dayfly: too many failures from this address, or too many connections: try again in a while\r\n";

/// The sockets that clients connect to.
pub struct Listener {
    sockets: Vec<TcpListener>,
    reception: Arc<Reception>,
}

/// What every connection meets first.
struct Reception {
    bastion: Arc<Bastion>,
    identity: CurrentIdentity,
    doors: Doors,
    proxies: Vec<Network>,
    nameless: Semaphore,
}

/// Counts who is there.
#[derive(Debug, Clone)]
pub struct Crowd(Doors);

impl Crowd {
    /// Open connections, those of them that are not logged in, and addresses that are turned away.
    pub fn count(&self) -> (usize, usize, usize) {
        self.0.count(Instant::now())
    }
}

impl Listener {
    /// Listens on `sockets`. `identity` is what clients see; `proxies` are believed when they say whose a connection is.
    pub fn new(sockets: Vec<TcpListener>, bastion: Arc<Bastion>, identity: CurrentIdentity, proxies: Vec<Network>) -> Self {
        let doors = Doors::new(bastion.settings.clone());
        let reception = Reception { bastion, identity, doors, proxies, nameless: Semaphore::new(MOST_NAMELESS) };
        Self { sockets, reception: Arc::new(reception) }
    }

    /// Where it listens; the ports are the real ones.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.sockets.iter().map(TcpListener::local_addr).collect()
    }

    /// Who is there.
    pub fn crowd(&self) -> Crowd {
        Crowd(self.reception.doors.clone())
    }

    /// Accepts until `stop` returns, then closes the sockets. Connections go on by themselves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut accepting = JoinSet::new();
        for socket in self.sockets {
            accepting.spawn(accept(socket, self.reception.clone()));
        }
        stop.await;
        accepting.shutdown().await;
    }
}

async fn accept(socket: TcpListener, reception: Arc<Reception>) {
    loop {
        match socket.accept().await {
            Ok((socket, peer)) => reception.clone().take_in(socket, peer),
            Err(error) => {
                // A client that gave up already, or no file descriptor left. Neither is a reason to stop for.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(OUT_OF_ROOM).await;
            }
        }
    }
}

impl Reception {
    fn take_in(self: Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        if let Err(error) = tune(&socket) {
            tracing::debug!(%peer, %error, "a socket cannot be tuned");
        }
        if self.proxies.iter().any(|network| network.contains(peer.ip())) {
            tokio::spawn(self.ask_proxy(socket, peer));
        } else {
            self.admit(socket, peer);
        }
    }

    /// From a proxy: the client is who the header names, for every check that follows.
    async fn ask_proxy(self: Arc<Self>, mut socket: TcpStream, proxy: SocketAddr) {
        let Ok(place) = self.nameless.try_acquire() else {
            return self.bastion.metrics.arrived(Arrival::TooManyWaiting);
        };
        match proxy::client(&mut socket).await {
            Ok(client) => {
                drop(place);
                self.admit(socket, client);
            }
            Err(error) => {
                tracing::info!(%proxy, %error, "a proxy's connection was closed");
                self.bastion.metrics.arrived(Arrival::Nameless);
            }
        }
    }

    fn admit(self: &Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let connection = Connection::new(self.bastion.clone(), peer);
        match self.doors.enter(connection.address(), Instant::now(), rand::random()) {
            Ok(waiting) => {
                self.bastion.metrics.arrived(Arrival::TakenIn);
                let span = tracing::error_span!("connection", id = %connection.id, peer = %connection.peer);
                tokio::spawn(self.clone().carry(socket, Arc::new(connection), waiting).instrument(span));
            }
            Err(arrival) => {
                self.bastion.metrics.arrived(arrival);
                tracing::debug!(%peer, why = arrival.as_str(), "a connection was closed");
                // Into the socket's empty buffer or nowhere: nobody is waited for.
                let _ = socket.try_write(TURNED_AWAY);
            }
        }
    }

    async fn carry(self: Arc<Self>, socket: TcpStream, connection: Arc<Connection>, mut waiting: Waiting) {
        let address = connection.address();
        let (transport, answers, cut) = ClientTransport::new(QuickAck::new(socket));
        let client = ClientHandler::new(connection, Entrance::Outer, answers);
        let grace = self.bastion.limits().login_grace;
        let metrics = &self.bastion.metrics;
        let logged_in = || {
            waiting.logged_in();
            metrics.handshake(Way::Outer, End::LoggedIn);
        };
        let end = serve(self.identity.config(), transport, cut, client, grace, logged_in).await;
        if end != End::LoggedIn {
            metrics.handshake(Way::Outer, end);
            if self.doors.note(address, end, Instant::now()) {
                metrics.penalised(end);
            }
        }
    }
}

fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
    socket2::SockRef::from(socket).set_tcp_keepalive(&keepalive)
}
