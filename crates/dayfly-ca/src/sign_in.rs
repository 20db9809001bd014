//! Signing in by a browser: a tool asks with a key of its own → a browser proves to a provider who its person is → the tool's key speaks for them.
//!
//! | Part | What it is |
//! |---|---|
//! | `errand` | what a browser is sent for |
//! | `browser` | what the pages do: look, choose a provider, come back |
//! | `subject` | the name of somebody whom a provider knows |
//!
//! How the browser's answer finds the tool, and nobody else, is told in [`crate::by_browser`].
//!
//! Facts of its events: `provider`, `issuer`, `issuer_subject`, `shown` (how the provider calls them), `groups`, `key` (the tool's), `address` (where this
//! came from), `asked_from` (the tool's address), `host` (what its machine calls itself), `way` (`loopback` or `device_code`) and `expires`.

mod browser;
mod errand;
pub mod subject;

pub use browser::{Page, Returned};

use crate::{
    address_rate::AddressRate,
    authority::Authority,
    by_browser::{
        Asker, POLL, STARTS, TYPED, Way, host_name,
        refusals::Refusals,
        secret::FormKey,
        transaction::{LIFETIME, Redeemed, Transaction, Transactions},
    },
    failure::Failure,
    identity::{NewKeyCall, PersonCall, provider::ProvenPerson, provider::Provider},
    store::{
        Change, StoreError, Unique,
        sign_in::{Holder, NewSignIn, ProviderAccount, SignIn, SignInBy},
    },
};
use dayfly_api::sign_in::{SignInOffer, SignInRedemption, SignInStart, SignInStarted, SignInState, SignedIn, SignedOut};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    certificate::RevokedBy,
    identity::{Proof, Subject},
    reason::{Reason, Refusal},
};
use errand::{Answer, SignInErrand};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Everything that signing in by a browser needs.
pub struct SignIns {
    providers: Vec<Provider>,
    device_codes: bool,
    lifetime: u64,
    transactions: Transactions<SignInErrand>,
    forms: FormKey,
    starts: AddressRate,
    typed: AddressRate,
    refusals: Refusals,
}

impl SignIns {
    /// With these providers. `lifetime` in seconds.
    pub fn new(providers: Vec<Provider>, device_codes: bool, lifetime: u64) -> Result<Self, aws_lc_rs::error::Unspecified> {
        Ok(Self {
            providers,
            device_codes,
            lifetime,
            transactions: Transactions::default(),
            forms: FormKey::new()?,
            starts: AddressRate::new(STARTS.0, STARTS.1),
            typed: AddressRate::new(TYPED.0, TYPED.1),
            refusals: Refusals::of(Event::SignInRefused),
        })
    }

    /// How one may sign in.
    pub fn offer(&self) -> SignInOffer {
        let providers = self.providers.iter().map(|provider| provider.name().to_owned()).collect::<Vec<_>>();
        SignInOffer { device_codes: self.device_codes && !providers.is_empty(), providers }
    }

    /// Whether a browser on another machine will do.
    pub fn offers_device_codes(&self) -> bool {
        self.device_codes
    }

    /// Begins a sign-in of the key that called.
    pub async fn start(&self, authority: &Authority, call: &NewKeyCall, asked: SignInStart) -> Result<SignInStarted, Failure> {
        match self.begin(authority, call, asked) {
            Ok(started) => Ok(started),
            Err(refusal) => {
                let about = |event: AuditEvent| event.fact("key", &call.fingerprint);
                self.refusals.log(authority, call.context.source, &refusal, about).await;
                Err(refusal.into())
            }
        }
    }

