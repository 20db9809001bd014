//! The SSH certificate authority.
//!
//! | Module | What it is |
//! |---|---|
//! | [`args`], [`commands`] | the command line, one file a command |
//! | [`config`] | `ca.toml` and what it names → a checked [`config::Config`] |
//! | [`geo`] | where on earth addresses are |
//! | [`signer`] | the CA's keys; nothing outside touches one |
//! | [`private_file`], [`tls_certificate`] | files that nobody else may read; the certificate that callers see |
//! | [`mistake`] | what is wrong in a file, where, and what to do |
//! | [`store`] | what the CA remembers, and the log's rows |
//! | [`log`] | the signed head, pages and exports of the log |
//! | [`identity`] | who calls: challenges, signed requests, proofs of possession |
//! | [`authority`] | what every pipeline works with |
//! | [`issue`], [`session`], [`host_certificate`] | the pipelines that sign |
//! | [`sign_in`], [`federation`] | keys that come to speak for people by a browser, and for machines by a token |
//! | [`factor`], [`ceremony`] | second factors: codes, touches, and what is done in a browser |
//! | [`by_browser`] | what a tool has a browser do for it, and how the answer finds the tool |
//! | [`host_enrollment`], [`host_setup`], [`host_report`] | hosts: enrolled by a one-time token, told what to trust, seen to hold it |
//! | [`revoke`], [`revocations`] | what was revoked: the pipeline, and what is in force now |
//! | [`bastion_events`], [`review`], [`refused_request`] | what else goes to the log, and who reads it |
//! | [`inventory`] | the inventory's sources: read, judged, kept, and put in force as one rule book |
//! | [`overview`], [`why`], [`bastion_inventory`], [`trust`] | what people, bastions and everybody may know |
//! | [`http`], [`address_rate`] | requests in, outcomes out, and what they may use up |
//! | [`serve`], [`run`], [`reload`], [`trace`] | TLS, connections, drain; the process and its signals |
//! | [`assemble`] | the one place that names concrete adapters |
//!
//! Invariants:
//! - Nothing is signed whose event is not in the log, on disk.
//! - SQL is written under `store/` alone, HTTP's status codes under `http/` alone.

pub mod address_rate;
pub mod args;
pub mod assemble;
pub mod authority;
pub mod bastion_events;
pub mod bastion_inventory;
pub mod bastion_report;
pub mod by_browser;
pub mod caller_rate;
pub mod ceremony;
pub mod commands;
pub mod config;
pub mod device;
pub mod factor;
pub mod failure;
pub mod federation;
pub mod geo;
pub mod host_certificate;
pub mod host_enrollment;
pub mod host_report;
pub mod host_setup;
pub mod http;
pub mod identity;
pub mod inventory;
pub mod issue;
pub mod log;
pub mod mistake;
pub mod overview;
mod places;
pub mod private_file;
pub mod refused_request;
pub mod reload;
pub mod review;
pub mod revocations;
pub mod revoke;
pub mod rotate;
pub mod run;
pub mod serve;
pub mod session;
pub mod sign_in;
pub mod signer;
pub mod store;
pub mod tls_certificate;
pub mod trace;
pub mod trust;
pub mod why;

#[cfg(test)]
mod installation;
