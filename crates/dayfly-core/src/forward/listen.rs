//! Port forwarding towards the client: where a target listens for it (RFC 4254 section 7.1, `ssh -R`).

use super::{LONGEST_HOST, is_plain_host, meet_ports, unbracketed};
use crate::target::canonical_host;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};
use uuid::Uuid;

/// What stands for all of a target's addresses, where people write it.
const EVERY_ADDRESS: &str = "*";

/// Where a target is asked to listen. Whether it obeys an address other than loopback is its own `sshd`'s affair (`GatewayPorts`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListenAddress {
    /// Empty: all of the target's addresses.
    host: String,
    /// 0: one that the target chooses.
    port: u16,
}

/// Text that names no address to listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address to listen at: write HOST:PORT, an IPv6 address in brackets")]
pub struct ListenAddressError(String);

impl ListenAddress {
    /// As a client asks for it: the host may be empty, which means all addresses, and the port 0, which leaves the choice to the target.
    pub fn new(host: &str, port: u32) -> Result<Self, ListenAddressError> {
        let wrong = || ListenAddressError(format!("{}:{port}", host.chars().take(LONGEST_HOST).collect::<String>()));
        let host = if host == EVERY_ADDRESS { String::new() } else { canonical_host(host) };
        if !host.is_empty() && !is_plain_host(&host) {
            return Err(wrong());
        }
        Ok(Self { host, port: u16::try_from(port).map_err(|_| wrong())? })
    }

    /// The same with the port that the target chose.
    #[must_use]
    pub fn at_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port }
    }

    /// The address as the protocol has it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_str() {
            "" => write!(f, "{EVERY_ADDRESS}:{}", self.port),
            host if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;
    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        let wrong = || ListenAddressError(text.chars().take(LONGEST_HOST).collect());
        let (host, port) = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).ok_or_else(wrong)?;
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_port).ok_or_else(wrong)?;
        Self::new(unbracketed(host).ok_or_else(wrong)?, port)
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = ListenAddressError;
    fn try_from(text: String) -> Result<Self, ListenAddressError> {
        text.parse()
    }
}

impl From<ListenAddress> for String {
    fn from(address: ListenAddress) -> String {
        address.to_string()
    }
}

/// Addresses that a role lets a target listen at: `localhost:8080`, `127.0.0.1:*`, `*:8080`, `*:*`.
///
/// What is compared is what the person asks for: `localhost`, `127.0.0.1` and `::1` are three. `*` as host covers each, and all of them together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListenPattern {
    host: Option<String>,
    port: Option<u16>,
}

/// Text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern of addresses to listen at: write HOST:PORT, where HOST may be * and PORT may be *")]
pub struct ListenPatternError(String);

impl ListenPattern {
    /// Whether it covers `address`. A port that the target chooses is covered by `*` alone.
    pub fn covers(&self, address: &ListenAddress) -> bool {
        self.host.as_ref().is_none_or(|host| *host == address.host) && self.port.is_none_or(|port| port == address.port)
    }

    /// What both cover, if that is anything.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        let host = match (&self.host, &other.host) {
            (None, host) | (host, None) => host.clone(),
            (one, two) if one == two => one.clone(),
            _ => return None,
        };
        Some(Self { host, port: meet_ports(self.port, other.port)? })
    }
}

impl FromStr for ListenPattern {
    type Err = ListenPatternError;
    fn from_str(text: &str) -> Result<Self, ListenPatternError> {
        let wrong = || ListenPatternError(text.chars().take(LONGEST_HOST).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let any_port = port == "*";
        // A port stands in for any, so that host and port are checked by what checks addresses.
        let number = if any_port { "1" } else { port };
        let address: ListenAddress = format!("{host}:{number}").parse().map_err(|_| wrong())?;
        if address.port == 0 {
            return Err(wrong());
        }
        Ok(Self { host: Some(address.host).filter(|host| !host.is_empty()), port: (!any_port).then_some(address.port) })
    }
}

impl fmt::Display for ListenPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => f.write_str("*")?,
            Some(host) if host.contains(':') => write!(f, "[{host}]")?,
            Some(host) => f.write_str(host)?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => f.write_str(":*"),
        }
    }
}

