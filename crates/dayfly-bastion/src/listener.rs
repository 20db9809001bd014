//! Accepts connections: limits those that are not logged in yet, survives what the system runs out of, and stops when it is told to.

mod limits;
mod quick_ack;

use crate::{
    bastion::Bastion,
    config::Limits,
    connection::{Connection, Entrance},
    handler::ClientHandler,
    host_identity::CurrentIdentity,
    serving::serve,
    transport::ClientTransport,
};
use limits::{Doors, Waiting};
use quick_ack::QuickAck;
use russh::server::Config;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};

/// How long to wait when the system has no room for a connection: file descriptors may come free.
const OUT_OF_ROOM: Duration = Duration::from_millis(50);

/// How long a silent client stays unasked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How many connections may wait in the kernel to be accepted.
const BACKLOG: i32 = 1024;

/// A socket that clients connect to.
pub struct Listener {
    socket: TcpListener,
    bastion: Arc<Bastion>,
    identity: CurrentIdentity,
    doors: Doors,
    grace: Duration,
}

impl Listener {
    /// Listens at `address`. `identity` is what they see.
    pub fn bind(address: SocketAddr, bastion: Arc<Bastion>, identity: CurrentIdentity, limits: &Limits) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        // A restart must not wait for connections of the last life to time out.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into())?;
        Ok(Self { socket, bastion, identity, doors: Doors::new(limits), grace: limits.login_grace })
    }

    /// Where it listens; the port is the real one.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until `stop` returns, then closes the socket. Connections go on by themselves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => self.take_in(socket, peer),
                Err(error) => {
                    // A client that gave up already, or no file descriptor left. Neither is a reason to stop for.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(OUT_OF_ROOM).await;
                }
            }
        }
    }

    fn take_in(&self, socket: TcpStream, peer: SocketAddr) {
        let connection = Connection::new(self.bastion.clone(), peer);
        let Some(waiting) = self.doors.enter(connection.address()) else {
            tracing::debug!(%peer, "a connection was closed: too many are open, or not logged in yet");
            return;
        };
        if let Err(error) = tune(&socket) {
            tracing::debug!(%peer, %error, "a socket cannot be tuned");
        }
        let config = self.identity.config();
        tokio::spawn(carry(socket, Arc::new(connection), config, waiting, self.grace));
    }
}

async fn carry(socket: TcpStream, connection: Arc<Connection>, config: Arc<Config>, mut waiting: Waiting, grace: Duration) {
    let (transport, answers, cut) = ClientTransport::new(QuickAck::new(socket));
    let client = ClientHandler::new(connection, Entrance::Outer, answers);
    serve(config, transport, cut, client, grace, || waiting.logged_in()).await;
}

fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
    socket2::SockRef::from(socket).set_tcp_keepalive(&keepalive)
}
