//! What can go wrong with a call, and what to do about it.

use dayfly_api::problem::Problem;
use dayfly_core::signer::SignerError;

/// A call that did not bring what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not one of a CA.
    #[error("{0:?} is not the address of a CA: write https://host[:port]")]
    BadOrigin(String),
    /// TLS cannot be set up here.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The CA cannot be reached, or shows another key than the pinned one.
    #[error("the CA at {origin} cannot be reached: {cause}")]
    Unreachable {
        /// The CA's address.
        origin: String,
        /// The chain of causes in words.
        cause: String,
    },
    /// The CA said no, or could not.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// The key that should sign the call did not.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The CA's answer is not what the contract says.
    #[error("the CA at {origin} gave an answer that is not understood: {cause}")]
    Protocol {
        /// The CA's address.
        origin: String,
        /// What is wrong with the answer.
        cause: String,
    },
}

impl ClientError {
    /// The stable code of a problem that the CA named.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// Whether the CA could not be asked at all, or could not answer for now.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => problem.status >= 500,
            _ => false,
        }
    }

    /// What would change the answer, as far as it is known.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Problem(problem) => problem.remedy.clone(),
            Self::Unreachable { origin, .. } => {
                Some(format!("check that the CA runs at {origin}, that the network lets you there, and its pin"))
            }
            Self::BadOrigin(_) | Self::Tls(_) | Self::Signer(_) | Self::Protocol { .. } => None,
        }
    }
}
