//! The transports under SSH connections: they can be cut from outside, and a client's counts the server's answers.
//!
//! Counting is how [`crate::handler`] learns of logins that the SSH library turns down by itself (an expired certificate, for one): it answers them without
//! calling back, and an answer without a call is one of those.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// How many answers went out on a transport. One answer is what is written between two flushes.
#[derive(Debug, Clone, Default)]
pub struct Answers(Arc<AtomicU32>);

impl Answers {
    /// So many so far.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

/// Dropping it cuts the transport.
#[derive(Debug)]
pub struct Cut(#[allow(dead_code, reason = "its end is the signal")] oneshot::Sender<()>);

/// A transport that can be cut, whatever the task that uses it is doing.
#[derive(Debug)]
pub struct Cuttable<T> {
    transport: T,
    cut: oneshot::Receiver<()>,
    is_cut: bool,
}

/// A client's transport, whose answers are counted.
#[derive(Debug)]
pub struct ClientTransport<T> {
    transport: Cuttable<T>,
    answers: Answers,
    unflushed: bool,
}

impl<T> ClientTransport<T> {
    /// Wraps `transport`.
    pub fn new(transport: T) -> (Self, Answers, Cut) {
        let answers = Answers::default();
        let (transport, cut) = Cuttable::new(transport);
        (Self { transport, answers: answers.clone(), unflushed: false }, answers, cut)
    }
}

impl<T> Cuttable<T> {
    /// Wraps `transport`.
    pub fn new(transport: T) -> (Self, Cut) {
        let (sender, cut) = oneshot::channel();
        (Self { transport, cut, is_cut: false }, Cut(sender))
    }

    fn check_cut(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.is_cut || Pin::new(&mut self.cut).poll(context).is_ready() {
            self.is_cut = true;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Cuttable<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_cut(context)?;
        Pin::new(&mut self.transport).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Cuttable<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_cut(context)?;
        Pin::new(&mut self.transport).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_cut(context)?;
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_cut(context)?;
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ClientTransport<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ClientTransport<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.unflushed = true;
        Pin::new(&mut self.transport).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.unflushed) {
            self.answers.0.fetch_add(1, Ordering::Release);
        }
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn row_10_a_cut_ends_whoever_waits() {
        let (near, _far) = tokio::io::duplex(64);
        let (mut transport, _, cut) = ClientTransport::new(near);
        let reading = tokio::spawn(async move { transport.read_u8().await.unwrap_err().kind() });
        drop(cut);
        assert_eq!(reading.await.unwrap(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn row_10_a_cut_ends_whoever_writes_to_somebody_who_does_not_read() {
        let (near, _far) = tokio::io::duplex(1);
        let (mut transport, cut) = Cuttable::new(near);
        let writing = tokio::spawn(async move { transport.write_all(b"more than fits").await.unwrap_err().kind() });
        drop(cut);
        assert_eq!(writing.await.unwrap(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn answers_are_what_is_written_between_flushes() {
        let (near, _far) = tokio::io::duplex(64);
        let (mut transport, answers, _cut) = ClientTransport::new(near);
        transport.flush().await.unwrap();
        assert_eq!(answers.count(), 0);
        transport.write_all(b"one").await.unwrap();
        transport.write_all(b" answer").await.unwrap();
        transport.flush().await.unwrap();
        transport.flush().await.unwrap();
        assert_eq!(answers.count(), 1);
    }
}
