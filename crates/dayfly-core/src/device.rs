//! A device, as far as a decision sees it: what the CA knows of it, and what it says of itself.

mod approval;

pub use approval::ApprovalRule;

use crate::name::{DeviceId, SubjectName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A device whose own key signed the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whether it is enrolled. One that waits for approval is known and not enrolled.
    pub enrolled: bool,
    /// The person whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<SubjectName>,
    /// When it was seen before this request, in Unix seconds. `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<u64>,
    /// What it last reported of itself. *Self-reported*: whoever rules the device rules what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture: Option<Posture>,
}

/// What a device reports of itself. What it does not tell is absent, which is not the same as "no".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Posture {
    /// When it reported, in Unix seconds, by the CA's clock.
    pub reported_at: u64,
    /// Whether its disk is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_encrypted: Option<bool>,
    /// Its operating system: `linux`, `macos`, `windows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The version of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_version: Option<Version>,
    /// Whether its screen locks by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen_lock: Option<bool>,
    /// Whether its firewall is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall: Option<bool>,
}

impl Posture {
    /// Whether it tells the same, whenever.
    pub fn tells_the_same_as(&self, other: &Self) -> bool {
        *self == Self { reported_at: self.reported_at, ..other.clone() }
    }
}

/// A version that can be compared: up to three numbers, those that are not written are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third.
    pub patch: u32,
}

/// Text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version: write one to three numbers with dots between them, such as 1.2.3")]
pub struct VersionError(String);

impl std::str::FromStr for Version {
    type Err = VersionError;
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let bad = || VersionError(text.chars().take(64).collect());
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok().filter(|_| is_number(part))).collect();
        match numbers.ok_or_else(bad)?.as_slice() {
            [major] => Ok(Self { major: *major, minor: 0, patch: 0 }),
            [major, minor] => Ok(Self { major: *major, minor: *minor, patch: 0 }),
            [major, minor, patch] => Ok(Self { major: *major, minor: *minor, patch: *patch }),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;
    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("14.10") > version("14.9.9") && version("14") == version("14.0.0"));
        for bad in ["", "1.", ".1", "1.2.3.4", "v1", "1.2-rc1", "+1", "-1", "4294967296", " 1"] {
            assert!(bad.parse::<Version>().is_err(), "{bad:?}");
        }
    }
}
