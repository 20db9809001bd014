//! The crossing between two versions of the SSH key library: the agent library has its own, older one, so values go over as bytes.

use ssh_agent_lib::{
    blocking::Client,
    error::AgentError,
    proto::{
        AddIdentity, AddIdentityConstrained, KeyConstraint, PrivateCredential, PrivateKeyData, PublicCredential, RemoveIdentity,
        SignRequest, signature::RSA_SHA2_512,
    },
    ssh_encoding::{Decode as _, Encode as _},
    ssh_key as older,
};
use ssh_key::{Algorithm, Certificate, PrivateKey, PublicKey, Signature, private::KeypairData, public::KeyData};
use std::os::unix::net::UnixStream;
use zeroize::Zeroizing;

/// A value that one of the two versions cannot hold.
#[derive(Debug, thiserror::Error)]
pub(super) enum CrossingError {
    /// A kind of key that is never made here.
    #[error("only Ed25519 keys are put into an agent")]
    Kind,
    /// The newer version.
    #[error(transparent)]
    Newer(#[from] ssh_key::Error),
    /// The older version.
    #[error(transparent)]
    Older(#[from] older::Error),
    /// The older version's encoding.
    #[error(transparent)]
    OlderEncoding(#[from] ssh_agent_lib::ssh_encoding::Error),
    /// The agent's answer.
    #[error("{0}")]
    Agent(#[from] AgentError),
}

pub(super) fn sign(agent: &UnixStream, key: &KeyData, message: &[u8]) -> Result<Signature, CrossingError> {
    let flags = if matches!(key.algorithm(), Algorithm::Rsa { .. }) { RSA_SHA2_512 } else { 0 };
    let bytes = PublicKey::from(key.clone()).to_bytes()?;
    let credential = PublicCredential::Key(older::public::KeyData::decode(&mut bytes.as_slice())?);
    let signature: Vec<u8> = Client::new(agent).sign(SignRequest { credential, data: message.to_vec(), flags })?.try_into()?;
    Ok(Signature::try_from(signature.as_slice())?)
}

pub(super) fn add(
    agent: &UnixStream,
    key: &PrivateKey,
    certificate: &Certificate,
    comment: &str,
    lifetime_seconds: u32,
) -> Result<(), CrossingError> {
    let KeypairData::Ed25519(pair) = key.key_data() else { return Err(CrossingError::Kind) };
    let pair = Zeroizing::new(pair.to_bytes());
    let credential = PrivateCredential::Cert {
        algorithm: older::Algorithm::Ed25519,
        certificate: Box::new(older_certificate(certificate)?),
        privkey: PrivateKeyData::Ed25519(older::private::Ed25519Keypair::from_bytes(&pair)?),
        comment: comment.to_owned(),
    };
    let constraints = vec![KeyConstraint::Lifetime(lifetime_seconds)];
    Ok(Client::new(agent).add_identity_constrained(AddIdentityConstrained { identity: AddIdentity { credential }, constraints })?)
}

pub(super) fn remove(agent: &UnixStream, certificate: &Certificate) -> Result<(), CrossingError> {
    let credential = PublicCredential::Cert(Box::new(older_certificate(certificate)?));
    Ok(Client::new(agent).remove_identity(RemoveIdentity { credential })?)
}

/// Refuses to send a certificate that the older version would write differently.
fn older_certificate(certificate: &Certificate) -> Result<older::Certificate, CrossingError> {
    let bytes = certificate.to_bytes()?;
    let crossed = older::Certificate::from_bytes(&bytes)?;
    let mut written = Vec::new();
    crossed.encode(&mut written)?;
    if written == bytes { Ok(crossed) } else { Err(CrossingError::Older(older::Error::FormatEncoding)) }
}
