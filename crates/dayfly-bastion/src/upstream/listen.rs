//! Has a target listen for the client (RFC 4254 section 7.1).

use super::{DialFailure, Greeted, LoggedIn, Opening, greet, in_time};
use crate::{
    authority::{PermittedSession, Snapshot},
    targets::DialOutcome,
};
use dayfly_core::{
    forward::ListenAddress,
    reason::{Reason, Refusal},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How long a target may take to stop listening.
const PATIENCE: Duration = Duration::from_secs(3);

/// A target that listens. Its connection, and with it everything that arrived, ends when it is dropped.
pub struct TargetListener {
    /// Where it listens, with the port that it chose if that was left to it.
    pub at: ListenAddress,
    /// What it opens.
    pub openings: mpsc::Receiver<Opening>,
    login: LoggedIn,
}

/// Logs in to the permitted target and asks it to listen where the session says.
pub async fn listen(session: &PermittedSession, snapshot: Arc<Snapshot>) -> Result<TargetListener, DialFailure> {
    let target = session.target();
    let Some(wanted) = session.ask().listen.as_ref().map(|listening| &listening.at) else {
        return Err(DialFailure::unavailable(DialOutcome::Failed, target, "the session listens nowhere"));
    };
    in_time(session, async {
        let Greeted { login, openings, .. } = greet(session, snapshot).await?;
        // What arrives first arrives before the answer is looked at.
        login.expected.connections();
        let answer = login.handle.tcpip_forward(wanted.host(), wanted.port().into()).await;
        let chosen = answer.map_err(|error| {
            tracing::info!(target = %target.name, %wanted, %error, "a target does not listen");
            // Where it would not listen is no fault of the target's.
            let remedy = format!("check that the port is free there, and what the sshd of {} forwards", target.name);
            let refusal = Refusal::new(Reason::TargetUnavailable, format!("{} does not listen at {wanted}", target.name), remedy);
            DialFailure::new(DialOutcome::Reachable, refusal)
        })?;
        let port = match wanted.port() {
            0 => u16::try_from(chosen)
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| DialFailure::unavailable(DialOutcome::Failed, target, "it names no port that it listens at"))?,
            port => port,
        };
        Ok(TargetListener { at: wanted.at_port(port), openings, login })
    })
    .await
}

impl TargetListener {
    /// Has the target listen no more. What has arrived goes on.
    pub async fn stop_listening(&self) {
        let stopped = tokio::time::timeout(PATIENCE, self.login.handle.cancel_tcpip_forward(self.at.host(), self.at.port().into()));
        if !matches!(stopped.await, Ok(Ok(()))) {
            tracing::warn!(at = %self.at, "a target does not say that it stopped listening");
        }
    }

    /// Ends the connection.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(PATIENCE, self.login.close()).await;
    }
}
