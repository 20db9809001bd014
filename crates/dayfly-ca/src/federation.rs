//! Workloads of others as machines here: a token of an issuer that the configuration names → a short sign-in of the key that showed it.
//!
//! Facts of its events: `issuer`, `issuer_subject`, `key`, `address`, `expires`, and `claim.NAME` for each claim that was asked for.

use crate::{
    authority::Authority,
    by_browser::refusals::Refusals,
    config::FederationSettings,
    failure::Failure,
    identity::{
        NewKeyCall, claims,
        issuer::{Issuer, IssuerError},
        token::{self, Expected, IssuerKeys, VerifiedToken},
        web::Web,
    },
    mistake::Mistake,
    sign_in,
    store::sign_in::{Holder, NewSignIn, SignIn, SignInBy},
};
use dayfly_api::sign_in::SignedIn;
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    reason::{Reason, Refusal},
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use time::format_description::well_known::Rfc3339;

/// The longest that a workload's key counts, in seconds.
const LONGEST: u64 = 15 * 60;

/// The longest claim that is kept, in bytes.
const LONGEST_CLAIM: usize = 512;

/// The most claims that are kept of one token.
const MOST_CLAIMS: usize = 64;

/// Every workload that is a machine here.
pub struct Federation {
    entries: Vec<(FederationSettings, Arc<Issuer>)>,
    refusals: Refusals,
}

impl Default for Federation {
    fn default() -> Self {
        Self { entries: Vec::new(), refusals: Refusals::of(Event::SignInRefused) }
    }
}

impl Federation {
    /// Of these entries. Entries of one issuer share what is known of it.
    pub fn new(entries: Vec<FederationSettings>, web: &Web) -> Result<Self, Mistake> {
        let mut issuers: BTreeMap<(String, Option<std::path::PathBuf>), Arc<Issuer>> = BTreeMap::new();
        let mut known = Vec::new();
        for entry in entries {
            let key = (entry.issuer.clone(), entry.jwks_file.clone());
            let issuer = match issuers.get(&key) {
                Some(issuer) => Arc::clone(issuer),
                None => {
                    let pinned = entry.jwks_file.as_deref().map(read_keys).transpose()?;
                    let issuer = Arc::new(Issuer::new(&entry.issuer, web.clone(), pinned));
                    issuers.insert(key, Arc::clone(&issuer));
                    issuer
                }
            };
            known.push((entry, issuer));
        }
        Ok(Self { entries: known, refusals: Refusals::of(Event::SignInRefused) })
    }

    /// Signs the calling key in as the machine that the token stands for.
    pub async fn exchange(&self, authority: &Authority, call: &NewKeyCall, token: &str) -> Result<SignedIn, Failure> {
        let exchanged = self.sign_in(authority, call, token).await;
        if let Err(Failure::Refused(refusal)) = &exchanged {
            let about = |event: AuditEvent| {
                let event = event.fact("key", &call.fingerprint);
                match token::claimed_issuer(token) {
                    Some(issuer) => event.fact("claimed_issuer", issuer.chars().take(200).collect::<String>()),
                    None => event,
                }
            };
            self.refusals.log(authority, call.context.source, refusal, about).await;
        }
        exchanged
    }

    async fn sign_in(&self, authority: &Authority, call: &NewKeyCall, token: &str) -> Result<SignedIn, Failure> {
        let now = call.context.unix_seconds();
        let (entry, verified) = self.entry_of(token, now).await?;
        sign_in::check_access(authority, &entry.machine).await?;
        authority.check_key(&call.key).await?;
        let ends_at = now.saturating_add(LONGEST).min(verified.expires_at);
        let expires_at = sign_in::moment(ends_at)?;
        let mut event = authority
            .event(Event::SignInCompleted, Outcome::Done)
            .subject(&entry.machine)
            .fact("issuer", &verified.issuer)
            .fact("issuer_subject", &verified.subject)
            .fact("key", &call.fingerprint)
            .fact("address", call.context.source.to_canonical())
            .fact("way", "token")
            .fact("expires", expires_at.format(&Rfc3339).unwrap_or_default());
        for (name, value) in &entry.claims {
            event = event.fact(&format!("claim.{name}"), value);
        }
        let sign_in = SignIn {
            key_fingerprint: call.fingerprint.clone(),
            subject: entry.machine.clone(),
            by: SignInBy::Token,
            issuer: verified.issuer.clone(),
            issuer_subject: verified.subject.clone(),
            proven_at: now,
            ends_at,
            is_ended: false,
            claims: plain_claims(&verified),
        };
        let token_ends_at = verified.expires_at.saturating_add(token::SKEW);
        let holder = Holder::Machine { token: once(&verified, token), token_ends_at };
        sign_in::keep(authority, NewSignIn { sign_in, holder }, event).await?;
        let groups = authority.store.person(&entry.machine).await?.map(|machine| machine.groups).unwrap_or_default();
        Ok(SignedIn { subject: entry.machine.clone(), groups: groups.into_iter().collect(), provider: None, shown: None, expires_at })
    }

