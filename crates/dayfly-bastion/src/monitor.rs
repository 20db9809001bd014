//! Metrics, health and readiness, over plain HTTP on an address of their own.

mod http;

use crate::{metrics::Exposition, vitals::Observer};
use http::answer;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};

/// How many may ask at once. Further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 32;

/// How long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may stay, whatever is asked over it.
const LONGEST_CONNECTION: Duration = Duration::from_secs(60);

/// How long to wait when the system has no room for a connection.
const OUT_OF_ROOM: Duration = Duration::from_millis(100);

/// What is asked about.
pub struct Subject {
    /// Reads how the bastion is.
    pub observer: Arc<Observer>,
    /// Writes it down.
    pub exposition: Exposition,
}

/// Answers on an address.
pub struct Monitor {
    socket: TcpListener,
    subject: Arc<Subject>,
}

impl Monitor {
    /// Listens at `address`.
    pub async fn bind(address: SocketAddr, subject: Subject) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, subject: Arc::new(subject) })
    }

    /// Where it listens; the port is the real one.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers for ever.
    pub async fn run(self) {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let socket = match self.socket.accept().await {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!(%error, "a connection for metrics cannot be accepted");
                    tokio::time::sleep(OUT_OF_ROOM).await;
                    continue;
                }
            };
            let subject = self.subject.clone();
            tokio::spawn(async move {
                let _place = place;
                let service = service_fn(|request| {
                    let subject = subject.clone();
                    async move { Ok::<_, Infallible>(answer(&subject, request.method(), request.uri().path()).await) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT)
                    .serve_connection(TokioIo::new(socket), service);
                if !matches!(tokio::time::timeout(LONGEST_CONNECTION, connection).await, Ok(Ok(()))) {
                    tracing::debug!("a connection for metrics was cut off");
                }
            });
        }
    }
}
