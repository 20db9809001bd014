//! Port forwarding through a target: where a connection may go from there (RFC 4254 section 7.2, `ssh -L`, `-D`, `-W`), and where a target may listen for
//! connections towards the client (section 7.1, `ssh -R`).

mod listen;

pub use listen::{Arrival, ListenAddress, ListenAddressError, ListenPattern, ListenPatternError, Listening, origin};

use crate::target::canonical_host;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The longest host name, in bytes (RFC 1035 section 2.3.4).
const LONGEST_HOST: usize = 253;

/// Where a forwarded connection goes, as the target will resolve it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination {
    host: String,
    port: u16,
}

/// Text that names no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no destination: write HOST:PORT, an IPv6 address in brackets")]
pub struct DestinationError(String);

impl Destination {
    /// A host and a port. Spellings of one host that differ in case, a trailing dot or an IPv4 address written as IPv6 are one; a name that ends in more dots is none.
    pub fn new(host: &str, port: u32) -> Result<Self, DestinationError> {
        let wrong = || DestinationError(format!("{}:{port}", host.chars().take(LONGEST_HOST).collect::<String>()));
        let port = u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(wrong)?;
        let canonical = canonical_host(host);
        if !is_plain_host(&canonical) {
            return Err(wrong());
        }
        Ok(Self { host: canonical, port })
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

impl FromStr for Destination {
    type Err = DestinationError;
    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let wrong = || DestinationError(text.chars().take(LONGEST_HOST).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_port).ok_or_else(wrong)?;
        Self::new(unbracketed(host).ok_or_else(wrong)?, port)
    }
}

impl TryFrom<String> for Destination {
    type Error = DestinationError;
    fn try_from(text: String) -> Result<Self, DestinationError> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> String {
        destination.to_string()
    }
}

/// Destinations that a role allows: `localhost:5432`, `*.internal:443`, `localhost:*`, `*:*`.
///
/// What is compared is what the person asks for. What a name resolves to is the target's affair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DestinationPattern {
    host: HostPattern,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum HostPattern {
    Any,
    /// Below this domain, which begins with a dot.
    Below(String),
    Exactly(String),
}

/// Text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern of destinations: write HOST:PORT, where HOST may be * or *.DOMAIN and PORT may be *")]
pub struct DestinationPatternError(String);

impl DestinationPattern {
    /// Whether it covers `destination`.
    pub fn covers(&self, destination: &Destination) -> bool {
        self.host.covers(&destination.host) && self.port.is_none_or(|port| port == destination.port)
    }

    /// What both cover, if that is anything.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        Some(Self { host: self.host.meet(&other.host)?, port: meet_ports(self.port, other.port)? })
    }
}

impl HostPattern {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(domain) => host.ends_with(domain) && host.len() > domain.len(),
            Self::Exactly(exact) => host == exact,
        }
    }

    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, narrower) | (narrower, Self::Any) => Some(narrower.clone()),
            (Self::Exactly(host), pattern) | (pattern, Self::Exactly(host)) => pattern.covers(host).then(|| Self::Exactly(host.clone())),
            (Self::Below(one), Self::Below(two)) if one.ends_with(two) => Some(self.clone()),
            (Self::Below(one), Self::Below(two)) if two.ends_with(one) => Some(other.clone()),
            (Self::Below(_), Self::Below(_)) => None,
        }
    }
}

/// The port of both, where none is any; none if there is no such port.
fn meet_ports(one: Option<u16>, other: Option<u16>) -> Option<Option<u16>> {
    match (one, other) {
        (None, port) | (port, None) => Some(port),
        (one, other) => (one == other).then_some(one),
    }
}

/// A name or an address, and nothing that anybody could take for an option, a path or two words.
fn is_plain_host(canonical: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    let has_edges = !canonical.is_empty() && !canonical.starts_with('-') && !canonical.ends_with('.');
    has_edges && canonical.len() <= LONGEST_HOST && canonical.bytes().all(is_plain)
}

impl FromStr for DestinationPattern {
    type Err = DestinationPatternError;
    fn from_str(text: &str) -> Result<Self, DestinationPatternError> {
        let wrong = || DestinationPatternError(text.chars().take(LONGEST_HOST).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let any_port = port == "*";
        // A port stands in for any, so that host and port are checked by what checks destinations.
        let number = if any_port { "1" } else { port };
        let (host, checked) = match host {
            "*" => (HostPattern::Any, format!("any:{number}")),
            _ => match host.strip_prefix('*') {
                Some(domain) if domain.len() > 1 && domain.starts_with('.') => {
                    (HostPattern::Below(canonical_host(domain)), format!("any{domain}:{number}"))
                }
                Some(_) => return Err(wrong()),
                None => {
                    let exact: Destination = format!("{host}:{number}").parse().map_err(|_| wrong())?;
                    (HostPattern::Exactly(exact.host), format!("{host}:{number}"))
                }
            },
        };
        let checked: Destination = checked.parse().map_err(|_| wrong())?;
        Ok(Self { host, port: (!any_port).then_some(checked.port) })
    }
}

impl fmt::Display for DestinationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::Any => f.write_str("*")?,
            HostPattern::Below(domain) => write!(f, "*{domain}")?,
            HostPattern::Exactly(host) if host.contains(':') => write!(f, "[{host}]")?,
            HostPattern::Exactly(host) => f.write_str(host)?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => f.write_str(":*"),
        }
    }
}