    /// The one entry whose every claim the token has.
    async fn entry_of(&self, token: &str, now: u64) -> Result<(&FederationSettings, VerifiedToken), Failure> {
        let claimed = token::claimed_issuer(token).ok_or_else(|| bad_token("it is no JWT"))?;
        let of_issuer: Vec<_> = self.entries.iter().filter(|(entry, _)| entry.issuer == claimed).collect();
        if of_issuer.is_empty() {
            return Err(unknown_workload("its issuer is not one that this CA was told of").into());
        }
        let mut refused = None;
        let mut found: Option<(&FederationSettings, VerifiedToken)> = None;
        for (entry, issuer) in of_issuer {
            let expected = Expected { issuer: &entry.issuer, audience: &entry.audience, nonce: None, algorithms: &entry.algorithms, now };
            match issuer.verify(token, expected).await.map_err(|error| refusal(&error)).and_then(|verified| fits(entry, verified)) {
                Ok(_) if found.is_some() => {
                    return Err(unknown_workload("two entries of the configuration fit it").into());
                }
                Ok(verified) => found = Some((entry, verified)),
                Err(refusal) => refused = Some(refusal),
            }
        }
        found.ok_or_else(|| refused.unwrap_or_else(|| bad_token("it fits nothing")).into())
    }
}

/// The token, if it says exactly what the entry asks for and does not live too long.
fn fits(entry: &FederationSettings, token: VerifiedToken) -> Result<VerifiedToken, Refusal> {
    if token.expires_at.saturating_sub(token.issued_at) > entry.max_lifetime.as_secs() {
        return Err(bad_token("it lives longer than this CA takes (max_lifetime)"));
    }
    let differs =
        |(name, wanted): &(&String, &String)| claims::claim(&token.claims, name).and_then(claims::text).as_deref() != Some(wanted.as_str());
    match entry.claims.iter().find(differs) {
        Some((name, _)) => Err(unknown_workload(&format!("its claim `{name}` is another than the configuration asks for"))),
        None => Ok(token),
    }
}

/// What makes a token one: its `jti`, or else what was signed. A signature can be written in more than one way.
fn once(verified: &VerifiedToken, token: &str) -> [u8; 32] {
    let id = verified.claims.get("jti").and_then(claims::text).filter(|id| !id.is_empty());
    let mut hash = Sha256::new();
    match &id {
        Some(id) => [b"jti".as_slice(), verified.issuer.as_bytes(), id.as_bytes()].into_iter().for_each(|part| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }),
        None => hash.update(token::signed_part(token).as_bytes()),
    }
    hash.finalize().into()
}

/// The claims that are one value each, for policies.
fn plain_claims(token: &VerifiedToken) -> BTreeMap<String, String> {
    let plain = token.claims.iter().filter_map(|(name, value)| Some((name.clone(), claims::text(value)?)));
    plain.filter(|(name, value)| name.len() + value.len() <= LONGEST_CLAIM).take(MOST_CLAIMS).collect()
}

pub(crate) fn read_keys(path: &Path) -> Result<IssuerKeys, Mistake> {
    let bad = |cause: String| Mistake::new(path, format!("is no JWK set: {cause}"), "save what the issuer's jwks_uri gives");
    let text = std::fs::read(path).map_err(|error| Mistake::new(path, format!("cannot be read: {error}"), "correct jwks_file"))?;
    let set = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    IssuerKeys::read(&set).map_err(bad)
}

fn refusal(error: &IssuerError) -> Refusal {
    match error {
        IssuerError::Unavailable(cause) => {
            let message = format!("the token's issuer cannot be asked for its keys: {cause}");
            Refusal::new(Reason::ProviderUnavailable, message, "try again in a moment; if it lasts, tell whoever administers the CA")
        }
        IssuerError::Token(error) => bad_token(&error.to_string()),
    }
}

fn bad_token(cause: &str) -> Refusal {
    Refusal::new(Reason::BadToken, format!("the token is not good: {cause}"), "have the issuer make another one, for this CA's audience")
}

fn unknown_workload(cause: &str) -> Refusal {
    let remedy = "compare its claims with the [[federation]] entries, which whoever administers the CA knows";
    Refusal::new(Reason::UnknownWorkload, format!("the token is good, and no machine's here: {cause}"), remedy)
}
