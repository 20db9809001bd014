//! What the store remembers of revocations.

use dayfly_core::certificate::Revoked;

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What was revoked.
    pub revoked: Revoked,
    /// When, in Unix seconds.
    pub at: u64,
    /// By whom.
    pub by: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The first second at which it no longer counts; `None`: for good.
    pub ends_at: Option<u64>,
}

impl Revocation {
    /// Whether it counts at `now`.
    pub fn is_in_force(&self, now: u64) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}

/// Which state of revocations a store has. Two that are equal stand for the same revocations and disabled people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RevocationState {
    /// How many revocations there are.
    pub revocations: u64,
    /// How many people are disabled.
    pub disabled: u64,
}

/// The serials of certificates that are revoked and still alive, by the key that signed them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedSerials {
    /// Of the user CA's certificates.
    pub certificates: Vec<u64>,
    /// Of session certificates: their parent was revoked, or they were.
    pub sessions: Vec<u64>,
    /// Revoked by serial, and neither. They may be host certificates'.
    pub others: Vec<u64>,
}

/// The key revocation list as it was last published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRecord {
    /// Its number.
    pub number: u64,
    /// When it was published, in Unix seconds.
    pub generated_at: u64,
    /// SHA-256 of what it says, number and time left out.
    pub digest: [u8; 32],
}
