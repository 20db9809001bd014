//! An identity: a verified subject. Who, which groups, how it was proven, when.

use crate::name::{GroupName, NameError, SubjectName};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

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

/// How an identity was proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Proof {
    /// A signature by an SSH key that is enrolled for the subject.
    EnrolledKey {
        /// `SHA256:…` of the key.
        fingerprint: String,
    },
}

impl Proof {
    /// The method's name, as policy sees it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::EnrolledKey { .. } => "enrolled_key",
        }
    }
}

/// A verified subject. Only an identity check makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub subject: Subject,
    /// The groups it belongs to.
    pub groups: BTreeSet<GroupName>,
    /// How that was proven.
    pub proof: Proof,
    /// When, in Unix seconds.
    pub proven_at: u64,
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
