//! The port to the CA: the one who says who may go where. And the only maker of a [`PermittedSession`].

mod ca;
pub mod cache;
#[cfg(test)]
pub mod double;
mod permitted;
mod snapshot;

pub use ca::CaAuthority;
pub use permitted::{Ask, Login, PermittedSession};
pub use snapshot::{Snapshot, SnapshotError};

use dayfly_api::{
    bastion::{EventBatch, Inventory},
    session::{SessionsReview, SessionsVerdict},
};
use dayfly_core::{
    name::TargetName,
    reason::{Reason, Refusal},
};
use ssh_key::{Certificate, PrivateKey};
use std::{collections::BTreeSet, pin::Pin};

/// An answer that is on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, AuthorityError>> + Send + 'a>>;

/// What a bastion asks of its CA.
pub trait Authority: Send + Sync {
    /// The targets that it may serve, whom to trust and what was revoked.
    fn inventory(&self) -> Answer<'_, Inventory>;

    /// Whether a session may start. For a recorded target the answer carries what it takes to log in there.
    fn permit(&self, ask: Ask) -> Answer<'_, PermittedSession>;

    /// Whether sessions that run may go on.
    fn review<'a>(&'a self, asked: &'a SessionsReview) -> Answer<'a, SessionsVerdict>;

    /// A host certificate of the bastion's own name, for `key`.
    fn host_certificate<'a>(&'a self, key: &'a PrivateKey) -> Answer<'a, Certificate>;

    /// The certificate to show when answering for `target`, for `key`.
    fn inner_host_certificate<'a>(&'a self, target: &'a TargetName, key: &'a PrivateKey) -> Answer<'a, Certificate>;

    /// Reports which keys the bastion trusts, by `SHA256:…`.
    fn report_trust<'a>(&'a self, trusted: &'a BTreeSet<String>) -> Answer<'a, ()>;

    /// Reports what happened; returns the number of the last event that the CA has.
    fn report<'a>(&'a self, batch: &'a EventBatch) -> Answer<'a, u64>;
}

/// No answer, or no.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The CA said no. It has that in its log.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The CA could not be asked, or its answer makes no sense.
    #[error("the CA cannot be asked: {cause}")]
    Unavailable {
        /// Why, in words.
        cause: String,
    },
}

impl AuthorityError {
    /// As a refusal, for the person.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal.clone(),
            Self::Unavailable { .. } => Refusal::new(
                Reason::CaUnavailable,
                "no session can start now, because the certificate authority cannot be asked",
                "try again in a moment; if it stays so, tell whoever runs the bastion",
            ),
        }
    }

    /// Whether the CA itself said no, and so has it in its log already.
    pub fn is_in_log(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
