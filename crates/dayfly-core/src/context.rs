//! The conditions under which somebody asks. `docs/conditions.md` lists them as policies see them.

use crate::{address::Network, name::NetworkName};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};
use time::OffsetDateTime;

/// What a decision looks at beside who asks and for what. Nothing in here is taken from what the asker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// When it is asked, UTC.
    pub now: OffsetDateTime,
    /// The address it is asked from: as the CA sees it for a request, as the bastion sees it for a session.
    pub source: IpAddr,
    /// The named networks that the address is in.
    pub networks: BTreeSet<NetworkName>,
    /// The country that the address is in, as far as a database tells.
    pub country: Option<Country>,
    /// The number of the autonomous system that announces the address, as far as a database tells.
    pub asn: Option<u32>,
    /// Whether somebody approved this request.
    pub approved: bool,
}

impl Context {
    /// A time and an address of which nothing more is known.
    pub fn new(now: OffsetDateTime, source: IpAddr) -> Self {
        Self { now, source, networks: BTreeSet::new(), country: None, asn: None, approved: false }
    }

    /// `now` in Unix seconds.
    pub fn unix_seconds(&self) -> u64 {
        u64::try_from(self.now.unix_timestamp()).unwrap_or(0)
    }
}

/// A country by its ISO 3166-1 alpha-2 code: two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

/// Text that is no country code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a country's code: write two capital letters, such as DE (ISO 3166-1 alpha-2)")]
pub struct CountryError(String);

impl Country {
    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::str::FromStr for Country {
    type Err = CountryError;
    fn from_str(text: &str) -> Result<Self, CountryError> {
        match text.as_bytes() {
            [first @ b'A'..=b'Z', second @ b'A'..=b'Z'] => Ok(Self([*first, *second])),
            _ => Err(CountryError(text.chars().take(64).collect())),
        }
    }
}

impl TryFrom<String> for Country {
    type Error = CountryError;
    fn try_from(text: String) -> Result<Self, CountryError> {
        text.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> String {
        country.as_str().to_owned()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The networks that policies speak of by name. They may overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedNetworks(BTreeMap<NetworkName, Vec<Network>>);

impl NamedNetworks {
    /// The names of the networks that `address` is in.
    pub fn of(&self, address: IpAddr) -> BTreeSet<NetworkName> {
        let holds = |(_, networks): &(&NetworkName, &Vec<Network>)| networks.iter().any(|network| network.contains(address));
        self.0.iter().filter(holds).map(|(name, _)| name.clone()).collect()
    }

    /// Whether there is a network of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &NetworkName> {
        self.0.keys()
    }
}

impl FromIterator<(NetworkName, Vec<Network>)> for NamedNetworks {
    fn from_iter<I: IntoIterator<Item = (NetworkName, Vec<Network>)>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_in_every_network_that_holds_it() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let networks: NamedNetworks = [
            ("office".parse().unwrap(), vec![network("192.0.2.0/24"), network("2001:db8::/32")]),
            ("everywhere".parse().unwrap(), vec![network("0.0.0.0/0")]),
        ]
        .into_iter()
        .collect();
        let of = |address: &str| networks.of(address.parse().unwrap()).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("192.0.2.7"), ["everywhere", "office"]);
        assert_eq!(of("::ffff:192.0.2.7"), ["everywhere", "office"]);
        assert_eq!(of("2001:db8::1"), ["office"]);
        assert_eq!(of("198.51.100.7"), ["everywhere"]);
        assert!(of("::1").is_empty());
    }

    #[test]
    fn a_country_is_two_capital_letters() {
        assert_eq!("DE".parse::<Country>().unwrap().to_string(), "DE");
        for bad in ["", "D", "de", "De", "DEU", "D1", "ÄÄ", "D "] {
            assert!(bad.parse::<Country>().is_err(), "{bad:?}");
        }
    }
}
