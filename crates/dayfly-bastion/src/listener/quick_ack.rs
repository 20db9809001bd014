//! Acknowledges the first packets of a connection at once. A client's handshake is many small packets, each of which its system holds back until the one
//! before was acknowledged (RFC 896); delayed acknowledgements would cost 40 ms each.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How many reads a login takes, and then some.
const READS: u32 = 48;

/// A socket that acknowledges its first packets at once.
#[derive(Debug)]
pub(super) struct QuickAck {
    socket: TcpStream,
    reads_left: u32,
}

impl QuickAck {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, reads_left: READS }
    }
}

impl AsyncRead for QuickAck {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if self.reads_left > 0 {
            self.reads_left -= 1;
            // The kernel falls back by itself after a few packets, so it is told again and again. If it refuses, logins are slower and nothing else.
            let _ = rustix::net::sockopt::set_tcp_quickack(&self.socket, true);
        }
        read
    }
}

impl AsyncWrite for QuickAck {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