    fn begin(&self, authority: &Authority, call: &NewKeyCall, asked: SignInStart) -> Result<SignInStarted, Refusal> {
        if self.providers.is_empty() {
            return Err(unavailable(
                "this CA has no provider to sign in at",
                "log in with an enrolled key: dayfly login URL --identity FILE",
            ));
        }
        let began_at = call.context.unix_seconds();
        if !self.starts.take(call.context.source, began_at) {
            return Err(Refusal::new(Reason::LimitReached, "too many sign-ins were begun from this address", "wait a moment"));
        }
        let provider = asked.provider.as_deref().map(|name| self.provider_index(name)).transpose()?;
        let way = Way::asked(asked.way, self.device_codes)?.ok_or_else(|| {
            let remedy = "sign in on a machine with a browser: dayfly login, without --device-code";
            unavailable("this CA takes no sign-in from a browser on another machine", remedy)
        })?;
        let asker = Asker {
            key_fingerprint: call.fingerprint.clone(),
            address: call.context.source.to_canonical(),
            host: host_name(&asked.host),
            began_at,
        };
        // The person types the code at the one page that they know; only a browser on the tool's machine is sent to a page of its own.
        let is_here = matches!(way, Way::Loopback { .. });
        let (id, code) = self.transactions.begin(Transaction::new(asker, way, SignInErrand { provider, leg: None }))?;
        let page = if is_here { format!("{}/sign-in/{id}", authority.origin) } else { format!("{}/sign-in", authority.origin) };
        Ok(SignInStarted { id, page, code, expires_in_seconds: LIFETIME, poll_seconds: POLL })
    }

    fn provider_index(&self, name: &str) -> Result<usize, Refusal> {
        let known = self.providers.iter().position(|provider| provider.name() == name);
        known.ok_or_else(|| {
            let names: Vec<&str> = self.providers.iter().map(Provider::name).collect();
            unavailable("this CA has no provider of that name", &format!("name one of {}", names.join(", ")))
        })
    }

