//! The PROXY protocol, version 2, binary: how a proxy says on whose behalf a connection comes (haproxy.org, `proxy-protocol.txt`).

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

/// What every header begins with: twelve bytes that are no SSH, version and command, family, length.
const FIXED: usize = 16;

/// The longest header, in bytes. Addresses take 36; the rest is for what proxies add, none of which is used here.
const LONGEST: usize = 4096;

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
    /// It is no header of version 2, or one too long.
    #[error("it does not begin with a PROXY protocol header of version 2")]
    NotAHeader,
    /// It names no client: the proxy's own check, or a family other than IP.
    #[error("the header names no client's TCP address")]
    Nameless,
}

/// Reads the header, and not a byte more. Returns the client's address.
pub(super) async fn client(transport: &mut (impl AsyncRead + Unpin)) -> Result<SocketAddr, NoClient> {
    client_within(PATIENCE, transport).await
}

async fn client_within(patience: Duration, transport: &mut (impl AsyncRead + Unpin)) -> Result<SocketAddr, NoClient> {
    match timeout(patience, read(transport)).await {
        Ok(header) => parse(&header?),
        Err(_) => Err(NoClient::TooSlow),
    }
}

async fn read(transport: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, NoClient> {
    let mut fixed = [0; FIXED];
    transport.read_exact(&mut fixed).await?;
    let [.., high, low] = fixed;
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    // Whatever is no header has some length there too, and is not waited for.
    if length > LONGEST || !fixed.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
        return Err(NoClient::NotAHeader);
    }
    let mut header = fixed.to_vec();
    header.resize(length, 0);
    transport.read_exact(header.get_mut(FIXED..).unwrap_or_default()).await?;
    Ok(header)
}

fn parse(header: &[u8]) -> Result<SocketAddr, NoClient> {
    let config = ParseConfig { include_tlvs: false, allow_v1: false, allow_v2: true };
    let (parsed, length) = ProxyHeader::parse(header, config).map_err(|_| NoClient::NotAHeader)?;
    if length != header.len() {
        return Err(NoClient::NotAHeader);
    }
    match parsed.proxied_address() {
        Some(address) if address.protocol == Protocol::Stream => Ok(address.source),
        Some(_) | None => Err(NoClient::Nameless),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Version and command, family and protocol, then what follows.
    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    const IPV4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 22];

    async fn read_all(bytes: &[u8]) -> (Result<SocketAddr, NoClient>, usize) {
        let mut rest = bytes;
        let client = client(&mut rest).await;
        (client, rest.len())
    }

    #[tokio::test]
    async fn row_10_the_client_is_read_and_nothing_of_what_follows() {
        let ipv6: Vec<u8> =
            [[0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7]; 2].concat().into_iter().chain([0, 99, 0, 22]).collect();
        let with_more: Vec<u8> = IPV4.into_iter().chain([0xee, 0, 2, 1, 2]).collect();
        for (bytes, client) in [
            (header(0x21, 0x11, &IPV4), "192.0.2.7:4660"),
            (header(0x21, 0x11, &with_more), "192.0.2.7:4660"),
            (header(0x21, 0x21, &ipv6), "[2001:db8:1:2::7]:99"),
        ] {
            let (found, left) = read_all(&[&bytes[..], b"SSH-2.0-x\r\n"].concat()).await;
            assert_eq!((found.unwrap(), left), (client.parse().unwrap(), 11));
        }
    }

    #[tokio::test]
    async fn row_10_what_names_no_client_is_refused() {
        for nameless in [
            header(0x20, 0x00, b""),
            header(0x20, 0x11, &IPV4),
            header(0x21, 0x00, b""),
            header(0x21, 0x12, &IPV4),
            header(0x21, 0x31, &[0; 216]),
        ] {
            assert!(matches!(read_all(&nameless).await.0, Err(NoClient::Nameless)), "{nameless:?}");
        }
        let long = header(0x21, 0x11, &[&IPV4[..], &[0; LONGEST]].concat());
        for wrong in [
            &b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..],
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 22\r\n",
            &long,
            &header(0x31, 0x11, &IPV4),
            &header(0x21, 0x11, &IPV4[..11]),
        ] {
            assert!(matches!(read_all(wrong).await.0, Err(NoClient::NotAHeader)), "{wrong:?}");
        }
        assert!(matches!(read_all(&header(0x21, 0x11, &IPV4)[..20]).await.0, Err(NoClient::Ended(_))));
    }

    #[tokio::test]
    async fn row_10_a_header_that_does_not_come_is_not_waited_for() {
        let (mut near, _far) = tokio::io::duplex(16);
        assert!(matches!(client_within(Duration::from_millis(1), &mut near).await, Err(NoClient::TooSlow)));
    }

    proptest! {
        #[test]
        fn row_10_whatever_a_proxy_sends_it_ends_and_takes_no_more_than_the_longest(command: u8, family: u8, rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let parsed = parse(&header(command, family, &rest));
            prop_assert!(parsed.is_err() || command == 0x21 && matches!(family, 0x11 | 0x21));
            let _ = parse(&rest);
        }
    }
}
