//! The CA's keys, each behind the port [`Signer`]. A file per custody.

use crate::{
    config::{Custody, Key, Keys},
    mistake::{Mistake, Mistakes},
};
use dayfly_core::{
    signature::{authority_strength, fingerprint},
    signer::Signer,
};
use file::FileSigner;
use secrets::Secrets;
use ssh_key::{Mpint, encoding::Encode};
use std::{collections::BTreeMap, sync::Arc};

pub mod agent;
pub mod file;
pub mod generate;
pub mod memory;
pub mod passphrase;
pub mod pkcs11;
mod pool;
pub mod secrets;
#[cfg(test)]
mod suite;

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

impl Keyring {
    /// Opens all five. Returns all mistakes, not the first. Two purposes never share a key: a session CA that is the user CA, say, would let a
    /// person's certificate log in to a recorded target directly.
    pub fn load(keys: &Keys, secrets: &Secrets) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let mut seen = BTreeMap::new();
        let mut load = |key: &Key| {
            let signer = mistakes.keep(open(key, secrets))?;
            if let Some(first) = seen.insert(fingerprint(signer.public_key()), key.purpose) {
                let remedy = "make one key for each purpose: ssh-keygen -t ed25519 -f FILE";
                mistakes.0.push(key.mistake(format!("it is the same key as {first}"), remedy));
            }
            Some(signer)
        };
        let loaded = (load(&keys.user_ca), load(&keys.session_ca), load(&keys.host_ca), load(&keys.inner_host_ca), load(&keys.log));
        match loaded {
            (Some(user_ca), Some(session_ca), Some(host_ca), Some(inner_host_ca), Some(log)) => {
                mistakes.or(Self { user_ca, session_ca, host_ca, inner_host_ca, log })
            }
            _ => Err(mistakes),
        }
    }
}

/// Opens one key, wherever it is kept.
pub fn open(key: &Key, secrets: &Secrets) -> Result<Arc<dyn Signer>, Mistake> {
    let signer: Arc<dyn Signer> = match &key.custody {
        Custody::File(path) => Arc::new(FileSigner::load(path, secrets)?),
        Custody::Agent(at) => Arc::new(agent::open(key, at)?),
        Custody::Token(at) => Arc::new(pkcs11::open(key, at, secrets)?),
    };
    authority_strength(signer.public_key()).map_err(|refusal| Mistake::new(key.place(), refusal.message, refusal.remedy))?;
    Ok(signer)
}

/// `r ‖ s`, of the curve's size each, as `mpint r ‖ mpint s` (RFC 5656 § 3.1.2).
fn two_integers(fixed: &[u8]) -> Result<Vec<u8>, ssh_key::encoding::Error> {
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let mut data = Vec::with_capacity(fixed.len() + 10);
    Mpint::from_positive_bytes(r).encode(&mut data)?;
    Mpint::from_positive_bytes(s).encode(&mut data)?;
    Ok(data)
}
