//! A channel as a byte stream, for the SSH connection inside a ProxyJump's channel.

use super::{Piece, QueueReceiver};
use bytes::{Buf, Bytes};
use russh::{ChannelWriteHalf, server::Msg};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads what was queued for the channel, and writes within the peer's window.
pub struct ChannelStream<M> {
    queue: QueueReceiver<M>,
    rest: Bytes,
    ended: bool,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<M> ChannelStream<M> {
    /// The stream of a channel. Any mark in its queue ends it.
    pub fn new(queue: QueueReceiver<M>, writer: &ChannelWriteHalf<Msg>) -> Self {
        let gone = Box::pin(queue.gone().wait());
        Self { queue, rest: Bytes::new(), ended: false, writer: Box::pin(writer.make_writer()), gone }
    }

    /// A writer that waits for window learns of nothing when its connection ends, so this must.
    fn or_gone<T>(&mut self, poll: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            return poll;
        }
        ready!(self.gone.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
}

impl<M: Unpin> AsyncRead for ChannelStream<M> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() && !self.ended {
            match ready!(self.queue.poll_take(context)) {
                Some(Piece::Bytes(_, bytes)) => self.rest = bytes,
                Some(Piece::Mark(_)) | None => self.ended = true,
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(self.rest.get(..count).unwrap_or_default());
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<M: Unpin> AsyncWrite for ChannelStream<M> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.writer.as_mut().poll_write(context, bytes);
        self.or_gone(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.writer.as_mut().poll_flush(context);
        self.or_gone(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = self.writer.as_mut().poll_shutdown(context);
        self.or_gone(closed, context)
    }
}
