//! An OpenID Connect provider, seen by the CA as its client: the way there, and what comes back (authorization code, PKCE, state, nonce).

use super::{
    claims,
    issuer::{Issuer, IssuerError, Metadata},
    token::{Expected, VerifiedToken},
    web::{Web, WebError},
};
use crate::config::ProviderSettings;
use dayfly_core::{
    name::GroupName,
    reason::{Reason, Refusal},
};
use openidconnect::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, JsonWebKeySet, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenUrl,
    core::{CoreAuthenticationFlow, CoreClient, CoreErrorResponseType},
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use url::Url;
use zeroize::Zeroizing;

/// Where providers send browsers back to.
pub const CALLBACK: &str = "/oidc/callback";

/// A provider.
pub struct Provider {
    settings: ProviderSettings,
    secret: Option<ClientSecret>,
    issuer: Issuer,
    /// The callback of all providers whose answers say who gives them.
    shared: RedirectUrl,
    /// Its own.
    own: RedirectUrl,
    is_alone: bool,
}

/// Somebody who proved to a provider who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenPerson {
    /// The provider's issuer URL.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// How the provider calls them.
    pub shown: Option<String>,
    /// Their groups.
    pub groups: BTreeSet<GroupName>,
}

/// What only the CA knows of one way there and back.
pub struct Round {
    nonce: Nonce,
    verifier: Zeroizing<String>,
}

/// What came back by way of the browser.
#[derive(Debug, Clone, Copy)]
pub struct Returned<'a> {
    /// The code.
    pub code: &'a str,
    /// Who says so (RFC 9207).
    pub issuer: Option<&'a str>,
    /// Whose callback it came to, where that is one provider's alone.
    pub callback: Option<&'a str>,
    /// The time, in Unix seconds.
    pub now: u64,
}

/// A provider that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the provider {name} cannot be used: {cause}")]
pub struct BadProvider {
    name: String,
    cause: String,
}

impl Provider {
    /// The provider of these settings, as the CA at `origin` sees it.
    ///
    /// Among several, one whose answers do not say who gives them has a callback of its own: otherwise any of them could have a browser bring the answer of
    /// another, and be given its code (RFC 9700 § 4.4).
    pub fn new(settings: ProviderSettings, secret: Option<String>, origin: &str, is_alone: bool, web: Web) -> Result<Self, BadProvider> {
        let bad = |cause: String| BadProvider { name: settings.name.clone(), cause };
        let shared = RedirectUrl::new(format!("{origin}{CALLBACK}")).map_err(|error| bad(error.to_string()))?;
        let own = RedirectUrl::new(format!("{origin}{CALLBACK}/{}", settings.name)).map_err(|error| bad(error.to_string()))?;
        IssuerUrl::new(settings.issuer.clone()).map_err(|error| bad(error.to_string()))?;
        let issuer = Issuer::new(&settings.issuer, web, None);
        Ok(Self { secret: secret.map(ClientSecret::new), issuer, shared, own, is_alone, settings })
    }

    /// Its issuer URL.
    pub fn issuer(&self) -> &str {
        self.issuer.url()
    }

