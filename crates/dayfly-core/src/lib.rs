//! The domain of Dayfly: values in, values out.
//!
//! Nothing here reads a file, a clock, the environment or the network, and nothing here is async. What time it is and
//! which bytes are random arrives as an argument; what touches the world stands behind a port ([`signer`], [`clock`])
//! that an outer crate implements.
//!
//! | Module | What it is |
//! |---|---|
//! | [`name`], [`certified_name`], [`principal`], [`validity`], [`address`] | newtypes that cannot hold a bad value |
//! | [`identity`], [`device`] | a verified subject: who, which groups, how it was proven, when, on what |
//! | [`role`], [`target`] | what the CA's TOML files say: what a certificate may contain, which hosts there are |
//! | [`forward`] | where a connection may go from a target |
//! | [`request`], [`context`], [`time_zone`] | what somebody asks for, and under which conditions |
//! | [`policy`], [`decision`] | Cedar's answer, as a value that only the decision can make |
//! | [`certificate`] | grant → unsigned certificate → signed and verified certificate; the verifier |
//! | [`admission`] | verified certificate + target + account → [`admission::Admission`] or a refusal |
//! | [`signed_request`] | the bytes a caller signs, so that a request proves who sent it |
//! | [`audit`], [`log_link`] | what the log holds, its canonical bytes, and the links between its rows |
//! | [`rotation`] | how one authority's key gives way to another |
//! | [`signature`] | verification of SSH signatures |
//!
//! Invariants:
//! - A [`decision::Grant`] exists only if policy granted it; a certificate is minted from nothing else.
//! - A [`certificate::VerifiedCertificate`] exists only if every check of the verifier passed.
//! - An [`admission::Admission`] exists only for a verified certificate that holds a principal for that account and target.

pub mod address;
pub mod admission;
pub mod audit;
pub mod certificate;
pub mod certified_name;
pub mod clock;
pub mod context;
pub mod decision;
pub mod device;
pub mod forward;
pub mod identity;
pub mod log_link;
pub mod name;
pub mod policy;
pub mod principal;
pub mod proxy_header;
pub mod reason;
pub mod request;
pub mod role;
pub mod rotation;
pub mod signature;
pub mod signed_request;
pub mod signer;
pub mod target;
pub mod time_zone;
pub mod validity;
