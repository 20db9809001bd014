//! Channels that this side opens at a client: for connections that arrived where its target listens, and to its agent.

use super::Client;
use crate::{busy::Token, flow::QueueReceiver, handler::ClientMark};
use russh::{
    Channel, ChannelId,
    server::{Handle, Msg},
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Semaphore, oneshot};
use tracing::Instrument;

/// How long a client may take to open a channel.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many channels of one connection may be opened at the same time. A client that answers none has no more opened.
const MOST_OPENING: usize = 64;

/// A client's connection, from the side of those who open channels at it.
#[derive(Clone)]
pub struct ClientSide {
    handle: Handle,
    opened: Opened,
    _under_way: Arc<Token>,
}

impl ClientSide {
    /// The connection of `handle`, whose callbacks tell `opened` of each channel that the client has opened. It is in use for as long as `under_way` is held.
    pub fn new(handle: Handle, opened: Opened, under_way: Token) -> Self {
        Self { handle, opened, _under_way: Arc::new(under_way) }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Opens a channel for a connection that arrived at this address and port, spelt as the client asked for them. None if the client does not take it.
    pub(super) async fn open_forwarded(&self, address: String, port: u16, from: SocketAddr) -> Option<Client> {
        let handle = self.handle.clone();
        let (from_address, from_port) = (from.ip().to_string(), from.port().into());
        self.open(async move { handle.channel_open_forwarded_tcpip(address, port.into(), from_address, from_port).await }).await
    }

    /// Opens a channel to the client's agent.
    pub(super) async fn open_agent(&self) -> Option<Client> {
        let handle = self.handle.clone();
        self.open(async move { handle.channel_open_agent().await }).await
    }

    /// A client that answers too late finds its channel closed.
    async fn open(&self, opening: impl Future<Output = Result<Channel<Msg>, russh::Error>> + Send + 'static) -> Option<Client> {
        let (sender, receiver) = oneshot::channel();
        // Whoever waits here for a client that does not answer keeps nothing of the connection in use.
        let opened = self.opened.clone();
        let place = self.opened.places.clone().try_acquire_owned().ok()?;
        self.opened.lock().awaited_confirmations += 1;
        let open = async move {
            let _place = place;
            let Ok(channel) = opening.await else { return opened.refused() };
            let id = channel.id();
            // The reading half would hold up the whole connection: bytes come by the callbacks.
            let (_, writer) = channel.split();
            let Some(queue) = opened.take(id).await else { return };
            if let Err((writer, _queue)) = sender.send((writer, queue)) {
                let _ = tokio::time::timeout(PATIENCE, writer.close()).await;
            }
        };
        tokio::spawn(open.in_current_span());
        let (writer, queue) = tokio::time::timeout(PATIENCE, receiver).await.ok()?.ok()?;
        Some(Client::new(writer, self.clone(), queue))
    }
}

/// The queues of channels that the client has opened for us, until whoever asked for them takes them. The callback comes when it comes.
#[derive(Debug, Clone)]
pub struct Opened {
    state: Arc<Mutex<State>>,
    places: Arc<Semaphore>,
}

impl Default for Opened {
    fn default() -> Self {
        Self { state: Arc::default(), places: Arc::new(Semaphore::new(MOST_OPENING)) }
    }
}

/// The client says that it has opened a channel which nobody asked it to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client confirms a channel that nobody asked it to open")]
pub struct Unasked;

#[derive(Debug, Default)]
struct State {
    /// How many channels the client was asked to open, and has neither opened nor refused.
    awaited_confirmations: usize,
    /// It has confirmed one that it was not asked to open.
    has_lied: bool,
    there: HashMap<ChannelId, QueueReceiver<ClientMark>>,
    awaited: HashMap<ChannelId, oneshot::Sender<QueueReceiver<ClientMark>>>,
}

impl Opened {
    /// The client has refused a channel. One that has none left to refuse has confirmed what it was not asked for.
    fn refused(&self) {
        let mut state = self.lock();
        match state.awaited_confirmations.checked_sub(1) {
            Some(left) => state.awaited_confirmations = left,
            None => {
                state.has_lied = true;
                state.there.clear();
            }
        }
    }

    /// The client has opened a channel, whose bytes go into `queue`.
    pub fn put(&self, channel: ChannelId, queue: QueueReceiver<ClientMark>) -> Result<(), Unasked> {
        let mut state = self.lock();
        if state.has_lied {
            return Err(Unasked);
        }
        state.awaited_confirmations = state.awaited_confirmations.checked_sub(1).ok_or(Unasked)?;
        match state.awaited.remove(&channel) {
            // Nobody waits any more: the queue is abandoned.
            Some(sender) => drop(sender.send(queue)),
            None => drop(state.there.insert(channel, queue)),
        }
        Ok(())
    }

    async fn take(&self, channel: ChannelId) -> Option<QueueReceiver<ClientMark>> {
        let receiver = {
            let mut state = self.lock();
            if let Some(queue) = state.there.remove(&channel) {
                return Some(queue);
            }
            let (sender, receiver) = oneshot::channel();
            state.awaited.insert(channel, sender);
            receiver
        };
        tokio::time::timeout(PATIENCE, receiver).await.ok()?.ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
