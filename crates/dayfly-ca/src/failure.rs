//! Why a pipeline gave no answer.

use crate::store::StoreError;
use dayfly_core::{certificate::MintError, reason::Refusal, signer::SignerError};

/// No answer. Nothing left the CA.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A rule said no. It is in the log.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store or the log could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A certificate could not be made.
    #[error(transparent)]
    Mint(MintError),
    /// Something else than a certificate could not be signed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// Something that cannot happen did.
    #[error("{0}")]
    Internal(String),
}

/// What no certificate may say is the asker's affair; everything else is the CA's.
impl From<MintError> for Failure {
    fn from(error: MintError) -> Self {
        match error {
            MintError::Contents(refusal) => Self::Refused(refusal),
            error => Self::Mint(error),
        }
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Internal(format!("a task ended early: {error}"))
    }
}
