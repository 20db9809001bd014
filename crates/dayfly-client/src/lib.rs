//! A typed client of Dayfly's HTTP contract.
//!
//! | Module | What it is |
//! |---|---|
//! | [`pin`] | recognising the CA by its TLS key, as curl's `--pinnedpubkey` does |
//! | [`request_signer`] | who signs the calls: a key in memory, or anything else that can sign |
//! | [`call`] | one signed call: challenge, signature, answer, and once more if the challenge was stale |
//! | [`client`] | the calls by name |
//! | [`error`] | what can go wrong, and what to do about it |

mod call;
pub mod client;
pub mod error;
pub mod pin;
pub mod request_signer;

pub use client::{CertificateParameters, Client, SessionParameters, canonical_origin};
pub use error::ClientError;
pub use pin::Pin;
pub use request_signer::{KeySigner, RequestSigner};
