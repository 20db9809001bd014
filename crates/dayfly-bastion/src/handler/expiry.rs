//! The end of a connection that is good for nothing more: its certificate has expired, and nothing runs over it. Nothing more could be opened there, so whoever
//! shares it (OpenSSH's ControlMaster) had better open another one, with the certificate that they have by then.

use crate::{busy::Busy, connection::Person};
use russh::{Disconnect, server::Handle};
use std::time::Duration;
use tokio::{sync::oneshot, task::JoinHandle};

/// What the client is told.
const WORDS: &str = "dayfly: the certificate has expired, and nothing runs over this connection";

/// How long it may take to tell it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ends one connection when its time has come. Ends itself with this value.
#[derive(Debug)]
pub(super) struct Expiry(JoinHandle<()>);

impl Expiry {
    /// Watches over the connection of `handle`, over which `person` logged in at `now` and everything in `busy` runs. Whoever carries it hears by `dismissed`
    /// that the client was asked to go.
    pub(super) fn watch(person: &Person, now: u64, handle: Handle, busy: Busy, dismissed: oneshot::Sender<()>) -> Self {
        let lives = Duration::from_secs(person.certificate.valid_before().saturating_sub(now));
        Self(tokio::spawn(async move {
            tokio::time::sleep(lives).await;
            busy.idle().await;
            tracing::debug!("the certificate has expired and nothing runs: the connection is closed");
            // One that is over already needs no end, and one that does not read hears nothing.
            let told = handle.disconnect(Disconnect::ByApplication, WORDS.to_owned(), "en".to_owned());
            let _ = tokio::time::timeout(PATIENCE, told).await;
            let _ = dismissed.send(());
        }))
    }
}

impl Drop for Expiry {
    fn drop(&mut self) {
        self.0.abort();
    }
}
