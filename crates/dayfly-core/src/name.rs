//! Names: of people, machines, groups, roles, targets, accounts, bastions, hosts, networks, inventory sources, devices and security keys.
//!
//! One grammar for all of them, `[a-z0-9][a-z0-9._-]*`, at most [`MAX_LENGTH`] characters and without `..`. It leaves no room for what broke
//! others: a comma or wildcard that matches two names, a leading `-` that becomes an option, a quote, a path or a control character.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest name, in characters.
pub const MAX_LENGTH: usize = 64;

/// A name that does not match the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{kind} {shown} is not a name: use a-z, 0-9, '.', '_' and '-', beginning with a letter or digit, at most {MAX_LENGTH} characters, no '..'"
)]
pub struct NameError {
    kind: &'static str,
    shown: String,
}

/// Whether `text` matches the grammar of names.
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
        && text.len() <= MAX_LENGTH
        && !text.contains("..")
}

fn check(kind: &'static str, text: &str) -> Result<(), NameError> {
    if is_name(text) {
        return Ok(());
    }
    let shown = format!("{:?}", text.chars().take(MAX_LENGTH).collect::<String>());
    Err(NameError { kind, shown })
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a name that matches the grammar.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check($kind, &text)?;
                Ok(Self(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    )*};
}

names! {
    /// The name of a person or machine.
    SubjectName = "subject";
    /// The name of a group of people or machines.
    GroupName = "group";
    /// The name of a role.
    RoleName = "role";
    /// The name of a target.
    TargetName = "target";
    /// The name of a group of targets.
    TargetGroupName = "target group";
    /// The name of what lists targets beside the configuration.
    SourceName = "source";
    /// What a request may name: a target or a target group. The two share one name space.
    ScopeName = "target or target group";
    /// A login name on a target.
    AccountName = "account";
    /// The name of a bastion.
    BastionName = "bastion";
    /// The name that a host is enrolled under.
    HostName = "host";
    /// The name of a network that policies speak of.
    NetworkName = "network";
    /// What a device is enrolled under.
    DeviceId = "device";
    /// What somebody calls one of their passkeys and security keys.
    FactorName = "second factor";
}

impl From<TargetName> for ScopeName {
    fn from(name: TargetName) -> Self {
        Self(name.0)
    }
}

impl From<TargetGroupName> for ScopeName {
    fn from(name: TargetGroupName) -> Self {
        Self(name.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn accepts_the_grammar() {
        for good in ["a", "0", "db1", "db-1.eu_west", "x-", "a.b"] {
            assert!(TargetName::new(good).is_ok(), "{good}");
        }
        assert!(TargetName::new("a".repeat(MAX_LENGTH)).is_ok());
    }

    #[test]
    fn row_01_names_leave_no_room_for_separators_wildcards_or_options() {
        for bad in [
            "",
            "-a",
            ".a",
            "_a",
            "A",
            "dB",
            "a,b",
            "a*",
            "a?",
            "a b",
            "a\"",
            "a'",
            "a\n",
            "a\0",
            "a/b",
            "..",
            "a..b",
            "a@b",
            "é",
            "a\u{202e}",
        ] {
            assert!(TargetName::new(bad).is_err(), "{bad:?}");
        }
        assert!(TargetName::new("a".repeat(MAX_LENGTH + 1)).is_err());
    }

    #[test]
    fn the_error_shows_no_raw_control_character() {
        let error = RoleName::new("a\u{1b}[31m").unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn json_goes_through_the_grammar() {
        assert!(serde_json::from_str::<RoleName>("\"db-admin\"").is_ok());
        assert!(serde_json::from_str::<RoleName>("\"db admin\"").is_err());
    }
}
