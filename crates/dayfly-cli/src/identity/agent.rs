//! An identity that the running ssh-agent holds.

use crate::agent::Agent;
use dayfly_client::{RequestSigner, request_signer::Signing};
use dayfly_core::{
    signature::{fingerprint, sign_sshsig},
    signer::{Signer, SignerError},
};
use ssh_key::{Signature, public::KeyData};

/// Signs by asking the agent, with a connection for each signature: an agent that was started again meanwhile is found.
#[derive(Clone)]
pub(super) struct AgentSigner {
    key: KeyData,
}

impl AgentSigner {
    pub(super) fn new(key: KeyData) -> Self {
        Self { key }
    }
}

impl Signer for AgentSigner {
    fn public_key(&self) -> &KeyData {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        Agent::connect()
            .and_then(|agent| agent.sign(&self.key, message))
            .map_err(|error| SignerError { key: fingerprint(&self.key), cause: error.to_string() })
    }
}

impl RequestSigner for AgentSigner {
    fn public_key(&self) -> &KeyData {
        &self.key
    }

    fn sign<'a>(&'a self, namespace: &'a str, message: &'a [u8]) -> Signing<'a> {
        let (signer, name, bytes) = (self.clone(), namespace.to_owned(), message.to_vec());
        Box::pin(async move {
            // A person may have to touch a token meanwhile.
            let signing = tokio::task::spawn_blocking(move || sign_sshsig(&signer, &name, &bytes));
            signing.await.unwrap_or_else(|error| Err(SignerError { key: fingerprint(&self.key), cause: error.to_string() }))
        })
    }
}
