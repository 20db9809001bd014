//! Certificates: grant → unsigned certificate → signed and verified certificate, and the verifier of other people's.
//!
//! What minting refuses and what verification refuses is the same code, [`contents`].

mod contents;
mod key_id;
pub mod krl;
mod mint;
mod revocation;
mod verify;

pub use key_id::{KeyId, KeyIdError, SessionReference};
pub use mint::{
    LONGEST_INNER_HOST_TTL_SECONDS, MintError, SESSION_TTL_SECONDS, SessionCertificate, SessionKind, SignedCertificate, UnsignedCertificate,
};
pub use revocation::{Revocations, Revoked, RevokedBy, RevokedError};
pub use verify::{VerifiedCertificate, VerifiedHostCertificate, Verifier, parse, signature_fits};

/// The extension that names the role and the grant, as `ROLE GRANT-ID`.
pub const GRANT_EXTENSION: &str = "grant@dayfly";

/// The critical option that replaces whatever command was asked for (OpenSSH PROTOCOL.certkeys).
pub const FORCE_COMMAND: &str = "force-command";

/// The critical option that lists the addresses a certificate may be used from (OpenSSH PROTOCOL.certkeys).
pub const SOURCE_ADDRESS: &str = "source-address";

/// The critical option that demands user verification of a FIDO key (OpenSSH PROTOCOL.u2f).
pub const VERIFY_REQUIRED: &str = "verify-required";

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
