//! What to trust: the authorities' public keys by purpose, and the lines that tell OpenSSH which names each is good for.

mod known_hosts;
mod revocation_list;

pub use known_hosts::known_hosts;
pub use revocation_list::{LatestList, RevocationList, revocation_list};

use crate::{authority::Authority, failure::Failure, signer::Keyring};
use dayfly_api::trust::Trust;
use dayfly_core::signer::Signer;
use ssh_key::PublicKey;

/// A purpose that one of the CA's keys serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signs people's and machines' certificates.
    User,
    /// Signs session certificates.
    Session,
    /// Signs host certificates of bastions and real hosts.
    Host,
    /// Signs what a bastion shows when it answers for a recorded target.
    InnerHost,
}

impl std::str::FromStr for Purpose {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "user" => Ok(Self::User),
            "session" => Ok(Self::Session),
            "host" => Ok(Self::Host),
            "inner-host" => Ok(Self::InnerHost),
            _ => Err(()),
        }
    }
}

/// One authority's public key, one OpenSSH line that names its purpose.
pub fn ca_key(keyring: &Keyring, purpose: Purpose) -> Result<String, Failure> {
    let (signer, comment) = match purpose {
        Purpose::User => (&keyring.user_ca, "dayfly-user-ca"),
        Purpose::Session => (&keyring.session_ca, "dayfly-session-ca"),
        Purpose::Host => (&keyring.host_ca, "dayfly-host-ca"),
        Purpose::InnerHost => (&keyring.inner_host_ca, "dayfly-inner-host-ca"),
    };
    line(signer.as_ref(), comment)
}

/// All of it.
pub async fn trust(authority: &Authority) -> Result<Trust, Failure> {
    let keyring = &authority.keyring;
    Ok(Trust {
        user_ca: vec![ca_key(keyring, Purpose::User)?],
        session_ca: vec![ca_key(keyring, Purpose::Session)?],
        host_ca: vec![ca_key(keyring, Purpose::Host)?],
        inner_host_ca: vec![ca_key(keyring, Purpose::InnerHost)?],
        log_key: line(keyring.log.as_ref(), "dayfly-log")?,
        known_hosts: known_hosts_lines(authority).await?,
    })
}

/// The lines for `known_hosts`.
pub async fn known_hosts_lines(authority: &Authority) -> Result<Vec<String>, Failure> {
    let bastions = authority.store.bastions().await?;
    let host_ca = ca_key(&authority.keyring, Purpose::Host)?;
    let inner_host_ca = ca_key(&authority.keyring, Purpose::InnerHost)?;
    Ok(known_hosts(&bastions, &authority.rules.load().inventory, &host_ca, &inner_host_ca))
}

fn line(signer: &dyn Signer, comment: &str) -> Result<String, Failure> {
    PublicKey::new(signer.public_key().clone(), comment).to_openssh().map_err(|error| Failure::Internal(error.to_string()))
}