impl TryFrom<String> for DestinationPattern {
    type Error = DestinationPatternError;
    fn try_from(text: String) -> Result<Self, DestinationPatternError> {
        text.parse()
    }
}

impl From<DestinationPattern> for String {
    fn from(pattern: DestinationPattern) -> String {
        pattern.to_string()
    }
}

/// The address without its brackets; none for an address that needs some.
fn unbracketed(host: &str) -> Option<&str> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|inner| inner.contains(':')),
        None => Some(host).filter(|host| !host.contains(':')),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn covers(pattern: &str, destination: &str) -> bool {
        pattern.parse::<DestinationPattern>().unwrap().covers(&destination.parse().unwrap())
    }

    #[test]
    fn row_11_one_host_has_one_spelling() {
        for spelling in ["LOCALHOST:5432", "localhost.:5432", "localhost:05432"] {
            assert_eq!(spelling.parse::<Destination>().unwrap().to_string(), "localhost:5432");
        }
        for spelling in ["192.0.2.1:22", "[::ffff:192.0.2.1]:22", "[::ffff:c000:201]:22"] {
            assert_eq!(spelling.parse::<Destination>().unwrap().to_string(), "192.0.2.1:22");
        }
        assert_eq!("[2001:DB8:0::1]:443".parse::<Destination>().unwrap().to_string(), "[2001:db8::1]:443");
    }

    #[test]
    fn what_is_no_destination() {
        for text in [
            "",
            ":22",
            "db",
            "db:",
            "db:0",
            "db:65536",
            "db:+22",
            "db..:22",
            ".:22",
            "-oProxyCommand=x:22",
            "a b:22",
            "a\nb:22",
            "a\0b:22",
            "::1:22",
            "[db]:22",
            "/run/x:1",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_says() {
        assert!(covers("localhost:5432", "LocalHost:5432") && !covers("localhost:5432", "localhost:5433"));
        assert!(!covers("localhost:5432", "127.0.0.1:5432"), "names are compared, not what they resolve to");
        assert!(covers("localhost:*", "localhost:1") && covers("*:443", "example.org:443") && covers("*:*", "[::1]:22"));
        assert!(covers("*.Internal:443", "api.internal:443") && covers("*.internal.:443", "api.internal.:443"));
        for other in ["internal:443", "evilinternal:443", ".internal:443", "api.internal.evil:443", "api.internal:80"] {
            assert!(
                !other.parse::<Destination>().is_ok_and(|other| "*.internal:443".parse::<DestinationPattern>().unwrap().covers(&other)),
                "{other}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in ["", "*", "localhost", "loc*:22", "*internal:22", "*.:22", "localhost:", "localhost:0", "localhost:5*", "*.a b:22"] {
            assert!(text.parse::<DestinationPattern>().is_err(), "{text:?}");
        }
    }

    fn pattern() -> impl Strategy<Value = DestinationPattern> {
        let host = prop_oneof![Just("*"), Just("*.b"), Just("*.a.b"), Just("x.a.b"), Just("a.b"), Just("b")];
        (host, prop_oneof![Just("*"), Just("80"), Just("81")]).prop_map(|(host, port)| format!("{host}:{port}").parse().unwrap())
    }

    proptest! {
        #[test]
        fn what_two_patterns_meet_in_is_what_both_cover(one in pattern(), two in pattern(), host in "(x\\.)?(a\\.)?[bc]", port in 79_u32..83) {
            let destination = Destination::new(&host, port).unwrap();
            let both = one.covers(&destination) && two.covers(&destination);
            prop_assert_eq!(one.meet(&two).is_some_and(|met| met.covers(&destination)), both);
            prop_assert_eq!(one.meet(&two), two.meet(&one));
        }

        #[test]
        fn what_is_written_is_read_again(host in "[a-z0-9]{1,8}(\\.[a-z]{1,5}){0,2}", port in 1_u32..65536) {
            let destination = Destination::new(&host, port).unwrap();
            prop_assert_eq!(destination.to_string().parse::<Destination>().unwrap(), destination.clone());
            let pattern: DestinationPattern = destination.to_string().parse().unwrap();
            prop_assert!(pattern.covers(&destination));
            prop_assert_eq!(pattern.to_string().parse::<DestinationPattern>().unwrap(), pattern);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<Destination>();
            let _ = text.parse::<DestinationPattern>();
        }
    }
}
