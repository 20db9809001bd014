//! The client's side of a session.

use super::{ClientSide, STDERR};
use crate::{
    flow::{Gone, QueueReceiver},
    handler::ClientMark,
    session::{Action, Exit},
    signal,
};
use russh::{ChannelWriteHalf, server::Msg};
use std::{sync::Arc, time::Duration};

/// How long a client may take to accept words, an exit or an end. One that does not listen is not waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// A client's channel: its writing half, its connection, and what it sends.
pub struct Client {
    channel: Arc<ChannelWriteHalf<Msg>>,
    side: ClientSide,
    queue: Option<QueueReceiver<ClientMark>>,
    gone: Gone,
}

impl Client {
    /// A channel that was split, the connection it belongs to, and the queue that its bytes go into.
    pub fn new(channel: ChannelWriteHalf<Msg>, side: ClientSide, queue: QueueReceiver<ClientMark>) -> Self {
        let gone = queue.gone();
        Self { channel: Arc::new(channel), side, queue: Some(queue), gone }
    }

    /// Whether the client still has the channel open.
    pub(super) fn gone(&self) -> &Gone {
        &self.gone
    }

    /// Its connection, where more channels can be opened.
    pub(super) fn side(&self) -> &ClientSide {
        &self.side
    }

    /// What it sends. Once.
    pub(super) fn take_queue(&mut self) -> Option<QueueReceiver<ClientMark>> {
        self.queue.take()
    }

    /// Writes to it, within its window.
    pub(super) fn channel(&self) -> Arc<ChannelWriteHalf<Msg>> {
        self.channel.clone()
    }

    /// Lets the client hear of an action, if it concerns it.
    pub(super) async fn hear(&self, action: Action) {
        let say = async {
            match action {
                Action::Tell(words) => self.channel.extended_data_bytes(STDERR, words).await,
                Action::ClientEof => self.channel.eof().await,
                Action::ClientExit(Exit::Status(status)) => self.channel.exit_status(status).await,
                Action::ClientExit(Exit::Signal { name, core_dumped, message }) => {
                    let signal = signal::named(&name);
                    let sent = self.side.handle().exit_signal_request(self.channel.id(), signal, core_dumped, message, String::new()).await;
                    sent.map_err(|()| russh::Error::SendError)
                }
                _ => Ok(()),
            }
        };
        self.within_patience(say).await;
    }

    /// Closes the channel.
    pub(super) async fn close(&self) {
        self.within_patience(self.channel.close()).await;
    }

    async fn within_patience(&self, say: impl Future<Output = Result<(), russh::Error>>) {
        // A client that cannot be told anything any more learns of the end by its connection's.
        let _ = self.gone.or_gone(tokio::time::timeout(PATIENCE, say)).await;
    }
}
