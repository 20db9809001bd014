//! The names that a host certificate holds: what people type after `ssh`, exactly.

use crate::name::is_name;
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};

/// The longest DNS name, in characters (RFC 1035, section 2.3.4).
const LONGEST_DNS_NAME: usize = 253;

/// A name that no host certificate may hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a host name or an address: write it in lower case, without wildcards and without a final dot")]
pub struct CertifiedNameError(String);

/// A host name or an address, in the one spelling that OpenSSH looks for: lower case, no wildcard, no comma, no final dot; an address as it is usually
/// written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertifiedName(String);

impl CertifiedName {
    /// Takes a host name or an address. An address in another spelling becomes the usual one.
    pub fn new(text: &str) -> Result<Self, CertifiedNameError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        let labels_are_names = text.split('.').all(|label| is_name(label) && !label.ends_with('-'));
        if labels_are_names && text.len() <= LONGEST_DNS_NAME {
            return Ok(Self(text.to_owned()));
        }
        Err(CertifiedNameError(format!("{:?}", text.chars().take(LONGEST_DNS_NAME).collect::<String>())))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for CertifiedName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for CertifiedName {
    type Err = CertifiedNameError;
    fn from_str(text: &str) -> Result<Self, CertifiedNameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for CertifiedName {
    type Error = CertifiedNameError;
    fn try_from(text: String) -> Result<Self, CertifiedNameError> {
        Self::new(&text)
    }
}

impl From<CertifiedName> for String {
    fn from(name: CertifiedName) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_01_a_host_certificates_names_are_exact() {
        for good in ["db1.example.org", "db1", "192.0.2.1", "2001:db8::1"] {
            assert_eq!(CertifiedName::new(good).unwrap().as_str(), good);
        }
        assert_eq!(CertifiedName::new("2001:DB8:0::1").unwrap().as_str(), "2001:db8::1");
        for bad in ["", "*", "*.example.org", "b1,b2", "B1", "b1.", "-b1", "b 1", "b1\n", "b..1", "b-.c", "!b1", "b1?", "[b1]:22"] {
            assert!(CertifiedName::new(bad).is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<CertifiedName>("\"*\"").is_err(), "JSON goes through the grammar");
    }
}
