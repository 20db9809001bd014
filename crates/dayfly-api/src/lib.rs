//! The HTTP contract between Dayfly's programs: request, response and problem types, and nothing else.
//!
//! Names and certificates are checked when they are read, since they are the domain's own types. Times are RFC 3339, UTC; durations are written
//! `5m`; keys and certificates are one OpenSSH line. Every request but those under [`path::TRUST`] and [`path::CHALLENGE`] is signed as
//! [`dayfly_core::signed_request`] tells, and every answer carries the next challenge in its `dayfly-challenge` header.

pub mod bastion;
pub mod certificate;
pub mod decision;
pub mod device;
pub mod factor;
pub mod host;
pub mod log;
pub mod path;
pub mod person;
pub mod problem;
pub mod session;
pub mod sign_in;
pub mod trust;
