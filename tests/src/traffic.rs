//! Connections of other programs, as they are forwarded: something to connect to, and bytes in bulk.

use crate::command::eventually;
use anyhow::{Result, ensure};
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Child,
    thread,
};

/// More than any window or queue on the way, in bytes.
pub const BULK: usize = 20_000_000;

/// What comes in goes back, until the other side ends. Listens wherever this host finds `localhost`.
pub fn echo_service() -> Result<SocketAddr> {
    let listener = TcpListener::bind("localhost:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            thread::spawn(move || std::io::copy(&mut &connection, &mut &connection).and_then(|_| connection.shutdown(Shutdown::Write)));
        }
    });
    Ok(address)
}

/// Sends in bulk and reads it back at the same time.
pub fn echoes(connection: TcpStream) -> Result<()> {
    let sent: Vec<u8> = (0..BULK / 4).map(|n| n as u32).flat_map(u32::to_le_bytes).collect();
    let mut received = Vec::with_capacity(BULK);
    thread::scope(|scope| {
        let sender = scope.spawn(|| (&connection).write_all(&sent).and_then(|()| connection.shutdown(Shutdown::Write)));
        (&connection).read_to_end(&mut received)?;
        sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
        anyhow::Ok(())
    })?;
    ensure!(received == sent, "{} of {} bytes came back", received.len(), sent.len());
    Ok(())
}

/// A port of loopback that nobody has.
pub fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A connection, once somebody listens there.
pub fn connected(address: SocketAddr) -> Result<TcpStream> {
    eventually("nobody listens", || Ok(TcpStream::connect(address).ok()))
}

/// Returns once nobody listens there any more.
pub fn closed(address: SocketAddr) -> Result<()> {
    eventually("somebody still listens", || Ok(TcpStream::connect(address).is_err().then_some(())))
}

/// A program that runs in the background, ended when it is dropped.
#[derive(Debug)]
pub struct Background(pub Child);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
