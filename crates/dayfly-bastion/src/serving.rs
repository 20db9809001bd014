//! Speaking SSH as a server: over TCP, and inside a ProxyJump's channel alike.

use crate::{
    algorithms,
    flow::WINDOW,
    handler::ClientHandler,
    transport::{ClientTransport, Cut},
};
use russh::{
    MethodKind, MethodSet,
    server::{self, Config},
};
use ssh_key::{Certificate, PrivateKey};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};

/// How many logins may fail before the connection is ended. Agents offer every key they hold, and a bare key that is only named does not count.
const MOST_FAILED_LOGINS: usize = 24;

/// The configuration of a server that shows `certificate` for `key`; without one, the bare key.
pub fn server_config(key: PrivateKey, certificate: Option<Certificate>) -> Config {
    Config {
        server_id: crate::identification(),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // The library would keep each failure waiting, also the question for methods that every client begins with. Guessing certificates is hopeless anyway.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: MOST_FAILED_LOGINS,
        keys: vec![key],
        certificates: certificate.into_iter().collect(),
        preferred: algorithms::towards_clients(),
        window_size: WINDOW,
        // Sessions may be idle for long; a dead peer is the kernel's to notice.
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    }
}

/// One SSH connection over `transport` until its end. Who is not logged in within `grace` is cut off, whatever either side is doing.
pub async fn serve<T>(
    config: Arc<Config>,
    transport: ClientTransport<T>,
    cut: Cut,
    (handler, logged_in): (ClientHandler, oneshot::Receiver<()>),
    grace: Duration,
    on_login: impl FnOnce() + Send,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let deadline = Instant::now() + grace;
    let mut session = match tokio::time::timeout(grace, server::run_stream(config, transport, handler)).await {
        Ok(Ok(session)) => session,
        Ok(Err(error)) => return tracing::debug!(%error, "a connection ended before its handshake"),
        Err(_) => return tracing::debug!("a connection did not begin its handshake in time"),
    };
    let in_time = tokio::select! {
        biased;
        login = logged_in => login.is_ok(),
        () = tokio::time::sleep_until(deadline.into()) => false,
    };
    if in_time {
        on_login();
        if let Err(error) = session.await {
            tracing::debug!(%error, "a connection ended with an error");
        }
    } else {
        drop(cut);
        // The handler reports what was tried in vain when the session's task lets go of it.
        let _ = (&mut session).await;
    }
}
