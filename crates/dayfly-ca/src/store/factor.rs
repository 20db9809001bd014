//! What the store remembers of second factors.

use dayfly_core::identity::Subject;
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
