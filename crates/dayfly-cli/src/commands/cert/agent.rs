//! A certificate in the running ssh-agent.

use crate::{
    agent::{Agent, ListedKey},
    certificate::{files::KeyFiles, is_ours, now},
    connection::Connection,
    error::{Failure, Kind},
    login::keys,
    state::StateError,
    state::private_file::PrivateDirectory,
};
use dayfly_api::certificate::IssuedCertificate;
use ssh_key::{Certificate, PrivateKey};

/// Where the certificates that the agent holds are kept, below the state directory: a file a target, for `ssh` to pick its key by.
pub(crate) const IN_AGENT: &str = "agent";

/// The certificates that the agent holds, with their comments.
pub(super) fn certificates(agent: &Agent) -> Result<Vec<(Certificate, String)>, Failure> {
    let certified = agent.list()?.into_iter().filter_map(|listed| match listed.key {
        ListedKey::Certified(certificate) => Some((*certificate, listed.comment)),
        ListedKey::Plain(_) => None,
    });
    Ok(certified.collect())
}

/// Adds a key with its certificate, then takes out what it replaces: `ssh` offers every key that an agent holds, and servers cut off after six.
pub(super) fn store(
    agent: &Agent,
    connection: &Connection,
    key: &PrivateKey,
    certificate: &Certificate,
    issued: &IssuedCertificate,
    label: &str,
) -> Result<(), Failure> {
    let earlier = certificates(agent)?;
    agent.add(key, certificate, label, lifetime(certificate)?)?;
    let user_ca = keys(&connection.trust.user_ca);
    let is_replaced = |certificate: &Certificate, comment: &str| {
        let is_expired = is_ours(comment) && certificate.valid_before() <= now();
        user_ca.contains(certificate.signature_key()) && (comment == label || is_expired)
    };
    for (certificate, _) in earlier.iter().filter(|(certificate, comment)| is_replaced(certificate, comment)) {
        agent.remove(certificate)?;
    }
    let directory = PrivateDirectory::create(&connection.state.path().join(IN_AGENT)).map_err(StateError::from)?;
    for target in &issued.targets {
        KeyFiles::new(&directory.path().join(target.as_str()))?.write_certificate(&issued.certificate)?;
    }
    Ok(())
}

/// Seconds until the certificate ends, by this host's clock.
fn lifetime(certificate: &Certificate) -> Result<u32, Failure> {
    match u32::try_from(certificate.valid_before().saturating_sub(now())) {
        Ok(seconds @ 1..) => Ok(seconds),
        _ => Err(Failure::new(Kind::Failed, "the certificate has ended already, by this host's clock")
            .because("the clocks of this host and of the CA differ")
            .remedy("set this host's clock")),
    }
}
