//! From the target to the client: recorded first, then sent. What the target says between its bytes becomes events, in its place.

use super::{Control, STDERR};
use crate::{
    flow::{Gone, Lane, Piece, QueueReceiver},
    live::LiveSession,
    recorder::{Recording, RecordingFailure},
    session::Event,
    upstream::TargetMark,
};
use bytes::Bytes;
use dayfly_recording::Stream;
use russh::{ChannelWriteHalf, server};
use std::sync::Arc;
use tokio::sync::oneshot;

pub(super) struct Download {
    pub(super) control: Arc<Control>,
    pub(super) recording: Arc<Recording>,
    pub(super) client: Arc<ChannelWriteHalf<server::Msg>>,
    pub(super) incoming: QueueReceiver<TargetMark>,
    pub(super) gone: Gone,
    pub(super) live: Arc<LiveSession>,
    /// Whether whoever watches may see what comes.
    pub(super) is_terminal: bool,
    /// The first answer that comes is about a terminal, if one was asked for. Told when it is given.
    pub(super) terminal_asked: Option<oneshot::Sender<()>>,
}

impl Download {
    /// Runs until the target is gone.
    pub(super) async fn run(mut self) {
        while let Some(piece) = self.incoming.take().await {
            let event = match piece {
                Piece::Bytes(lane, bytes) => match self.pass_on(lane, bytes).await {
                    Ok(()) => continue,
                    Err(event) => event,
                },
                Piece::Mark(mark) => match self.meaning(mark) {
                    Some(event) => event,
                    None => continue,
                },
            };
            self.control.event(event);
        }
        self.control.event(Event::TargetGone);
    }

    async fn pass_on(&self, lane: Lane, bytes: Bytes) -> Result<(), Event> {
        let (stream, count) = match lane {
            Lane::Main => (Stream::Stdout, bytes.len()),
            Lane::Stderr => (Stream::Stderr, bytes.len()),
        };
        self.recording.bytes(stream, bytes.clone()).await.map_err(RecordingFailure::event)?;
        self.live.counts.add_down(count);
        if self.is_terminal {
            self.live.show(&bytes);
        }
        let send = async {
            match lane {
                Lane::Main => self.client.data_bytes(bytes).await,
                Lane::Stderr => self.client.extended_data_bytes(STDERR, bytes).await,
            }
        };
        // A client that has left takes nothing, and must not keep the target from coming to its end.
        match self.gone.or_gone(send).await {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(Event::ClientLeft),
        }
    }

    fn meaning(&mut self, mark: TargetMark) -> Option<Event> {
        Some(match mark {
            TargetMark::Answer(granted) => match (granted, self.terminal_asked.take()) {
                (true, about_terminal) => {
                    about_terminal.map(|given| given.send(()));
                    return None;
                }
                (false, Some(_)) => Event::TerminalDeclined,
                (false, None) => Event::StartDeclined,
            },
            TargetMark::Eof => Event::TargetEof,
            TargetMark::Exit(exit) => Event::TargetExited(exit),
            TargetMark::Close => Event::TargetClosed,
            TargetMark::Opened(what) => Event::TargetOpened(what),
        })
    }
}
