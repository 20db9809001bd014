//! What the store remembers of sign-ins: which key speaks for whom, by whose word, and until when.

use dayfly_core::{identity::Subject, name::GroupName};
use std::collections::{BTreeMap, BTreeSet};

/// An account at an OpenID Connect provider. What counts is issuer and subject; the rest is shown and decides nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderAccount {
    /// The provider's issuer URL.
    pub issuer: String,
    /// `sub`: the provider's own, stable id.
    pub subject: String,
    /// How the provider calls them: an e-mail address or a user name.
    pub shown: Option<String>,
}

/// A key that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// `SHA256:…` of the key. The key itself never leaves the tool.
    pub key_fingerprint: String,
    /// Whom it speaks for.
    pub subject: Subject,
    /// How that was proven.
    pub by: SignInBy,
    /// Who says so: the issuer's URL.
    pub issuer: String,
    /// The issuer's own id of the subject: `sub`.
    pub issuer_subject: String,
    /// When it was proven, in Unix seconds.
    pub proven_at: u64,
    /// The first second at which it no longer counts.
    pub ends_at: u64,
    /// Whether it was ended before.
    pub is_ended: bool,
    /// What a workload's token said of it: verified, as text.
    pub claims: BTreeMap<String, String>,
}

impl SignIn {
    /// Whether it counts at `now`, in Unix seconds.
    pub fn is_good(&self, now: u64) -> bool {
        !self.is_ended && now < self.ends_at
    }
}

/// What a sign-in is proven by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInBy {
    /// A person, at a provider of this name.
    Provider(String),
    /// A machine's token.
    Token,
}

impl SignInBy {
    /// The provider's name.
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::Provider(name) => Some(name),
            Self::Token => None,
        }
    }
}

/// A sign-in that is to be kept, and what comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSignIn {
    /// The sign-in.
    pub sign_in: SignIn,
    /// Whose it is.
    pub holder: Holder,
}

/// Whose sign-in it is. Whoever is not known yet is from then on, without any right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A person by their account, and the groups that the provider says now: they take the place of those that it said before.
    Person {
        /// The account.
        account: ProviderAccount,
        /// The groups.
        groups: BTreeSet<GroupName>,
    },
    /// A machine, by a token that is used up.
    Machine {
        /// SHA-256 of what makes the token one: issuer and `jti`, or what was signed.
        token: [u8; 32],
        /// When the token ends, in Unix seconds. Until then it is remembered.
        token_ends_at: u64,
    },
}
