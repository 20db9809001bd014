//! What the target of a session opens: channels to the client's agent, where that is forwarded, and nothing else. The bastion never speaks to an agent: it
//! carries bytes, and counts them.

use super::{Client, ClientSide};
use crate::{
    flow::{Piece, QueueReceiver},
    handler::ClientMark,
    live::{AgentMeter, LiveSession},
    upstream::{Offer, Opening, TargetMark},
};
use russh::{ChannelWriteHalf, client};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::Instrument;

/// How many connections to the agent one session has at a time.
const MOST_CONNECTIONS: usize = 8;

pub(super) struct Openings {
    pub(super) live: Arc<LiveSession>,
    pub(super) client: ClientSide,
    pub(super) openings: mpsc::Receiver<Opening>,
}

impl Openings {
    /// Runs until the target is gone.
    pub(super) async fn run(mut self) {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        while let Some(opening) = self.openings.recv().await {
            match opening {
                Opening::Agent(offer) => {
                    // Whoever wants more has them refused.
                    let Ok(place) = places.clone().try_acquire_owned() else { continue };
                    // Not ended with the session's task: it ends with the target's connection, and closes the client's channel then.
                    tokio::spawn(carry(self.client.clone(), offer, self.live.clone(), place).in_current_span());
                }
                // The first is told on the session's channel, in its place; the second nobody had asked this target for. Both are refused.
                Opening::Unasked(_) | Opening::Connection { .. } => {}
            }
        }
    }
}

async fn carry(client: ClientSide, offer: Offer, live: Arc<LiveSession>, _place: OwnedSemaphorePermit) {
    if !live.agent.connect() {
        return;
    }
    // Nobody lends an agent that is refused here.
    let Some(mut client) = client.open_agent().await else { return };
    let Some(answers) = client.take_queue() else { return };
    let (target, asked) = offer.accept().await;
    tokio::select! {
        () = ask(&client, asked, &live.agent) => {}
        () = answer(answers, &target, &live.agent) => {}
    }
    client.close().await;
    let _ = client.gone().or_gone(target.close()).await;
}

/// From the target to the agent, until one of the two ends.
async fn ask(client: &Client, mut asked: QueueReceiver<TargetMark>, meter: &AgentMeter) {
    let channel = client.channel();
    while let Some(piece) = asked.take().await {
        let sent = match piece {
            Piece::Bytes(_, bytes) if meter.ask(bytes.len()) => client.gone().or_gone(channel.data_bytes(bytes)).await,
            Piece::Mark(TargetMark::Eof) => client.gone().or_gone(channel.eof()).await,
            Piece::Mark(TargetMark::Answer(_) | TargetMark::Exit(_) | TargetMark::Opened(_)) => continue,
            Piece::Bytes(..) | Piece::Mark(TargetMark::Close) => return,
        };
        if !matches!(sent, Some(Ok(()))) {
            return;
        }
    }
}

/// From the agent to the target, until one of the two ends.
async fn answer(mut answers: QueueReceiver<ClientMark>, target: &ChannelWriteHalf<client::Msg>, meter: &AgentMeter) {
    while let Some(piece) = answers.take().await {
        let sent = match piece {
            Piece::Bytes(_, bytes) if meter.answer(bytes.len()) => target.data_bytes(bytes).await,
            Piece::Mark(ClientMark::Eof) => target.eof().await,
            Piece::Bytes(..) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}
