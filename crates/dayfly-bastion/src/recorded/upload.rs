//! From the client to the target: recorded first, then sent.

use super::Control;
use crate::{
    flow::{Piece, Pressure, QueueReceiver},
    handler::ClientMark,
    live::LiveSession,
    recorder::Recording,
    session::Event,
};
use dayfly_recording::Stream;
use russh::{ChannelWriteHalf, client};
use std::sync::Arc;
use tokio::sync::oneshot;

pub(super) struct Upload {
    pub(super) control: Arc<Control>,
    pub(super) recording: Arc<Recording>,
    pub(super) target: Arc<ChannelWriteHalf<client::Msg>>,
    pub(super) queue: QueueReceiver<ClientMark>,
    pub(super) live: Arc<LiveSession>,
    pub(super) download_pressure: Arc<Pressure>,
    /// Told when the target has given the terminal that was asked for, if one was.
    pub(super) terminal: Option<oneshot::Receiver<()>>,
}

impl Upload {
    /// Runs until the client is gone and everything it had sent is delivered. After its end of input too: the queue is what tells that it has left.
    pub(super) async fn run(mut self) {
        // What is typed into a terminal is shown by it. If there is none, nobody would know what was typed: it must not arrive.
        if let Some(given) = self.terminal.take()
            && given.await.is_err()
        {
            return;
        }
        while let Some(piece) = self.queue.take().await {
            match piece {
                Piece::Mark(ClientMark::Eof) => self.control.event(Event::ClientEof),
                Piece::Bytes(_, bytes) => {
                    if let Err(failure) = self.recording.bytes(Stream::Stdin, bytes.clone()).await {
                        return self.control.event(failure.event());
                    }
                    self.live.counts.add_up(bytes.len());
                    // The window adjustment that this may wait for can stand behind output that nobody takes.
                    let is_short = self.target.writable_packet_size().await < bytes.len();
                    let starving = is_short.then(|| self.download_pressure.starve());
                    let sent = self.target.data_bytes(bytes).await;
                    drop(starving);
                    if sent.is_err() {
                        return self.control.event(Event::TargetGone);
                    }
                }
            }
        }
        self.control.event(Event::ClientDrained);
    }
}