    /// Its name here.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Where to send a browser, and what to keep until it comes back with `state`.
    pub async fn way_there(&self, state: &str) -> Result<(Url, Round), Refusal> {
        let metadata = self.issuer.metadata().await.map_err(|error| self.refusal(&error))?;
        let place = metadata.authorization_endpoint.clone().ok_or_else(|| self.unavailable("it has no place where people sign in"))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = state.to_owned();
        let client = self.client(&metadata)?.set_auth_uri(AuthUrl::from_url(place));
        let scopes = self.settings.scopes.iter().filter(|scope| *scope != "openid").map(|scope| Scope::new(scope.clone()));
        let (url, _, nonce) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || CsrfToken::new(state), Nonce::new_random)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        Ok((url, Round { nonce, verifier: Zeroizing::new(verifier.into_secret()) }))
    }

    /// Who it was that came back.
    pub async fn person(&self, round: Round, returned: Returned<'_>) -> Result<ProvenPerson, Refusal> {
        let metadata = self.issuer.metadata().await.map_err(|error| self.refusal(&error))?;
        self.check_issuer(&metadata, &returned)?;
        let (id_token, access_token) = self.exchange(&metadata, &round, returned.code).await?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            audience: &self.settings.client_id,
            nonce: Some(round.nonce.secret()),
            algorithms: &self.settings.algorithms,
            now: returned.now,
        };
        let verified = self.issuer.verify(&id_token, expected).await.map_err(|error| self.refusal(&error))?;
        let said = self.all_claims(&metadata, &verified, &access_token).await?;
        let groups = self.settings.groups_claim.as_deref();
        Ok(ProvenPerson {
            issuer: verified.issuer,
            subject: verified.subject,
            shown: claims::shown(&said),
            groups: groups.map(|name| claims::groups(&said, name, self.settings.groups.as_ref())).unwrap_or_default(),
        })
    }

    /// Where people sign out of it, if it has such a place (OpenID Connect RP-Initiated Logout 1.0).
    pub async fn end_session(&self) -> Option<String> {
        let mut place = self.issuer.metadata().await.ok()?.end_session_endpoint.clone()?;
        place.query_pairs_mut().append_pair("client_id", &self.settings.client_id);
        Some(place.into())
    }

    /// An answer that another provider gave, or that somebody says it gave, is no answer (RFC 9207 § 2.4).
    fn check_issuer(&self, metadata: &Metadata, returned: &Returned<'_>) -> Result<(), Refusal> {
        let own = self.has_own_callback(metadata).then_some(self.name());
        if returned.callback != own {
            return Err(self.bad_token("the answer came to another provider's callback"));
        }
        match returned.issuer {
            Some(found) if found == self.settings.issuer => Ok(()),
            None if !metadata.authorization_response_iss_parameter_supported => Ok(()),
            _ => Err(self.bad_token("the answer is another issuer's (iss)")),
        }
    }

    fn has_own_callback(&self, metadata: &Metadata) -> bool {
        !self.is_alone && !metadata.authorization_response_iss_parameter_supported
    }

    /// The ID token and the access token that the code stands for.
    async fn exchange(&self, metadata: &Metadata, round: &Round, code: &str) -> Result<(String, Zeroizing<String>), Refusal> {
        let place = metadata.token_endpoint.clone().ok_or_else(|| self.unavailable("it has no place for codes"))?;
        let mut client = self.client(metadata)?.set_token_uri(TokenUrl::from_url(place));
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let takes = |method: &str| methods.iter().any(|known| known == method);
        if takes("client_secret_post") && (!takes("client_secret_basic") || self.has_ambiguous_secret()) {
            client = client.set_auth_type(AuthType::RequestBody);
        }
        let request = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(round.verifier.to_string()));
        let web = self.issuer.web();
        let answer = request.request_async(web).await.map_err(|error| match error {
            RequestTokenError::Request(error) => self.unavailable(&WebError::to_string(&error)),
            // The provider's own words stay out: they may repeat what it was sent.
            RequestTokenError::ServerResponse(answer) => self.bad_token(&format!("it does not take the code ({})", known(answer.error()))),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => self.bad_token("its answer to the code cannot be read"),
        })?;
        let id_token = answer.extra_fields().id_token().ok_or_else(|| self.bad_token("its answer has no ID token"))?;
        Ok((id_token.to_string(), Zeroizing::new(answer.access_token().secret().clone())))
    }

    /// What the ID token says, and where groups or names are missing in it, what the provider says beside it of the same person.
    async fn all_claims(&self, metadata: &Metadata, token: &VerifiedToken, access: &str) -> Result<Map<String, Value>, Refusal> {
        let said = token.claims.clone();
        let has_groups = self.settings.groups_claim.as_deref().is_none_or(|name| claims::claim(&said, name).is_some());
        let Some(place) = metadata.userinfo_endpoint.as_ref().filter(|_| !has_groups || claims::shown(&said).is_none()) else {
            return Ok(said);
        };
        let mut more: Map<String, Value> = match self.issuer.web().get_as(place, access).await {
            Ok(more) => more,
            // A name is only shown. Without groups, somebody would be less than they are, and not know why.
            Err(_) if has_groups => return Ok(said),
            Err(error) => return Err(self.unavailable(&error.to_string())),
        };
        if more.get("sub").and_then(Value::as_str) != Some(token.subject.as_str()) {
            return Err(self.bad_token("what it says of the person is about another one (sub)"));
        }
        // What is signed comes first.
        more.extend(said);
        Ok(more)
    }

    /// Whether the secret looks otherwise once it is encoded for HTTP Basic (RFC 6749 § 2.3.1), which some providers forget to undo.
    fn has_ambiguous_secret(&self) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        self.secret.as_ref().is_some_and(|secret| !secret.secret().bytes().all(is_plain))
    }

    fn client(&self, metadata: &Metadata) -> Result<CoreClient, Refusal> {
        let issuer = IssuerUrl::new(self.settings.issuer.clone()).map_err(|error| self.unavailable(&error.to_string()))?;
        let client = CoreClient::new(ClientId::new(self.settings.client_id.clone()), issuer, JsonWebKeySet::default());
        let redirect = if self.has_own_callback(metadata) { &self.own } else { &self.shared };
        let client = client.set_redirect_uri(redirect.clone());
        Ok(match &self.secret {
            Some(secret) => client.set_client_secret(secret.clone()),
            None => client,
        })
    }

    fn refusal(&self, error: &IssuerError) -> Refusal {
        match error {
            IssuerError::Unavailable(cause) => self.unavailable(cause),
            IssuerError::Token(error) => self.bad_token(&format!("the ID token is not good: {error}")),
        }
    }

    fn unavailable(&self, cause: &str) -> Refusal {
        let message = format!("the provider {} cannot be asked: {cause}", self.settings.name);
        Refusal::new(Reason::ProviderUnavailable, message, "try again in a moment; if it lasts, tell whoever administers the CA")
    }

    fn bad_token(&self, cause: &str) -> Refusal {
        let message = format!("the answer of the provider {} is not taken: {cause}", self.settings.name);
        Refusal::new(Reason::BadToken, message, "sign in again: dayfly login; if it lasts, tell whoever administers the CA")
    }
}

/// Why a code is not taken, if the provider says so in a word that it could not have made up (RFC 6749 § 5.2).
fn known(error: &CoreErrorResponseType) -> &str {
    match error {
        CoreErrorResponseType::Extension(_) => "it does not say why",
        known => known.as_ref(),
    }
}