impl TryFrom<String> for ListenPattern {
    type Error = ListenPatternError;
    fn try_from(text: String) -> Result<Self, ListenPatternError> {
        text.parse()
    }
}

impl From<ListenPattern> for String {
    fn from(pattern: ListenPattern) -> String {
        pattern.to_string()
    }
}

/// A session that listens at its target, or that is a connection which arrived there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listening {
    /// Where.
    pub at: ListenAddress,
    /// The connection; none for the session that listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
}

/// A connection that arrived where a target listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// The session that listens.
    pub listener: Uuid,
    /// Where it came from, by the word of the target.
    pub from: SocketAddr,
}

/// Where a connection came from, as a target says it. None if that is no address: whoever says so does not speak of a connection.
pub fn origin(address: &str, port: u32) -> Option<SocketAddr> {
    // A link-local address carries the name of its interface.
    let address: IpAddr = address.split('%').next()?.parse().ok()?;
    Some(SocketAddr::new(address.to_canonical(), u16::try_from(port).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn covers(pattern: &str, host: &str, port: u32) -> bool {
        pattern.parse::<ListenPattern>().unwrap().covers(&ListenAddress::new(host, port).unwrap())
    }

    #[test]
    fn a_pattern_covers_what_is_asked_for_and_no_other_spelling_of_it() {
        assert!(covers("localhost:8080", "LocalHost", 8080) && !covers("localhost:8080", "localhost", 8081));
        assert!(covers("[::1]:8080", "0:0::1", 8080));
        for other in ["127.0.0.1", "::1", "", "0.0.0.0", "::", "*"] {
            assert!(!covers("localhost:*", other, 8080), "{other:?}");
        }
        for each in ["", "*", "0.0.0.0", "::", "192.0.2.1", "localhost"] {
            assert!(covers("*:8080", each, 8080), "{each:?}");
        }
    }

    #[test]
    fn a_port_of_the_targets_choice_needs_every_port() {
        assert!(covers("localhost:*", "localhost", 0) && !covers("localhost:8080", "localhost", 0));
    }

    #[test]
    fn what_is_no_address_and_no_pattern() {
        for (host, port) in [("a b", 1), ("a\n", 1), ("-x", 1), ("localhost", 65536), ("/run/x", 1), ("a\0", 1)] {
            assert!(ListenAddress::new(host, port).is_err(), "{host:?}:{port}");
        }
        for text in ["", "localhost", ":8080", "localhost:0", "localhost:", "*.internal:80", "::1:80", "localhost:8*", "[db]:1"] {
            assert!(text.parse::<ListenPattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_origin_is_an_address_and_nothing_that_a_terminal_would_obey() {
        assert_eq!(origin("::ffff:192.0.2.1", 4711), Some("192.0.2.1:4711".parse().unwrap()));
        assert_eq!(origin("fe80::1%eth0", 1), Some("[fe80::1]:1".parse().unwrap()));
        for (address, port) in [("", 1), ("UNKNOWN", 65535), ("\u{1b}]0;x\u{7}", 1), ("db1.example", 1), ("192.0.2.1", 65536)] {
            assert_eq!(origin(address, port), None, "{address:?}");
        }
    }

    fn pattern() -> impl Strategy<Value = ListenPattern> {
        (prop_oneof![Just("*"), Just("localhost"), Just("127.0.0.1"), Just("[::1]")], prop_oneof![Just("*"), Just("80"), Just("81")])
            .prop_map(|(host, port)| format!("{host}:{port}").parse().unwrap())
    }

    proptest! {
        #[test]
        fn what_two_patterns_meet_in_is_what_both_cover(one in pattern(), two in pattern(), host in prop_oneof![Just(""), Just("localhost"), Just("127.0.0.1"), Just("::1")], port in 79_u32..83) {
            let address = ListenAddress::new(host, port).unwrap();
            let both = one.covers(&address) && two.covers(&address);
            prop_assert_eq!(one.meet(&two).is_some_and(|met| met.covers(&address)), both);
            prop_assert_eq!(address.to_string().parse::<ListenAddress>().unwrap(), address);
            prop_assert_eq!(one.to_string().parse::<ListenPattern>().unwrap(), one);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<ListenAddress>();
            let _ = text.parse::<ListenPattern>();
            let _ = origin(&text, 1);
        }
    }
}