    /// The answer of a sign-in that the calling key began.
    pub async fn redeem(&self, authority: &Authority, call: &NewKeyCall, asked: &SignInRedemption) -> Result<SignInState, Failure> {
        let now = call.context.unix_seconds();
        let redeemed = self.transactions.redeem(&asked.id, &call.fingerprint, asked.code.as_deref(), now);
        let completed = match redeemed {
            Ok(Redeemed::Pending) => return Ok(SignInState::Pending { poll_seconds: POLL }),
            Ok(Redeemed::Answer(answer, asker, at)) => {
                let Answer { person, provider } = *answer;
                self.complete(authority, call, (person, at), provider, asker).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        if let Err(Failure::Refused(refusal)) = &completed {
            let about = |event: AuditEvent| event.fact("key", &call.fingerprint);
            self.refusals.log(authority, call.context.source, refusal, about).await;
        }
        completed.map(SignInState::SignedIn)
    }

    /// From here on the key speaks for the person.
    async fn complete(
        &self,
        authority: &Authority,
        call: &NewKeyCall,
        (person, proven_at): (ProvenPerson, u64),
        provider: usize,
        asker: Asker,
    ) -> Result<SignedIn, Failure> {
        let provider = self.providers.get(provider).map(|provider| provider.name().to_owned()).unwrap_or_default();
        let subject = standing(authority, &provider, &person).await?;
        authority.check_key(&call.key).await?;
        let ends_at = proven_at.saturating_add(self.lifetime);
        let expires_at = moment(ends_at)?;
        let groups = person.groups.clone();
        let event = about_person(authority.event(Event::SignInCompleted, Outcome::Done), &provider, &person).subject(&subject);
        let event = about_asker(event, &asker)
            .fact("address", call.context.source.to_canonical())
            .fact("groups", groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
            .fact("expires", expires_at.format(&Rfc3339).unwrap_or_default());
        let sign_in = SignIn {
            key_fingerprint: call.fingerprint.clone(),
            subject: subject.clone(),
            by: SignInBy::Provider(provider.clone()),
            issuer: person.issuer.clone(),
            issuer_subject: person.subject.clone(),
            proven_at,
            ends_at,
            is_ended: false,
            claims: Default::default(),
        };
        let account = ProviderAccount { issuer: person.issuer, subject: person.subject, shown: person.shown.clone() };
        let holder = Holder::Person { account, groups: person.groups };
        keep(authority, NewSignIn { sign_in, holder }, event).await?;
        Ok(SignedIn { subject, groups: groups.into_iter().collect(), provider: Some(provider), shown: person.shown, expires_at })
    }

    /// Ends the sign-in that the call was made by.
    pub async fn end(&self, authority: &Authority, call: &PersonCall) -> Result<SignedOut, Failure> {
        let issuer = match &call.identity.evidence.proof {
            Proof::SignIn { issuer, .. } | Proof::Federation { issuer, .. } => issuer,
            Proof::EnrolledKey { .. } => {
                let message = "the key is enrolled, and signed in by nobody";
                return Err(Refusal::new(Reason::SignInUnknown, message, "to end its access: dayfly-ca user disable").into());
            }
        };
        let key = call.identity.evidence.proof.fingerprint();
        let event = authority.event(Event::SignInEnded, Outcome::Done).subject(call.subject()).fact("key", key);
        let event = event.fact("address", call.context.source.to_canonical());
        authority.store.commit(Change::EndSignIn(key.to_owned()), event).await?;
        let end_session = match self.providers.iter().find(|provider| provider.issuer() == issuer) {
            Some(provider) => provider.end_session().await,
            None => None,
        };
        Ok(SignedOut { end_session })
    }
}

/// Who that is here, if they may be anybody: a person whose access has ended stays out, whatever a provider says.
async fn standing(authority: &Authority, provider: &str, person: &ProvenPerson) -> Result<Subject, Failure> {
    let known = authority.store.person_by_account(&person.issuer, &person.subject).await?;
    let subject = match known {
        Some(known) => known.subject,
        None => subject::subject(provider, &person.subject).map_err(|error| Failure::Internal(error.to_string()))?,
    };
    check_access(authority, &subject).await?;
    Ok(subject)
}

/// Refuses whoever was disabled or revoked.
pub(crate) async fn check_access(authority: &Authority, subject: &Subject) -> Result<(), Failure> {
    let is_disabled = authority.store.person(subject).await?.is_some_and(|person| person.disabled);
    if is_disabled || authority.revocations.current().await?.subjects.contains(subject) {
        return Err(RevokedBy::Subject(subject.clone()).refusal().into());
    }
    Ok(())
}

/// Keeps a sign-in, together with its row in the log.
pub(crate) async fn keep(authority: &Authority, new: NewSignIn, event: AuditEvent) -> Result<(), Failure> {
    let subject = new.sign_in.subject.clone();
    match authority.store.commit(Change::AddSignIn(Box::new(new)), event).await {
        Ok(_) => Ok(()),
        Err(StoreError::Conflict(Unique::Person)) => {
            let message = format!("the name {subject} is somebody else's here: enrolled by hand, or of another issuer");
            Err(Refusal::new(Reason::SubjectTaken, message, "ask whoever administers the CA to name the provider otherwise").into())
        }
        Err(StoreError::Conflict(Unique::Key)) => {
            Err(Refusal::new(Reason::KeyInUse, "the key is enrolled, or signed in already", "sign in with a new key").into())
        }
        Err(StoreError::Conflict(Unique::Token)) => {
            Err(Refusal::new(Reason::TokenReplayed, "the token was used before", "have the issuer make another one").into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Unix seconds as a time.
pub(crate) fn moment(seconds: u64) -> Result<OffsetDateTime, Failure> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap_or(i64::MAX)).map_err(|error| Failure::Internal(error.to_string()))
}

fn about_person(event: AuditEvent, provider: &str, person: &ProvenPerson) -> AuditEvent {
    let event = event.fact("provider", provider).fact("issuer", &person.issuer).fact("issuer_subject", &person.subject);
    match &person.shown {
        Some(shown) => event.fact("shown", shown),
        None => event,
    }
}

fn about_asker(event: AuditEvent, asker: &Asker) -> AuditEvent {
    event.fact("key", &asker.key_fingerprint).fact("asked_from", asker.address).fact("host", &asker.host)
}

fn unavailable(message: &str, remedy: &str) -> Refusal {
    Refusal::new(Reason::SignInUnavailable, message, remedy)
}
