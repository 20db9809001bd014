//! One signed call: challenge, signature, answer, and once more if the challenge was stale.

use crate::{ClientError, RequestSigner};
use base64::{Engine, engine::general_purpose::STANDARD};
use dayfly_api::{path, problem::Problem};
use dayfly_core::{
    reason::Reason,
    signed_request::{
        CHALLENGE_HEADER, Certifies, DEVICE_SIGNATURE_HEADER, POSSESSION_NAMESPACE, Purpose, REQUEST_NAMESPACE, SIGNATURE_HEADER,
        SignedRequest, TOUCH_NAMESPACE, TouchedTo, possession_message, touch_message,
    },
    signer::SignerError,
};
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use ssh_key::LineEnding;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a challenge is kept for a next call. The CA takes them a little longer.
const CHALLENGE_LIFE: Duration = Duration::from_secs(240);

/// How many spare challenges are kept: as many as calls go at once.
const SPARE_CHALLENGES: usize = 64;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Writes a body around a proof of possession.
pub(crate) type WriteBody<'a> = &'a (dyn Fn(String) -> Result<Vec<u8>, ClientError> + Sync);

/// What a key proves that signs a part of the body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proves<'a> {
    /// That it is held, to be certified.
    Possession(Certifies),
    /// That it was touched, for a request that this other key signs.
    Touch(TouchedTo, &'a str),
}

/// What a call sends.
pub(crate) enum Body<'a> {
    Empty,
    Json(Vec<u8>),
    /// A body that proves something of a key, bound to the challenge of the very call.
    Proving {
        proves: Proves<'a>,
        caller: &'a str,
        key: &'a dyn RequestSigner,
        write: WriteBody<'a>,
    },
}

/// Makes calls to one CA, as one caller.
pub(crate) struct Caller {
    pub(crate) http: reqwest::Client,
    pub(crate) origin: String,
    pub(crate) purpose: Purpose,
    pub(crate) signer: Arc<dyn RequestSigner>,
    /// The device that the caller is on.
    pub(crate) device: Option<Arc<dyn RequestSigner>>,
    pub(crate) challenges: Mutex<VecDeque<(String, Instant)>>,
}

