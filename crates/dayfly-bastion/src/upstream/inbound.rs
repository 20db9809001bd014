//! What a target opens towards the client: nothing, unless it was asked to. What it opens is judged elsewhere; here it is only told apart.

use super::TargetMark;
use crate::flow::{Pressure, QueueReceiver, QueueSender, queue};
use russh::{
    Channel, ChannelId, ChannelWriteHalf,
    client::{ChannelOpenHandle, Msg},
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::mpsc;

/// How many openings wait to be judged. More are refused.
const MOST_WAITING: usize = 64;

/// How many unasked openings of one connection are told of. A target that goes on learns nothing, and fills no log.
const MOST_TOLD: usize = 16;

/// What a target was asked for, so that it may open channels. Nothing at first.
#[derive(Debug, Default)]
pub(super) struct Expected {
    connections: AtomicBool,
    agent: AtomicBool,
}

impl Expected {
    /// It is asked to listen.
    pub(super) fn connections(&self) {
        self.connections.store(true, Ordering::Release);
    }

    /// It is told that the client's agent may be used.
    pub(super) fn agent(&self) {
        self.agent.store(true, Ordering::Release);
    }
}

/// A channel that a target opens.
pub enum Opening {
    /// A connection that arrived where it was asked to listen, as it says.
    Connection {
        /// Where it listens: address and port.
        at: (String, u32),
        /// Where the connection comes from: address and port.
        from: (String, u32),
        /// The channel.
        offer: Offer,
    },
    /// One to the client's agent.
    Agent(Offer),
    /// One of this kind that nobody had asked for. It is refused already, and told on the session's own channel too, where there is one.
    Unasked(&'static str),
}

/// A channel that is opened once it is accepted. Dropping it refuses it.
pub struct Offer {
    reply: ChannelOpenHandle,
    channel: ChannelWriteHalf<Msg>,
    incoming: QueueReceiver<TargetMark>,
}

impl Offer {
    /// Lets the target have it.
    pub async fn accept(self) -> (ChannelWriteHalf<Msg>, QueueReceiver<TargetMark>) {
        self.reply.accept().await;
        (self.channel, self.incoming)
    }
}

/// The callbacks' side of it.
pub(super) struct Inbound {
    expected: Arc<Expected>,
    openings: mpsc::Sender<Opening>,
    queues: HashMap<ChannelId, QueueSender<TargetMark>>,
    pressure: Arc<Pressure>,
    told: usize,
}

impl Inbound {
    /// Where openings go, and where they arrive. Their bytes weigh on `pressure`.
    pub(super) fn new(expected: Arc<Expected>, pressure: Arc<Pressure>) -> (Self, mpsc::Receiver<Opening>) {
        let (openings, receiver) = mpsc::channel(MOST_WAITING);
        (Self { expected, openings, queues: HashMap::new(), pressure, told: 0 }, receiver)
    }

    /// The queue of a channel that the target opened.
    pub(super) fn queue(&self, channel: ChannelId) -> Option<&QueueSender<TargetMark>> {
        self.queues.get(&channel)
    }

    pub(super) fn close(&mut self, channel: ChannelId) {
        self.queues.remove(&channel);
    }

    /// False if nobody had asked for it. It is refused by that.
    pub(super) fn connection(&mut self, channel: Channel<Msg>, reply: ChannelOpenHandle, at: (&str, u32), from: (&str, u32)) -> bool {
        if !self.expected.connections.load(Ordering::Acquire) {
            return false;
        }
        let owned = |(text, port): (&str, u32)| (text.chars().take(256).collect(), port);
        let offer = self.offer(channel, reply);
        self.tell(Opening::Connection { at: owned(at), from: owned(from), offer });
        true
    }

    /// False if nobody had asked for it. It is refused by that.
    pub(super) fn agent(&mut self, channel: Channel<Msg>, reply: ChannelOpenHandle) -> bool {
        if !self.expected.agent.load(Ordering::Acquire) {
            return false;
        }
        let offer = self.offer(channel, reply);
        self.tell(Opening::Agent(offer));
        true
    }

    /// Something that nobody had asked for. Whether it is to be told of.
    pub(super) fn unasked(&mut self, what: &'static str) -> bool {
        self.told += 1;
        if self.told <= MOST_TOLD {
            self.tell(Opening::Unasked(what));
        }
        self.told <= MOST_TOLD
    }

    fn offer(&mut self, channel: Channel<Msg>, reply: ChannelOpenHandle) -> Offer {
        // Refused ones leave their queue behind: the library does not call back for them.
        self.queues.retain(|_, queue| !queue.is_abandoned());
        let (sender, incoming) = queue(self.pressure.clone());
        self.queues.insert(channel.id(), sender);
        // The reading half would hold up the whole connection: bytes come by the handler's callbacks.
        let (_, channel) = channel.split();
        Offer { reply, channel, incoming }
    }

    /// What finds no room is dropped, and refused by that.
    fn tell(&self, opening: Opening) {
        let _ = self.openings.try_send(opening);
    }
}
