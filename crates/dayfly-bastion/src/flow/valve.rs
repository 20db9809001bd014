//! A transport that is not read while too much of what it brought is still queued.

use super::Pressure;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Wraps a transport. Writing is never held up.
#[derive(Debug)]
pub struct Valve<T> {
    transport: T,
    pressure: Arc<Pressure>,
}

impl<T> Valve<T> {
    /// A valve in front of `transport` that obeys `pressure`.
    pub fn new(transport: T, pressure: Arc<Pressure>) -> Self {
        Self { transport, pressure }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Valve<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.pressure.poll_open(context));
        Pin::new(&mut self.transport).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Valve<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
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
    use crate::flow::pressure::HIGH;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn row_14_a_shut_valve_rests_and_wakes() {
        let (near, mut far) = tokio::io::duplex(64);
        let pressure = Arc::new(Pressure::default());
        pressure.add(HIGH + 1);
        let mut valve = Valve::new(near, pressure.clone());
        far.write_all(b"x").await.unwrap();
        let mut byte = [0];
        let mut reading = Box::pin(valve.read_exact(&mut byte));
        let shut = std::future::poll_fn(|context| Poll::Ready(Future::poll(reading.as_mut(), context).is_pending())).await;
        assert!(shut);
        pressure.relieve(HIGH);
        reading.await.unwrap();
        assert_eq!(&byte, b"x");
    }
}
