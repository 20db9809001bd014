//! What a browser is sent for: to a provider, and back.

use crate::{
    by_browser::{
        secret::Hashed,
        transaction::{Errand, Words},
    },
    identity::provider::{ProvenPerson, Round},
};
use dayfly_core::reason::Reason;

/// A sign-in that is under way.
pub(super) struct SignInErrand {
    /// The only provider that will do.
    pub(super) provider: Option<usize>,
    pub(super) leg: Option<Leg>,
}

/// A browser's way to a provider and back.
pub(super) struct Leg {
    pub(super) provider: usize,
    /// What comes back with it.
    pub(super) state: Hashed,
    pub(super) round: Round,
}

/// Who it was, and which provider says so.
pub(super) struct Answer {
    pub(super) person: ProvenPerson,
    pub(super) provider: usize,
}

impl Errand for SignInErrand {
    type Answer = Answer;
    const WORDS: Words = Words { what: "sign-in", command: "dayfly login", unknown: Reason::SignInUnknown };
}
