//! One connection: handshake, then HTTP/2 or HTTP/1.1, until the peer goes, falls silent, or the CA drains.

use crate::{
    config::Proxies,
    http::{self, Peer},
};
use axum::{Router, body::Body};
use dayfly_api::path::HEALTH;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use std::{
    net::IpAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt;

/// How long a peer is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For a TLS handshake.
    pub(super) handshake: Duration,
    /// For the head of an HTTP/1.1 request, the wait for it on an open connection included.
    pub(super) request_head: Duration,
    /// A connection on which nothing was asked for so long, or twice that, is told to go.
    pub(super) silence: Duration,
    /// For one that was told to go. Also for the answer to a ping.
    pub(super) farewell: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            request_head: Duration::from_secs(30),
            silence: Duration::from_secs(120),
            farewell: Duration::from_secs(10),
        }
    }
}

/// Dead HTTP/2 peers are found by a ping so often.
const PING: Duration = Duration::from_secs(30);

/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 128;

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;

/// What connections are served with.
pub(super) struct Served {
    pub(super) acceptor: Arc<TlsAcceptor>,
    pub(super) router: Router,
    pub(super) proxies: Arc<Proxies>,
    pub(super) patience: Patience,
}

/// Serves one connection to its end.
pub(super) async fn serve(served: Served, stream: TcpStream, peer: IpAddr, mut draining: watch::Receiver<bool>) {
    let Served { acceptor, router, proxies, patience } = served;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "nodelay");
    }
    let handshake = timeout(patience.handshake, acceptor.accept(stream));
    let stream = tokio::select! {
        handshake = handshake => match handshake {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => return tracing::debug!(%peer, "TLS handshake took too long"),
        },
        () = begun(&mut draining) => return,
    };
    let activity = Arc::new(Activity::default());
    let counted = Arc::clone(&activity);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let client = proxies.client(peer, request.headers());
        let (busy, router) = (counted.begin(), router.clone());
        async move {
            // A proxy's own check of health is on nobody's behalf.
            let client = client.or_else(|| (request.uri().path() == HEALTH).then_some(peer));
            let Some(client) = client else {
                tracing::warn!(%peer, "a proxy of [proxies] forwarded_for_from names no client");
                return Ok(http::no_client());
            };
            request.extensions_mut().insert(Peer(client));
            let response = router.oneshot(request.map(Body::new)).await;
            drop(busy);
            response
        }
    });
    let builder = builder(&stream, patience);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answer));
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = begun(&mut draining) => {
                connection.as_mut().graceful_shutdown();
                // The drain's own deadline bounds this.
                break connection.await;
            }
            () = tokio::time::sleep(patience.silence) => {
                if activity.was_silent() {
                    connection.as_mut().graceful_shutdown();
                    let Ok(ended) = timeout(patience.farewell, connection).await else { return };
                    break ended;
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error, "the connection ended");
    }
}

/// Comes about when the CA drains.
async fn begun(draining: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, and with it the server.
    let _ = draining.wait_for(|draining| *draining).await;
}

/// What was negotiated, and nothing else: a peer that says nothing is not waited for to say which.
fn builder(stream: &TlsStream<TcpStream>, patience: Patience) -> Builder<TokioExecutor> {
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(super::tls::HTTP2);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.request_head).max_buf_size(LARGEST_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX))
        .keep_alive_interval(PING)
        .keep_alive_timeout(patience.farewell);
    if is_http2 { builder.http2_only() } else { builder.http1_only() }
}

/// What was asked on a connection since somebody looked.
#[derive(Debug, Default)]
struct Activity {
    busy: AtomicU64,
    begun: AtomicU64,
}

/// A request that is being worked on.
struct Busy(Arc<Activity>);

impl Activity {
    fn begin(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Whether nothing is being worked on, and nothing was begun since the last look.
    fn was_silent(&self) -> bool {
        self.begun.swap(0, Ordering::Relaxed) == 0 && self.busy.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
