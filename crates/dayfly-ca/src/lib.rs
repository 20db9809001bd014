//! The SSH certificate authority.
//!
//! | Module | What it is |
//! |---|---|
//! | [`args`], [`commands`] | the command line, one file a command |
//! | [`config`] | `ca.toml` and what it names → a checked [`config::Config`] |
//! | [`signer`] | the CA's keys; nothing outside touches one |
//! | [`store`] | what the CA remembers, and the log's rows |
//! | [`log`] | the signed head, pages and exports of the log |
//!
//! Invariants:
//! - Nothing is signed whose event is not in the log, on disk.
//! - SQL is written under `store/` alone, HTTP's status codes under `http/` alone.

pub mod config;
pub mod failure;
pub mod log;
pub mod mistake;
pub mod private_file;
pub mod signer;
pub mod store;
