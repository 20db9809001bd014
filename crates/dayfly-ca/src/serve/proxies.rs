//! Whose address counts where something stands in between: balancers that pass TLS on, and proxies that end it. Nobody else is asked on whose behalf they come.

use crate::config::Proxies;
use dayfly_core::{
    address::Network,
    proxy_header::{self, FIXED_BYTES, ProxyHeaderError},
};
use hyper::HeaderMap;
use std::{io, net::IpAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// How long a balancer may take to send its header.
const PATIENCE: Duration = Duration::from_secs(5);

/// A balancer's connection that is nobody's.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoClient {
    #[error("it ended within the header: {0}")]
    Ended(#[from] io::Error),
    #[error("the header did not come within {} s", PATIENCE.as_secs())]
    TooSlow,
    #[error(transparent)]
    Header(#[from] ProxyHeaderError),
}

impl Proxies {
    /// Whether a connection from here begins with a header.
    pub(super) fn begins_with_header(&self, peer: IpAddr) -> bool {
        holds(&self.proxy_protocol_from, peer)
    }

    /// Whether many share the connections from here.
    pub(super) fn is_shared(&self, peer: IpAddr) -> bool {
        self.begins_with_header(peer) || holds(&self.forwarded_for_from, peer)
    }

    /// On whose behalf a request comes over a connection of `peer`: the last address that a trusted proxy has seen and that is none itself. `None`
    /// if a trusted proxy names nobody: its own address would be taken for the client's.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer;
        // Each proxy writes behind what it got, so that the end is what can be believed.
        for said in headers.get_all(FORWARDED_FOR).into_iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b',')) {
            if !holds(&self.forwarded_for_from, client) {
                break;
            }
            client = address(std::str::from_utf8(said).ok()?.trim())?;
        }
        (!holds(&self.forwarded_for_from, client)).then(|| client.to_canonical())
    }
}

/// An address as proxies write it, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<std::net::SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

fn holds(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// Reads the header that a connection begins with, and not a byte more. Returns the client's address.
pub(super) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> Result<IpAddr, NoClient> {
    read_header_within(PATIENCE, stream).await
}

async fn read_header_within(patience: Duration, stream: &mut (impl AsyncRead + Unpin)) -> Result<IpAddr, NoClient> {
    let header = timeout(patience, async {
        let mut fixed = [0; FIXED_BYTES];
        stream.read_exact(&mut fixed).await?;
        let mut header = fixed.to_vec();
        header.resize(FIXED_BYTES.saturating_add(proxy_header::bytes_to_follow(&fixed)?), 0);
        stream.read_exact(header.get_mut(FIXED_BYTES..).unwrap_or_default()).await?;
        Ok::<_, NoClient>(header)
    });
    let header = header.await.map_err(|_| NoClient::TooSlow)??;
    Ok(proxy_header::client(&header)?.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hyper::header::HeaderValue;

    fn proxies(protocol: &[&str], forwarded: &[&str]) -> Proxies {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Proxies { proxy_protocol_from: networks(protocol), forwarded_for_from: networks(forwarded) }
    }

    fn client(proxies: &Proxies, peer: &str, said: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for said in said {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(said).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).map(|address| address.to_string())
    }

    #[test]
    fn row_22_only_named_proxies_say_on_whose_behalf_they_come() {
        let trusting = proxies(&[], &["10.0.0.0/24", "2001:db8::/64"]);
        let told = |peer: &str, said: &[&str]| client(&trusting, peer, said).unwrap_or_else(|| "refused".to_owned());
        assert_eq!(told("198.51.100.7", &["192.0.2.1"]), "198.51.100.7", "a stranger says what it likes");
        for nobody in [&[][..], &["10.0.0.2"]] {
            assert_eq!(told("10.0.0.1", nobody), "refused", "a proxy's own address is nobody's");
        }
        assert_eq!(told("10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(told("::ffff:10.0.0.1", &["::ffff:192.0.2.1"]), "192.0.2.1");
        // What the client itself wrote stands in front, and is not reached.
        assert_eq!(told("10.0.0.1", &["203.0.113.9, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(told("10.0.0.1", &["203.0.113.9", "192.0.2.1, 10.0.0.2"]), "192.0.2.1", "through two of them, in two headers");
        assert_eq!(told("2001:db8::1", &["[2001:db8:9::1]:443"]), "2001:db8:9::1");
        assert_eq!(told("10.0.0.1", &["192.0.2.1:999"]), "192.0.2.1");
        for garbage in ["unknown", "", "192.0.2.1,", "_hidden", "192.0.2.1 192.0.2.2"] {
            assert_eq!(told("10.0.0.1", &[garbage]), "refused", "{garbage:?}");
        }
        assert_eq!(told("10.0.0.1", &["unknown, 192.0.2.1"]), "192.0.2.1", "what the client wrote spoils nothing");
        assert_eq!(client(&proxies(&["10.0.0.0/24"], &[]), "10.0.0.1", &["192.0.2.1"]).unwrap(), "10.0.0.1", "one does not make the other");
    }

    #[tokio::test]
    async fn row_22_a_balancers_header_is_read_and_not_a_byte_more() {
        let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x12\x34\0\x16";
        let stream = [header.as_slice(), b"\x16\x03\x01"].concat();
        let mut rest = stream.as_slice();
        assert_eq!(read_header(&mut rest).await.unwrap().to_string(), "192.0.2.7");
        assert_eq!(rest, b"\x16\x03\x01");
        assert!(matches!(read_header(&mut &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03aaaaaaaa"[..]).await, Err(NoClient::Header(_))));
        assert!(matches!(read_header(&mut &header[..20]).await, Err(NoClient::Ended(_))));
        let (mut near, _far) = tokio::io::duplex(16);
        assert!(matches!(read_header_within(Duration::from_millis(1), &mut near).await, Err(NoClient::TooSlow)));
    }
}
