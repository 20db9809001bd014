//! Speaking SSH as a server: over TCP, and inside a ProxyJump's channel alike.

use crate::{
    algorithms,
    flow::WINDOW,
    handler::{ClientError, ClientHandler, LoginWatch, Tried},
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

/// How long a client may take to go when it is asked to.
const PARTING: Duration = Duration::from_secs(10);

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

/// How a connection ended, as far as its login is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Somebody logged in.
    LoggedIn,
    /// Somebody with a certificate of ours was told why they get nothing.
    Told,
    /// A login was tried, and refused.
    Refused,
    /// The client left before it tried.
    Left,
    /// It took too long.
    TimedOut,
    /// It did not keep to the protocol.
    Malformed,
}

impl End {
    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoggedIn => "logged_in",
            Self::Told => "told",
            Self::Refused => "refused",
            Self::Left => "left",
            Self::TimedOut => "timed_out",
            Self::Malformed => "malformed",
        }
    }
}

/// One SSH connection over `transport` until its end. Who is not logged in within `grace` is cut off, whatever either side is doing.
pub async fn serve<T>(
    config: Arc<Config>,
    transport: ClientTransport<T>,
    cut: Cut,
    (handler, login): (ClientHandler, LoginWatch),
    grace: Duration,
    on_login: impl FnOnce() + Send,
) -> End
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let deadline = Instant::now() + grace;
    let LoginWatch { logged_in, tried, dismissed } = login;
    let mut session = match tokio::time::timeout(grace, server::run_stream(config, transport, handler)).await {
        Ok(Ok(session)) => session,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a connection ended before its handshake");
            return if has_left(&error) { End::Left } else { End::Malformed };
        }
        Err(_) => {
            tracing::debug!("a connection did not begin its handshake in time");
            return End::TimedOut;
        }
    };
    let in_time = tokio::select! {
        biased;
        login = logged_in => Some(login.is_ok()),
        () = tokio::time::sleep_until(deadline.into()) => None,
    };
    match in_time {
        Some(true) => {
            on_login();
            let ended = tokio::select! {
                ended = &mut session => ended,
                () = overdue(dismissed) => {
                    drop(cut);
                    (&mut session).await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended with an error");
            }
            End::LoggedIn
        }
        Some(false) => match (tried.so_far(), session.await) {
            (Tried::Told, _) => End::Told,
            (Tried::Login, _) => End::Refused,
            (Tried::Nothing, Err(error)) if !has_left(&error) => End::Malformed,
            (Tried::Nothing, _) => End::Left,
        },
        None => {
            drop(cut);
            // The handler reports what was tried in vain when the session's task lets go of it.
            let _ = (&mut session).await;
            match tried.so_far() {
                Tried::Told => End::Told,
                Tried::Login | Tried::Nothing => End::TimedOut,
            }
        }
    }
}

/// Returns when a client that was asked to go has had time enough.
async fn overdue(dismissed: oneshot::Receiver<()>) {
    if dismissed.await.is_err() {
        return std::future::pending().await;
    }
    tokio::time::sleep(PARTING).await;
}

/// Whether the connection just ended, as anybody's may.
fn has_left(error: &ClientError) -> bool {
    matches!(error, ClientError::Ssh(russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_)))
}
