//! Network addresses, compared as people mean them: `::ffff:192.0.2.1` is `192.0.2.1`.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A network, or one address, as written in configuration: `192.0.2.0/24`, `2001:db8::/32`, `192.0.2.7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

/// Text that is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address or a network in CIDR form, or has bits set past its prefix")]
pub struct NetworkError(String);

impl Network {
    /// The network that holds one address.
    pub fn single(address: IpAddr) -> Self {
        Self(IpNet::from(address.to_canonical()))
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// Whether `address` is in it. A v4-mapped IPv6 address counts as the IPv4 address that it carries.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl std::str::FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let bad = || NetworkError(text.chars().take(64).collect());
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::single(address));
        }
        let network: IpNet = text.parse().map_err(|_| bad())?;
        if network.addr() == network.network() { Ok(Self(network)) } else { Err(bad()) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;
    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

/// Where clouds serve credentials, beside link-local addresses: AWS and Google by IPv6, Alibaba.
const CREDENTIALS: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// Whether an address is another host's: not the own host's, not on its link nor elsewhere where clouds serve their credentials, not a group's.
pub fn is_elsewhere(address: IpAddr) -> bool {
    if CREDENTIALS.contains(&address.to_canonical()) {
        return false;
    }
    let own_or_group = |address: IpAddr| address.is_loopback() || address.is_unspecified() || address.is_multicast();
    match address.to_canonical() {
        IpAddr::V4(address) => !own_or_group(address.into()) && !address.is_link_local() && !address.is_broadcast(),
        IpAddr::V6(address) => !own_or_group(address.into()) && !address.is_unicast_link_local(),
    }
}

/// What one holder of an address has at hand: an IPv4 address, or the whole /64 of an IPv6 one. What is counted for each peer is counted by this.
pub fn allotment(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// The `source-address` critical option's value: comma-separated networks (OpenSSH PROTOCOL.certkeys).
pub fn source_address_value(networks: &[Network]) -> String {
    networks.iter().map(Network::to_string).collect::<Vec<_>>().join(",")
}

/// Reads a `source-address` critical option. Empty lists and negated entries are errors.
pub fn parse_source_address(value: &str) -> Result<Vec<Network>, NetworkError> {
    value.split(',').map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_04_source_addresses_of_every_family() {
        let networks = parse_source_address("192.0.2.0/24,2001:db8::/32,198.51.100.7").unwrap();
        let within = |text: &str| networks.iter().any(|n| n.contains(text.parse().unwrap()));
        assert!(within("192.0.2.9") && within("::ffff:192.0.2.9") && within("2001:db8::1") && within("198.51.100.7"));
        assert!(!within("192.0.3.1") && !within("198.51.100.8") && !within("2001:db9::1") && !within("::192.0.2.9"));
        for bad in ["", "192.0.2.0/24,", "!192.0.2.0/24", "192.0.2.1/24", "192.0.2.0/33", "localhost"] {
            assert!(parse_source_address(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn row_10_an_ipv6_peer_is_counted_by_its_64() {
        let of = |text: &str| allotment(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }
}
