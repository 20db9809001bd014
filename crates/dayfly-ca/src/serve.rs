//! Serving: an accept loop that nothing stops but a signal, and a drain that drops no request.
//!
//! | Part | What it is |
//! |---|---|
//! | `tls` | certificate and key → what speaks TLS 1.3 |
//! | `proxies` | on whose behalf a connection or request comes |
//! | `connection` | one connection: handshake, then HTTP/2 or HTTP/1.1 |

mod connection;
mod proxies;
pub mod tls;

use crate::{
    config::Proxies,
    http::{self, Service},
    places::{Place, Places},
};
use arc_swap::ArcSwap;
use axum::Router;
use connection::{Patience, Served};
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// How long requests that are being worked on may take once the CA is told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// How long the loop waits after an error that the next connection would meet too, such as no free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A CA that listens.
pub struct Server {
    listener: TcpListener,
    router: Router,
    tls: Arc<ArcSwap<TlsAcceptor>>,
    places: Arc<Places>,
    proxies: Arc<Proxies>,
    patience: Patience,
}

impl Server {
    /// Listens at `address`. `tls` may be replaced at any time: connections that are open keep what they have.
    pub async fn bind(address: SocketAddr, service: &Arc<Service>, tls: Arc<ArcSwap<TlsAcceptor>>, proxies: Proxies) -> io::Result<Self> {
        let limits = service.limits();
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            router: http::router(service),
            tls,
            places: Places::new(limits.connections, limits.connections_per_address),
            proxies: Arc::new(proxies),
            patience: Patience::default(),
        })
    }

    /// Where it listens: the port that was got, if any would do.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` comes about, and then until every request is answered or [`DRAIN`] is over.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (draining, watched) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.start(&mut connections, stream, peer, watched.clone()),
                    Err(error) => survive(error).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(self.listener);
        draining.send_replace(true);
        tracing::info!(connections = connections.len(), "draining");
        if tokio::time::timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!(connections = connections.len(), "connections were cut: they were still busy at the end of the drain");
        }
    }

    fn start(&self, connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr, draining: watch::Receiver<bool>) {
        let peer = peer.ip().to_canonical();
        let shared = self.proxies.is_shared(peer);
        let Some(place) = (if shared { self.places.take_shared() } else { self.places.take(peer) }) else {
            tracing::debug!(%peer, "a connection too many");
            return;
        };
        let served = Served {
            acceptor: self.tls.load_full(),
            router: self.router.clone(),
            proxies: Arc::clone(&self.proxies),
            patience: self.patience,
        };
        let places = Arc::clone(&self.places);
        connections.spawn(async move {
            match behind(&served.proxies, &places, stream, peer).await {
                Some((stream, client, _own)) => connection::serve(served, stream, client, draining).await,
                None => tracing::debug!(%peer, "a balancer's connection of nobody, or one too many"),
            }
            drop(place);
        });
    }
}

/// The client of a connection: behind a balancer, whom its header names, with a place of their own.
async fn behind(
    proxies: &Proxies,
    places: &Arc<Places>,
    mut stream: TcpStream,
    peer: IpAddr,
) -> Option<(TcpStream, IpAddr, Option<Place>)> {
    if !proxies.begins_with_header(peer) {
        return Some((stream, peer, None));
    }
    match proxies::read_header(&mut stream).await {
        Ok(client) => places.take_beside(client).map(|place| (stream, client, Some(place))),
        Err(error) => {
            tracing::debug!(%peer, %error, "a balancer names no client");
            None
        }
    }
}

/// Accepting goes on whatever happened: what is wrong with one connection is not wrong with the next, and descriptors come free again.
async fn survive(error: io::Error) {
    let is_about_one = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted
    );
    if is_about_one {
        return;
    }
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
mod tests;
