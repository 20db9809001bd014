//! The PROXY protocol, version 2, binary: how a proxy says on whose behalf a connection comes (haproxy.org, `proxy-protocol.txt`). Bytes in, an address out.

use proxy_header::{ParseConfig, Protocol, ProxyHeader as Parsed};
use std::net::SocketAddr;

/// What every header begins with: twelve bytes that begin neither SSH nor TLS, version and command, family, length.
pub const FIXED_BYTES: usize = 16;

/// The longest header that is read, in bytes. Addresses take 36; the rest is for what proxies add, none of which is used.
pub const LONGEST: usize = 4096;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Why a proxy's connection is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyHeaderError {
    /// It is no header of version 2, or one too long.
    #[error("it does not begin with a PROXY protocol header of version 2")]
    NotAHeader,
    /// It names no client: the proxy's own check, or a family other than IP.
    #[error("the header names no client's TCP address")]
    Nameless,
}

/// How many bytes follow the fixed ones. What is no header has some number there too, and is not waited for.
pub fn bytes_to_follow(fixed: &[u8; FIXED_BYTES]) -> Result<usize, ProxyHeaderError> {
    let [.., high, low] = *fixed;
    let rest = usize::from(u16::from_be_bytes([high, low]));
    if fixed.starts_with(SIGNATURE) && FIXED_BYTES.saturating_add(rest) <= LONGEST { Ok(rest) } else { Err(ProxyHeaderError::NotAHeader) }
}

/// The client that a whole header names.
pub fn client(header: &[u8]) -> Result<SocketAddr, ProxyHeaderError> {
    let config = ParseConfig { include_tlvs: false, allow_v1: false, allow_v2: true };
    let (parsed, length) = Parsed::parse(header, config).map_err(|_| ProxyHeaderError::NotAHeader)?;
    if length != header.len() {
        return Err(ProxyHeaderError::NotAHeader);
    }
    match parsed.proxied_address() {
        Some(address) if address.protocol == Protocol::Stream => Ok(address.source),
        Some(_) | None => Err(ProxyHeaderError::Nameless),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Version and command, family and protocol, then what follows.
    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, rest].concat()
    }

    const IPV4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 22];

    #[test]
    fn row_10_a_header_names_a_client_by_tcp_or_nobody() {
        let more: Vec<u8> = IPV4.into_iter().chain([0xee, 0, 2, 1, 2]).collect();
        for rest in [IPV4.as_slice(), &more] {
            assert_eq!(client(&header(0x21, 0x11, rest)).unwrap(), "192.0.2.7:4660".parse().unwrap());
        }
        for nameless in [(0x20, 0x00, &[][..]), (0x20, 0x11, &IPV4), (0x21, 0x00, &[]), (0x21, 0x12, &IPV4), (0x21, 0x31, &[0; 216])] {
            assert_eq!(client(&header(nameless.0, nameless.1, nameless.2)), Err(ProxyHeaderError::Nameless), "{nameless:?}");
        }
        for wrong in [&header(0x31, 0x11, &IPV4)[..], &header(0x21, 0x11, &IPV4[..11]), b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 22\r\n", b""] {
            assert_eq!(client(wrong), Err(ProxyHeaderError::NotAHeader), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_not_waited_for() {
        let fixed = |bytes: &[u8]| <[u8; FIXED_BYTES]>::try_from(&bytes[..FIXED_BYTES]).unwrap();
        assert_eq!(bytes_to_follow(&fixed(&header(0x21, 0x11, &IPV4))), Ok(12));
        assert!(bytes_to_follow(&fixed(&header(0x21, 0x11, &[0; LONGEST]))).is_err());
        assert!(bytes_to_follow(&fixed(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")).is_err());
    }

    proptest! {
        #[test]
        fn row_10_whatever_a_proxy_sends_it_ends(command: u8, family: u8, rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let parsed = client(&header(command, family, &rest));
            prop_assert!(parsed.is_err() || command == 0x21 && matches!(family, 0x11 | 0x21));
            let _ = client(&rest);
        }
    }
}
