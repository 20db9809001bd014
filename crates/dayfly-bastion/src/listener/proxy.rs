//! A balancer's connection: it begins with a header that names the client ([`dayfly_core::proxy_header`]).

use dayfly_core::proxy_header::{self, FIXED_BYTES, ProxyHeaderError};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

/// How long a proxy may take to send it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a proxy's connection is not taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoClient {
    /// It ended, or broke, before the header was there.
    #[error("it ended within the header: {0}")]
    Ended(#[from] io::Error),
    /// It took too long.
    #[error("the header did not come within {} s", PATIENCE.as_secs())]
    TooSlow,
    /// It is no header, or names nobody.
    #[error(transparent)]
    Header(#[from] ProxyHeaderError),
}

/// Reads the header, and not a byte more. Returns the client's address.
pub(super) async fn client(transport: &mut (impl AsyncRead + Unpin)) -> Result<SocketAddr, NoClient> {
    client_within(PATIENCE, transport).await
}

async fn client_within(patience: Duration, transport: &mut (impl AsyncRead + Unpin)) -> Result<SocketAddr, NoClient> {
    match timeout(patience, read(transport)).await {
        Ok(header) => Ok(proxy_header::client(&header?)?),
        Err(_) => Err(NoClient::TooSlow),
    }
}

async fn read(transport: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, NoClient> {
    let mut fixed = [0; FIXED_BYTES];
    transport.read_exact(&mut fixed).await?;
    let mut header = fixed.to_vec();
    header.resize(FIXED_BYTES.saturating_add(proxy_header::bytes_to_follow(&fixed)?), 0);
    transport.read_exact(header.get_mut(FIXED_BYTES..).unwrap_or_default()).await?;
    Ok(header)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// On behalf of 192.0.2.7, port 4660.
    const HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x12\x34\0\x16";

    #[tokio::test]
    async fn row_10_the_client_is_read_and_nothing_of_what_follows() {
        let stream = [HEADER, b"SSH-2.0-x\r\n"].concat();
        let mut rest = stream.as_slice();
        assert_eq!(client(&mut rest).await.unwrap(), "192.0.2.7:4660".parse().unwrap());
        assert_eq!(rest, b"SSH-2.0-x\r\n");
        assert!(matches!(client(&mut &b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..]).await, Err(NoClient::Header(_))));
        assert!(matches!(client(&mut &HEADER[..20]).await, Err(NoClient::Ended(_))));
    }

    #[tokio::test]
    async fn row_10_a_header_that_does_not_come_is_not_waited_for() {
        let (mut near, _far) = tokio::io::duplex(16);
        assert!(matches!(client_within(Duration::from_millis(1), &mut near).await, Err(NoClient::TooSlow)));
    }
}
