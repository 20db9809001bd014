//! Where on earth an address is: the port, and a file per kind of database.

pub mod mmdb;

use dayfly_core::context::Country;
#[cfg(test)]
use std::collections::BTreeMap;
use std::{fmt, net::IpAddr};

/// Tells what databases hold of addresses. What they do not know is `None`.
pub trait Geography: Send + Sync + fmt::Debug {
    /// The country that `address` is in.
    fn country(&self, address: IpAddr) -> Option<Country>;

    /// The number of the autonomous system that announces `address`.
    fn asn(&self, address: IpAddr) -> Option<u32>;
}

/// Knows nothing: what a CA without databases has.
#[derive(Debug, Clone, Copy)]
pub struct Unknown;

impl Geography for Unknown {
    fn country(&self, _: IpAddr) -> Option<Country> {
        None
    }

    fn asn(&self, _: IpAddr) -> Option<u32> {
        None
    }
}

/// Knows what a test tells it.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(pub(crate) BTreeMap<IpAddr, (Country, u32)>);

#[cfg(test)]
impl Geography for Told {
    fn country(&self, address: IpAddr) -> Option<Country> {
        self.0.get(&address).map(|(country, _)| *country)
    }

    fn asn(&self, address: IpAddr) -> Option<u32> {
        self.0.get(&address).map(|(_, asn)| *asn)
    }
}
