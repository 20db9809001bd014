//! The open channels of a client's connection.

use crate::{
    flow::{Pressure, QueueReceiver, QueueSender, queue},
    recorded::{Control, Flooded, Opened, Unasked},
    session::Event,
};
use dayfly_core::reason::{Reason, Refusal};
use russh::{ChannelId, ChannelOpenFailure, server::ChannelOpenHandle};
use std::{collections::HashMap, sync::Arc};

/// How many channels one connection may have open.
const MOST_CHANNELS: usize = 32;

/// How many words wait for the next session.
const MOST_UNTOLD: usize = 8;

/// SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254 section 5.1).
const PROHIBITED: u32 = 1;

/// Something that a client said between its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientMark {
    /// It sends no more.
    Eof,
}

/// Refuses a channel in words that the client shows.
pub(crate) async fn refuse(reply: ChannelOpenHandle, refusal: &Refusal) {
    let words = crate::session::told(refusal);
    let reason = words.lines().collect::<Vec<_>>().join("; ");
    reply.reject(ChannelOpenFailure::Other { code: PROHIBITED, reason }).await;
}

/// By number: where a channel's bytes go, and which session its requests concern.
pub(super) struct Channels {
    open: HashMap<ChannelId, Open>,
    pressure: Arc<Pressure>,
    /// Those that this side has opened, for whoever asked for them.
    opened: Opened,
    /// What was refused before there was a session to tell it.
    untold: Vec<Event>,
}

struct Open {
    queue: QueueSender<ClientMark>,
    session: Option<Arc<Control>>,
    /// The client opened it by itself.
    is_clients: bool,
    /// Its session has a place for words.
    hears: bool,
}

impl Channels {
    pub(super) fn new(pressure: Arc<Pressure>) -> Self {
        Self { open: HashMap::new(), pressure, opened: Opened::default(), untold: Vec::new() }
    }

    /// Whether one more channel may be opened. Forgets those that this side has closed: the library does not call back for them.
    pub(super) fn make_room(&mut self) -> Result<(), Refusal> {
        self.forget_closed();
        if self.open.values().filter(|channel| channel.is_clients).count() < MOST_CHANNELS {
            return Ok(());
        }
        Err(Refusal::new(
            Reason::LimitReached,
            format!("this connection has {MOST_CHANNELS} channels open already"),
            "close some, or open another connection",
        ))
    }

    /// Takes a channel in, and returns the far end of its queue.
    pub(super) fn open(&mut self, id: ChannelId) -> QueueReceiver<ClientMark> {
        self.take_in(id, true)
    }

    fn take_in(&mut self, id: ChannelId, is_clients: bool) -> QueueReceiver<ClientMark> {
        let (queue, receiver) = queue(self.pressure.clone());
        self.open.insert(id, Open { queue, session: None, is_clients, hears: false });
        receiver
    }

    fn forget_closed(&mut self) {
        self.open.retain(|_, channel| !channel.queue.is_abandoned());
    }

    pub(super) fn set_session(&mut self, id: ChannelId, session: Arc<Control>) -> Result<(), Flooded> {
        for event in self.untold.drain(..) {
            session.on(event)?;
        }
        if let Some(channel) = self.open.get_mut(&id) {
            channel.session = Some(session);
            channel.hears = true;
        }
        Ok(())
    }

    /// A connection that is forwarded: nobody to tell anything.
    pub(super) fn set_forward(&mut self, id: ChannelId, session: Arc<Control>) {
        if let Some(channel) = self.open.get_mut(&id) {
            channel.session = Some(session);
        }
    }

    /// Tells every session, or the next one, of something that was refused to the connection.
    pub(super) fn tell(&mut self, what: &'static str, refusal: &Refusal) -> Result<(), Flooded> {
        let event = Event::RefusedBeside(what, refusal.clone());
        let sessions: Vec<_> = self
            .open
            .values()
            .filter(|channel| channel.hears && !channel.queue.is_abandoned())
            .filter_map(|channel| channel.session.clone())
            .collect();
        if sessions.is_empty() && self.untold.len() < MOST_UNTOLD {
            self.untold.push(event.clone());
        }
        sessions.iter().try_for_each(|session| session.on(event.clone()).map(drop))
    }

    /// The client has opened a channel for this side. One that is open already it cannot mean: to take its word would be to lose count of what it has.
    pub(super) fn opened_here(&mut self, id: ChannelId) -> Result<(), Unasked> {
        if self.open.contains_key(&id) {
            return Err(Unasked);
        }
        self.forget_closed();
        let queue = self.take_in(id, false);
        self.opened.put(id, queue).inspect_err(|_| self.close(id))
    }

    /// Where those who have channels opened find them.
    pub(super) fn opened(&self) -> Opened {
        self.opened.clone()
    }

    pub(super) fn queue(&self, id: ChannelId) -> Option<&QueueSender<ClientMark>> {
        self.open.get(&id).map(|channel| &channel.queue)
    }

    /// The answer that the session gives to a request. Requests on channels without a session get a no.
    pub(super) fn session_event(&self, id: ChannelId, event: Event) -> Result<Option<bool>, Flooded> {
        match self.open.get(&id).and_then(|channel| channel.session.as_ref()) {
            Some(session) => session.on(event),
            None => Ok(event.wants_answer().then_some(false)),
        }
    }

    pub(super) fn close(&mut self, id: ChannelId) {
        self.open.remove(&id);
    }
}
