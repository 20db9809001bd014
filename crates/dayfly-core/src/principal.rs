//! Principals: the names in a certificate, and the templates that roles write them with.
//!
//! A principal is `account@scope` (scope: a target's or a target group's name) or a literal name for fleets that already use names.
//! Comparison is exact and case-sensitive, as in `sshd`.

use crate::name::{AccountName, ScopeName, is_name};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many principals a certificate may hold: OpenSSH's limit (`SSHKEY_CERT_MAX_PRINCIPALS`).
pub const MAX_PRINCIPALS: usize = 256;

/// A principal that does not match the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("principal {0} is not allowed: it must be `name` or `account@scope`, each of a-z, 0-9, '.', '_' and '-'")]
pub struct PrincipalError(String);

/// A name in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Principal(String);

impl Principal {
    /// Takes `name` or `account@scope`.
    pub fn new(text: impl Into<String>) -> Result<Self, PrincipalError> {
        let text = text.into();
        let good = match text.split_once('@') {
            Some((account, scope)) => is_name(account) && is_name(scope),
            None => is_name(&text),
        };
        if good { Ok(Self(text)) } else { Err(PrincipalError(format!("{:?}", text.chars().take(128).collect::<String>()))) }
    }

    /// The principal that admits `account` at `scope`.
    pub fn scoped(account: &AccountName, scope: &ScopeName) -> Self {
        Self(format!("{account}@{scope}"))
    }

    /// The principal as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Principal {
    type Error = PrincipalError;
    fn try_from(text: String) -> Result<Self, PrincipalError> {
        Self::new(text)
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> String {
        principal.0
    }
}

/// How a role writes a principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PrincipalTemplate {
    /// `ACCOUNT@{target}`: one principal for each target that was asked for.
    PerTarget(AccountName),
    /// `ACCOUNT@{group}`: one for each target group that was asked for; a single target still gets its own, which is narrower.
    PerGroup(AccountName),
    /// A literal name, which admits only at targets that list it.
    Literal(Principal),
}

impl TryFrom<String> for PrincipalTemplate {
    type Error = PrincipalError;
    fn try_from(text: String) -> Result<Self, PrincipalError> {
        let bad = || PrincipalError(format!("{:?}", text.chars().take(128).collect::<String>()));
        let account = |name: &str| AccountName::new(name).map_err(|_| bad());
        match text.split_once('@') {
            Some((name, "{target}")) => Ok(Self::PerTarget(account(name)?)),
            Some((name, "{group}")) => Ok(Self::PerGroup(account(name)?)),
            Some(_) => Err(bad()),
            None => Ok(Self::Literal(Principal::new(text.as_str())?)),
        }
    }
}

impl From<PrincipalTemplate> for String {
    fn from(template: PrincipalTemplate) -> String {
        match template {
            PrincipalTemplate::PerTarget(account) => format!("{account}@{{target}}"),
            PrincipalTemplate::PerGroup(account) => format!("{account}@{{group}}"),
            PrincipalTemplate::Literal(principal) => principal.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_01_principals_with_separators_wildcards_or_control_characters() {
        for bad in ["", "@", "a@", "@b", "a@b@c", "deploy,root", "a*", "a?@b", "a b", "\"a\"", "a\n", "a\0b", "-a", "a..b", "A@b", "a@B"] {
            assert!(Principal::new(bad).is_err(), "{bad:?}");
        }
        assert!(Principal::new("deploy@db1").is_ok());
        assert!(Principal::new("dba").is_ok());
    }

    #[test]
    fn templates_round_trip() {
        for text in ["deploy@{target}", "deploy@{group}", "dba"] {
            let template = PrincipalTemplate::try_from(text.to_owned()).unwrap();
            assert_eq!(String::from(template), text);
        }
        for bad in ["deploy@db1", "{account}@{target}", "deploy@{target},root", "@{target}"] {
            assert!(PrincipalTemplate::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
