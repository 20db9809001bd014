//! The CA's keys, each behind the port [`Signer`]. A file per custody.

use crate::{
    config::{Custody, Key},
    mistake::Mistake,
};
use dayfly_core::{signature::authority_strength, signer::Signer};
use file::FileSigner;
use secrets::Secrets;
use ssh_key::{Mpint, encoding::Encode};
use std::sync::Arc;

pub mod agent;
pub mod away;
pub mod configured;
pub mod file;
pub mod generate;
pub mod keyring;
pub mod memory;
pub mod passphrase;
pub mod pkcs11;
mod pool;
pub mod secrets;
#[cfg(test)]
mod suite;

pub use keyring::Keyring;

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