impl Caller {
    /// A signed call that answers with JSON.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Body<'_>) -> Result<T, ClientError> {
        match self.attempt(&method, path, &body).await {
            Err(error) if error.code() == Some(Reason::BadChallenge.code()) => {
                self.keep_newest_challenge();
                self.attempt(&method, path, &body).await
            }
            answer => answer,
        }
    }

    /// An unsigned `GET` that answers with JSON.
    pub(crate) async fn get_unsigned<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let response = self.http.get(format!("{}{path}", self.origin)).send().await.map_err(|error| self.unreachable(error))?;
        self.read(response).await
    }

    /// An unsigned `GET` that answers with anything.
    pub(crate) async fn get_bytes_unsigned(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let response = self.http.get(format!("{}{path}", self.origin)).send().await.map_err(|error| self.unreachable(error))?;
        self.read_bytes(response).await
    }

    async fn attempt<T: DeserializeOwned>(&self, method: &Method, path: &str, body: &Body<'_>) -> Result<T, ClientError> {
        let challenge = self.challenge().await?;
        let body = self.write_body(body, &challenge).await?;
        let signed = SignedRequest {
            server: &self.origin,
            purpose: self.purpose,
            challenge: &challenge,
            method: method.as_str(),
            path,
            body: &body,
        };
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.origin))
            .header(CHALLENGE_HEADER, &challenge)
            .header(SIGNATURE_HEADER, signature(&*self.signer, signed).await?)
            .header("content-type", "application/json");
        if let Some(device) = &self.device {
            let signed = SignedRequest { purpose: Purpose::Device, ..signed };
            request = request.header(DEVICE_SIGNATURE_HEADER, signature(&**device, signed).await?);
        }
        let response = request.body(body).send().await.map_err(|error| self.unreachable(error))?;
        self.read(response).await
    }

    async fn write_body(&self, body: &Body<'_>, challenge: &str) -> Result<Vec<u8>, ClientError> {
        match body {
            Body::Empty => Ok(Vec::new()),
            Body::Json(bytes) => Ok(bytes.clone()),
            Body::Proving { proves, caller, key, write } => {
                let (namespace, message) = match proves {
                    Proves::Possession(certifies) => {
                        (POSSESSION_NAMESPACE, possession_message(&self.origin, *certifies, caller, challenge))
                    }
                    Proves::Touch(to, signer) => (TOUCH_NAMESPACE, touch_message(&self.origin, *to, caller, signer, challenge)),
                };
                let sshsig = key.sign(namespace, &message).await?;
                let armored = sshsig.to_pem(LineEnding::LF).map_err(unencodable)?;
                write(armored)
            }
        }
    }

    /// A spare challenge, or a fresh one.
    async fn challenge(&self) -> Result<String, ClientError> {
        if let Some(challenge) = self.spare_challenge() {
            return Ok(challenge);
        }
        let response =
            self.http.get(format!("{}{}", self.origin, path::CHALLENGE)).send().await.map_err(|error| self.unreachable(error))?;
        if response.status().is_success() {
            let challenge = response.headers().get(CHALLENGE_HEADER).and_then(|value| value.to_str().ok());
            return challenge.map(str::to_owned).ok_or_else(|| self.protocol("it carries no challenge"));
        }
        self.read::<serde_json::Value>(response).await?;
        Err(self.protocol("it carries no challenge"))
    }

    fn spare_challenge(&self) -> Option<String> {
        let mut spare = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((challenge, since)) = spare.pop_front() {
            if since.elapsed() < CHALLENGE_LIFE {
                return Some(challenge);
            }
        }
        None
    }

    /// Of several that a CA gave which has been started anew since, none is good; the one that came with its refusal is.
    fn keep_newest_challenge(&self) {
        let mut spare = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        let older = spare.len().saturating_sub(1);
        spare.drain(..older);
    }

    fn keep_challenge(&self, response: &Response) {
        let Some(challenge) = response.headers().get(CHALLENGE_HEADER).and_then(|value| value.to_str().ok()) else { return };
        let mut spare = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() >= SPARE_CHALLENGES {
            spare.pop_front();
        }
        spare.push_back((challenge.to_owned(), Instant::now()));
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, ClientError> {
        let bytes = self.read_bytes(response).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.protocol(&error.to_string()))
    }

    /// The body of a success; a problem is an error.
    async fn read_bytes(&self, mut response: Response) -> Result<Vec<u8>, ClientError> {
        self.keep_challenge(&response);
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if bytes.len() + chunk.len() > LARGEST_ANSWER {
                return Err(self.protocol("it is too large"));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(bytes);
        }
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
            Err(_) => Err(self.protocol(&format!("status {status} without a problem"))),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> ClientError {
        let mut cause = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            cause = inner.to_string();
            source = inner.source();
        }
        if cause.contains("ApplicationVerificationFailure") {
            cause = "it shows another TLS key than the pinned one".to_owned();
        }
        ClientError::Unreachable { origin: self.origin.clone(), cause }
    }

    fn protocol(&self, cause: &str) -> ClientError {
        ClientError::Protocol { origin: self.origin.clone(), cause: cause.to_owned() }
    }
}

/// The header's value that signs a request.
async fn signature(signer: &dyn RequestSigner, signed: SignedRequest<'_>) -> Result<String, ClientError> {
    let sshsig = signer.sign(REQUEST_NAMESPACE, &signed.message()).await?;
    Ok(STANDARD.encode(sshsig_bytes(&sshsig)?))
}

fn unencodable(error: ssh_key::Error) -> ClientError {
    ClientError::Signer(SignerError { key: "request".to_owned(), cause: error.to_string() })
}

/// The blob without armor (OpenSSH PROTOCOL.sshsig).
fn sshsig_bytes(sshsig: &ssh_key::SshSig) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    ssh_encoding::Encode::encode(sshsig, &mut bytes)
        .map_err(|error| ClientError::Signer(SignerError { key: "request".to_owned(), cause: error.to_string() }))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::KeySigner;
    use dayfly_core::signer::SeedSigner;

    #[test]
    fn of_challenges_that_turn_out_stale_the_newest_is_kept() {
        let now = Instant::now();
        let spare = ["before", "before too", "came with the refusal"].map(|challenge| (challenge.to_owned(), now));
        let caller = Caller {
            http: reqwest::Client::new(),
            origin: "https://ca.example".to_owned(),
            purpose: Purpose::Person,
            signer: Arc::new(KeySigner::new(SeedSigner::new(1).private_key().clone())),
            device: None,
            challenges: Mutex::new(spare.into()),
        };
        caller.keep_newest_challenge();
        assert_eq!(caller.spare_challenge().as_deref(), Some("came with the refusal"));
        assert_eq!(caller.spare_challenge(), None);
        caller.keep_newest_challenge();
    }
}
