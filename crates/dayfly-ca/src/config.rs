//! `ca.toml` and the files that it names → a checked [`Config`].

use dayfly_core::{policy::Policy, role::Roles, target::Inventory};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Everything that the CA is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The CA's origin as callers write it: `https://` and a host, without a path. Signed requests are bound to it.
    pub origin: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The store's file.
    pub store: PathBuf,
    /// The certificate that callers see, and its key.
    pub tls: TlsFiles,
    /// The CA's keys.
    pub keys: KeyFiles,
    /// What callers may use up.
    pub limits: Limits,
    /// Who may have what, where.
    pub rules: RuleBook,
}

/// The TLS certificate (chain) and its private key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, its chain behind it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The files of the CA's private keys, in OpenSSH's format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// Signs people's and machines' certificates.
    pub user_ca: PathBuf,
    /// Signs session certificates.
    pub session_ca: PathBuf,
    /// Signs host certificates of bastions and real hosts.
    pub host_ca: PathBuf,
    /// Signs what a bastion shows when it answers for a recorded target.
    pub inner_host_ca: PathBuf,
    /// Signs the log's head.
    pub log: PathBuf,
}

/// What callers may use up, so that no one of them can take the CA from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections from one address.
    pub connections_per_address: usize,
    /// Requests that are worked on at a time; more than that are turned away.
    pub requests_in_flight: usize,
    /// How long one request may take, its body's arrival included.
    pub request_timeout: Duration,
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// How long a challenge can be answered.
    pub challenge_lifetime: Duration,
}

/// Who may have what, where: the part of the configuration that can be replaced while the CA runs.
#[derive(Debug, Clone)]
pub struct RuleBook {
    /// What a certificate may contain.
    pub roles: Roles,
    /// Which targets there are.
    pub inventory: Inventory,
    /// Who may have what.
    pub policy: Policy,
}
