//! The CA's keys, each behind the port [`Signer`]. A file per custody.

use dayfly_core::signer::Signer;
use std::sync::Arc;

/// The CA's five keys, by purpose.
#[derive(Clone)]
pub struct Keyring {
    /// Signs people's and machines' certificates.
    pub user_ca: Arc<dyn Signer>,
    /// Signs session certificates.
    pub session_ca: Arc<dyn Signer>,
    /// Signs host certificates of bastions and real hosts.
    pub host_ca: Arc<dyn Signer>,
    /// Signs what a bastion shows when it answers for a recorded target.
    pub inner_host_ca: Arc<dyn Signer>,
    /// Signs the log's head.
    pub log: Arc<dyn Signer>,
}
