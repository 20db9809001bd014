//! An identity: a verified subject. Who, which groups, how it was proven, when.

use crate::{
    device::{Device, Version},
    name::{GroupName, NameError, SubjectName},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A person or a machine.
///
/// Written `alice` for a person and `machine:ci` for a machine; the two cannot collide, since no name holds a colon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// A person.
    Person(SubjectName),
    /// An automation.
    Machine(SubjectName),
}

impl Subject {
    /// The name without its kind.
    pub fn name(&self) -> &SubjectName {
        match self {
            Self::Person(name) | Self::Machine(name) => name,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => write!(f, "{name}"),
            Self::Machine(name) => write!(f, "machine:{name}"),
        }
    }
}

impl std::str::FromStr for Subject {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix("machine:") {
            Some(name) => Ok(Self::Machine(SubjectName::new(name)?)),
            None => Ok(Self::Person(SubjectName::new(text)?)),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> String {
        subject.to_string()
    }
}

/// How an identity was proven. Whatever it is, the request came signed by a key, and `fingerprint` is that key's `SHA256:…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Proof {
    /// A signature by an SSH key that is enrolled for the subject.
    EnrolledKey {
        /// The enrolled key.
        fingerprint: String,
    },
    /// A sign-in at an OpenID Connect provider, bound to a key of the person's tool.
    SignIn {
        /// The provider's issuer URL.
        issuer: String,
        /// Its stable id of the person: `sub`. Never an e-mail address.
        subject: String,
        /// The key that the sign-in is bound to.
        fingerprint: String,
    },
    /// A token of a federated issuer, such as a CI system's.
    Federation {
        /// The token's issuer URL.
        issuer: String,
        /// The token's `sub`.
        subject: String,
        /// The key that the token was shown with.
        fingerprint: String,
    },
}

impl Proof {
    /// The method's name, as policy sees it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::EnrolledKey { .. } => "enrolled_key",
            Self::SignIn { .. } => "sign_in",
            Self::Federation { .. } => "federation",
        }
    }

    /// `SHA256:…` of the key that signed.
    pub fn fingerprint(&self) -> &str {
        match self {
            Self::EnrolledKey { fingerprint } | Self::SignIn { fingerprint, .. } | Self::Federation { fingerprint, .. } => fingerprint,
        }
    }

    /// Who vouches for the subject, and under which id of its own; `None` for an enrolled key, for which the CA does itself.
    pub fn issuer_and_subject(&self) -> Option<(&str, &str)> {
        match self {
            Self::EnrolledKey { .. } => None,
            Self::SignIn { issuer, subject, .. } | Self::Federation { issuer, subject, .. } => Some((issuer, subject)),
        }
    }
}

/// A kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorMethod {
    /// A one-time code of an authenticator (RFC 6238).
    Totp,
    /// A passkey or security key in the browser.
    Webauthn,
    /// The touch of an enrolled FIDO key, by an SSH signature.
    Touch,
}

impl FactorMethod {
    /// Every kind there is.
    pub const ALL: [Self; 3] = [Self::Totp, Self::Webauthn, Self::Touch];

    /// Its name, as policy sees it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Webauthn => "webauthn",
            Self::Touch => "touch",
        }
    }
}

impl fmt::Display for FactorMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no kind of second factor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no second factor: write totp, webauthn or touch")]
pub struct FactorMethodError(String);

impl std::str::FromStr for FactorMethod {
    type Err = FactorMethodError;
    fn from_str(text: &str) -> Result<Self, FactorMethodError> {
        let known = Self::ALL.into_iter().find(|method| method.as_str() == text);
        known.ok_or_else(|| FactorMethodError(text.chars().take(64).collect()))
    }
}

/// What was proven of an identity, how and when, and what is known of where it works. Kept with each certificate, so that ages are true later on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// How the identity was proven.
    pub proof: Proof,
    /// When, in Unix seconds.
    pub proven_at: u64,
    /// The second factors, and when each was proven last, in Unix seconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub factors: BTreeMap<FactorMethod, u64>,
    /// The device that signed the request beside the person's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// The version of the tool. *Self-reported*: the tool says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_version: Option<Version>,
    /// The verified claims of a workload's token, as text. Only a federation's proof has any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
}

impl Evidence {
    /// A proof and nothing else.
    pub fn new(proof: Proof, proven_at: u64) -> Self {
        Self { proof, proven_at, factors: BTreeMap::new(), device: None, client_version: None, claims: BTreeMap::new() }
    }
}

/// A verified subject. Only an identity check makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub subject: Subject,
    /// The groups it belongs to.
    pub groups: BTreeSet<GroupName>,
    /// How that was proven, and when.
    pub evidence: Evidence,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn people_and_machines_do_not_collide() {
        let person: Subject = "ci".parse().unwrap();
        let machine: Subject = "machine:ci".parse().unwrap();
        assert_ne!(person, machine);
        assert_eq!(machine.to_string().parse::<Subject>().unwrap(), machine);
        assert!("machine:".parse::<Subject>().is_err());
        assert!("person:ci".parse::<Subject>().is_err());
    }
}
