//! Why a client's connection is ended.

use crate::{
    flow::queue::Overflow,
    recorded::{Flooded, Unasked},
};

/// Why a client's connection was ended.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The SSH library's reason.
    #[error(transparent)]
    Ssh(#[from] russh::Error),
    /// The client does not keep to its window.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The client asks for more than anybody can do.
    #[error(transparent)]
    Flooded(#[from] Flooded),
    /// The client answers what it was not asked.
    #[error(transparent)]
    Unasked(#[from] Unasked),
}
