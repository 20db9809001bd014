//! The CA's keys, each behind the port [`Signer`]. A file per custody.

use crate::{
    config::KeyFiles,
    mistake::{Mistake, Mistakes},
};
use dayfly_core::{signature, signer::Signer};
use file::FileSigner;
use passphrase::Passphrase;
use std::{collections::BTreeMap, path::Path, sync::Arc};

pub mod file;
pub mod generate;
pub mod passphrase;

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
    pub fn load(files: &KeyFiles, passphrase: Option<&Passphrase>) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let mut seen = BTreeMap::new();
        let mut load = |path: &Path| {
            let signer = mistakes.keep(FileSigner::load(path, passphrase))?;
            if let Some(first) = seen.insert(signature::fingerprint(signer.public_key()), path.to_owned()) {
                let cause = format!("holds the same key as {}", first.display());
                mistakes.0.push(Mistake::new(path, cause, "make one key for each purpose: ssh-keygen -t ed25519 -f FILE"));
            }
            Some(Arc::new(signer) as Arc<dyn Signer>)
        };
        let loaded = (load(&files.user_ca), load(&files.session_ca), load(&files.host_ca), load(&files.inner_host_ca), load(&files.log));
        match loaded {
            (Some(user_ca), Some(session_ca), Some(host_ca), Some(inner_host_ca), Some(log)) => {
                mistakes.or(Self { user_ca, session_ca, host_ca, inner_host_ca, log })
            }
            _ => Err(mistakes),
        }
    }
}
