//! An issuer of tokens: what it says of itself, and its keys, kept and asked for again when a token needs it.

use super::{
    token::{self, Expected, IssuerKeys, TokenError, VerifiedToken},
    web::{Web, WebError, is_plain_loopback, is_safe},
};
use crate::address_rate::AddressRate;
use serde::Deserialize;
use serde_json::Value;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant};
use url::Url;

/// How long what the issuer says of itself is believed, and its keys: one that was taken back is refused after that.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// How long a failure is remembered: those who wait for the same answer share it.
const FAILURE_KEPT: Duration = Duration::from_secs(1);

/// How often keys are asked for again because a token's is not among them: so many at once, and one a second. Anybody can make up a token.
const EARLY_FETCHES: (u64, u64) = (5, 1);

/// The one bucket of an issuer.
const ISSUER: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// What an issuer says of itself (OpenID Connect Discovery 1.0 § 3, RFC 8414, RFC 9207 § 3).
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    issuer: String,
    /// Where browsers go.
    pub authorization_endpoint: Option<Url>,
    /// Where codes become tokens.
    pub token_endpoint: Option<Url>,
    /// Where a token's holder is described.
    pub userinfo_endpoint: Option<Url>,
    jwks_uri: Url,
    /// Where people sign out.
    pub end_session_endpoint: Option<Url>,
    /// Whether every answer by way of the browser names the issuer.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// How clients show their secret.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// An issuer that cannot be asked, or a token that it did not make.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IssuerError {
    /// It cannot be asked, or says something else than it should.
    #[error("{0}")]
    Unavailable(String),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl From<WebError> for IssuerError {
    fn from(error: WebError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// An issuer.
pub struct Issuer {
    url: String,
    web: Web,
    /// Keys that were given, and are never fetched.
    pinned: Option<Arc<IssuerKeys>>,
    metadata: Mutex<Kept<Metadata>>,
    keys: Mutex<Kept<IssuerKeys>>,
    early: AddressRate,
}

/// What was fetched last, or why it could not be.
struct Kept<T>(Option<(Instant, Result<Arc<T>, IssuerError>)>);

impl<T> Kept<T> {
    fn get(&self) -> Option<Result<Arc<T>, IssuerError>> {
        let (at, found) = self.0.as_ref()?;
        let kept = if found.is_ok() { KEPT } else { FAILURE_KEPT };
        (at.elapsed() < kept).then(|| found.clone())
    }

    fn put(&mut self, found: Result<T, IssuerError>) -> Result<Arc<T>, IssuerError> {
        let found = found.map(Arc::new);
        self.0 = Some((Instant::now(), found.clone()));
        found
    }
}

impl Issuer {
    /// The issuer of this URL. `pinned` keys are believed instead of what it publishes.
    pub fn new(url: &str, web: Web, pinned: Option<IssuerKeys>) -> Self {
        let early = AddressRate::new(EARLY_FETCHES.0, EARLY_FETCHES.1);
        let (metadata, keys) = (Mutex::new(Kept(None)), Mutex::new(Kept(None)));
        Self { url: url.to_owned(), web, pinned: pinned.map(Arc::new), metadata, keys, early }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What calls it.
    pub fn web(&self) -> &Web {
        &self.web
    }

    /// What it says of itself. Asked for when it is needed first: an issuer that is down keeps no CA from starting.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, IssuerError> {
        let mut kept = self.metadata.lock().await;
        if let Some(found) = kept.get() {
            return found;
        }
        let found = self.discover().await;
        kept.put(found)
    }

    /// Checks a token of this issuer's. If none of its keys fits, they are asked for once more.
    pub async fn verify(&self, text: &str, expected: Expected<'_>) -> Result<VerifiedToken, IssuerError> {
        if let Some(pinned) = &self.pinned {
            return Ok(token::verify(text, pinned, expected)?);
        }
        let keys = self.keys(None).await?;
        match token::verify(text, &keys, expected) {
            Err(TokenError::UnknownKey) if self.early.take(ISSUER, expected.now) => {
                let newer = self.keys(Some(&keys)).await?;
                Ok(token::verify(text, &newer, expected)?)
            }
            verdict => Ok(verdict?),
        }
    }

    /// Its keys, others than `stale` if they are given.
    async fn keys(&self, stale: Option<&Arc<IssuerKeys>>) -> Result<Arc<IssuerKeys>, IssuerError> {
        let mut kept = self.keys.lock().await;
        match (kept.get(), stale) {
            (Some(Ok(found)), Some(stale)) if Arc::ptr_eq(&found, stale) => {}
            (Some(found), _) => return found,
            (None, _) => {}
        }
        match (self.fetch_keys().await, stale) {
            // A stranger's token made the CA ask: what is known stays good for the others.
            (Err(error), Some(_)) => Err(error),
            (found, _) => kept.put(found),
        }
    }

    async fn fetch_keys(&self) -> Result<IssuerKeys, IssuerError> {
        let metadata = self.metadata().await?;
        let set: Value = self.web.get(&metadata.jwks_uri).await?;
        IssuerKeys::read(&set).map_err(|cause| IssuerError::Unavailable(format!("the keys of {} cannot be read: {cause}", self.url)))
    }

    async fn discover(&self) -> Result<Metadata, IssuerError> {
        let bad = |cause: &str| IssuerError::Unavailable(format!("{} describes itself wrongly: {cause}", self.url));
        let address = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let address = Url::parse(&address).map_err(|error| bad(&error.to_string()))?;
        let metadata: Metadata = self.web.get(&address).await?;
        if metadata.issuer != self.url {
            return Err(bad(&format!("it calls itself {:?}", metadata.issuer.chars().take(200).collect::<String>())));
        }
        let endpoints = [
            Some(&metadata.jwks_uri),
            metadata.authorization_endpoint.as_ref(),
            metadata.token_endpoint.as_ref(),
            metadata.userinfo_endpoint.as_ref(),
            metadata.end_session_endpoint.as_ref(),
        ];
        // What is not on this host has no business sending the CA to a port of this host.
        let may_be_plain = is_plain_loopback(&address);
        let is_bad = |endpoint: &Url| !is_safe(endpoint) || (is_plain_loopback(endpoint) && !may_be_plain);
        let bad_one =
            endpoints.into_iter().flatten().find(|endpoint| is_bad(endpoint)).map(|endpoint| endpoint.origin().ascii_serialization());
        match bad_one {
            Some(endpoint) => Err(bad(&format!("{endpoint} is neither https:// nor, as the issuer, on loopback"))),
            None => Ok(metadata),
        }
    }
}
