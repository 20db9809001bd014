//! What the store remembers of second factors.

use dayfly_core::{
    identity::{FactorMethod, Subject},
    name::FactorName,
};
use zeroize::Zeroizing;

/// What one-time codes are made from.
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticator {
    /// Whose.
    pub subject: Subject,
    /// The shared secret (RFC 6238 `K`).
    pub secret: Zeroizing<Vec<u8>>,
    /// When its first code was given, in Unix seconds. One that is not confirmed proves nothing.
    pub confirmed_at: Option<u64>,
    /// The time step of the last code that was used.
    pub last_step: u64,
    /// Wrong codes since the last right one.
    pub failures: u32,
    /// Until when no code is looked at, in Unix seconds.
    pub retry_at: u64,
}

/// A secret does not get into a trace.
impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("subject", &self.subject).field("confirmed_at", &self.confirmed_at).finish_non_exhaustive()
    }
}

/// A code was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeUsed {
    /// Whose.
    pub subject: Subject,
    /// `SHA256:…` of the key that signed the request.
    pub key_fingerprint: String,
    /// The code's time step.
    pub step: u64,
    /// When it was used, in Unix seconds.
    pub at: u64,
    /// The wrong codes that had come by the time this one was looked at: of many that are tried at once, one counts.
    pub failures: u32,
}

/// A passkey or security key that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose. It is nobody else's.
    pub subject: Subject,
    /// What they call it.
    pub name: FactorName,
    /// How it is asked.
    pub method: FactorMethod,
    /// What it is recognised by: of a passkey its credential id in base64url, of a key that is touched its `SHA256:…`.
    pub id: String,
    /// What its answers are judged by: of a passkey what `webauthn-rs` keeps, as JSON; of a key its OpenSSH line. Nothing in it is secret.
    pub material: String,
    /// The last count of its answers; 0 if it does not count.
    pub counter: u32,
    /// When it was added, in Unix seconds.
    pub added_at: u64,
}

/// A passkey or security key has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialUsed {
    /// Whose.
    pub subject: Subject,
    /// Which of theirs.
    pub name: FactorName,
    /// What is kept of it from now on.
    pub material: String,
    /// How often it has answered: more than ever before, or 0 as always.
    pub counter: u32,
}

/// A second factor was proven for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactorUsed {
    /// Whose.
    pub subject: Subject,
    /// Which of theirs.
    pub name: FactorName,
    /// `SHA256:…` of the key that signed the request.
    pub key_fingerprint: String,
    /// When it was proven, in Unix seconds.
    pub at: u64,
}
