//! Second factors in a browser (W3C WebAuthn): a tool asks with its person's key → their passkey or security key answers on a page of the CA → that key has
//! proven it, and no other.
//!
//! | Part | What it is |
//! |---|---|
//! | `errand` | what a browser is sent for |
//! | `browser` | what the pages do: show who asks and for what, take the answer |
//! | `verifier` | what authenticators are asked, and how their answers are judged |
//!
//! Whoever has stolen a key and sends its owner a link gains nothing: how the answer finds the tool is told in [`crate::by_browser`]. Adding one takes a
//! fresh proof of another, if there is another.
//!
//! Facts of its events: `method`, `name` (of the passkey), `key` (the tool's), `address` (where this came from), `asked_from` (the tool's address), `host`
//! (what its machine calls itself), `way` (`loopback` or `device_code`) and `user_verified` (whether it asked for a PIN or a fingerprint).

mod browser;
mod errand;
pub mod verifier;

pub use browser::Page;

use crate::{
    address_rate::AddressRate,
    authority::Authority,
    by_browser::{
        Asker, POLL, STARTS, TYPED, Way, host_name,
        refusals::Refusals,
        secret::FormKey,
        transaction::{LIFETIME, Redeemed, Transaction, Transactions},
    },
    factor::{
        check_person, fingerprint,
        held::{check_fresh, free_name, not_added},
    },
    failure::Failure,
    identity::PersonCall,
    store::{
        Change, StoreError,
        factor::{Credential, FactorUsed},
    },
};
use dayfly_api::{
    factor::{CeremonyPurpose, CeremonyStart, CeremonyState, FactorAdded, FactorProven},
    sign_in::{SignInRedemption, SignInStarted},
};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    identity::{FactorMethod, Subject},
    reason::{Missing, Reason, Refusal, Ruling},
};
use errand::{Answer, Ceremony, Purpose};
use verifier::Verifier;

/// Everything that passkeys and security keys in a browser need.
pub struct Ceremonies {
    /// `None` where browsers refuse.
    verifier: Option<Verifier>,
    device_codes: bool,
    transactions: Transactions<Ceremony>,
    forms: FormKey,
    starts: AddressRate,
    typed: AddressRate,
    added: Refusals,
    proven: Refusals,
}

impl Ceremonies {
    /// On pages of this origin.
    pub fn new(origin: &str, device_codes: bool) -> Result<Self, aws_lc_rs::error::Unspecified> {
        Ok(Self {
            verifier: Verifier::of(origin),
            device_codes,
            transactions: Transactions::default(),
            forms: FormKey::new()?,
            starts: AddressRate::new(STARTS.0, STARTS.1),
            typed: AddressRate::new(TYPED.0, TYPED.1),
            added: Refusals::of(Event::FactorAdded),
            proven: Refusals::of(Event::FactorProven),
        })
    }

    /// Begins a ceremony of the key that called.
    pub async fn start(&self, authority: &Authority, call: &PersonCall, asked: CeremonyStart) -> Result<SignInStarted, Failure> {
        let refusals = match asked.purpose {
            CeremonyPurpose::Add { .. } => &self.added,
            CeremonyPurpose::Prove => &self.proven,
        };
        let started = self.begin(authority, call, asked).await;
        if let Err(Failure::Refused(refusal)) = &started {
            refusals.log(authority, call.context.source, refusal, |event| about_caller(event, call)).await;
        }
        started
    }

    async fn begin(&self, authority: &Authority, call: &PersonCall, asked: CeremonyStart) -> Result<SignInStarted, Failure> {
        check_person(call)?;
        self.verifier()?;
        let began_at = authority.clock.unix_seconds();
        if !self.starts.take(call.context.source, began_at) {
            return Err(Refusal::new(Reason::LimitReached, "too many ceremonies were begun from this address", "wait a moment").into());
        }
        let known = authority.store.credentials(call.subject()).await?;
        let purpose = match asked.purpose {
            CeremonyPurpose::Add { name } => {
                check_fresh(authority, call, began_at).await?;
                Purpose::Add(free_name(&known, name, "passkey")?)
            }
            CeremonyPurpose::Prove if !known.iter().any(|known| known.method == FactorMethod::Webauthn) => return Err(none().into()),
            CeremonyPurpose::Prove => Purpose::Prove,
        };
        let way = Way::asked(asked.way, self.device_codes)?.ok_or_else(|| {
            let message = "this CA takes no second factor from a browser on another machine";
            Refusal::new(
                Reason::FactorUnavailable,
                message,
                "use a browser on the machine where dayfly runs: --no-browser tells the page to open",
            )
        })?;
        let asker = Asker {
            key_fingerprint: fingerprint(call).to_owned(),
            address: call.context.source.to_canonical(),
            host: host_name(&asked.host),
            began_at,
        };
        // The person types the code at the one page that they know; only a browser on the tool's machine is sent to a page of its own.
        let is_here = matches!(way, Way::Loopback { .. });
        let ceremony = Ceremony { subject: call.subject().clone(), purpose, round: None };
        let (id, code) = self.transactions.begin(Transaction::new(asker, way, ceremony))?;
        let page = if is_here { format!("{}/factor/{id}", authority.origin) } else { format!("{}/factor", authority.origin) };
        Ok(SignInStarted { id, page, code, expires_in_seconds: LIFETIME, poll_seconds: POLL })
    }

    /// The answer of a ceremony that the calling key began.
    pub async fn redeem(&self, authority: &Authority, call: &PersonCall, asked: &SignInRedemption) -> Result<CeremonyState, Failure> {
        let now = authority.clock.unix_seconds();
        let redeemed = self.transactions.redeem(&asked.id, fingerprint(call), asked.code.as_deref(), now);
        let (completed, refusals) = match redeemed {
            Ok(Redeemed::Pending) => return Ok(CeremonyState::Pending { poll_seconds: POLL }),
            Ok(Redeemed::Answer(answer, asker, at)) => match *answer {
                Answer::Added(Credential { ref subject, .. }) | Answer::Proven(FactorUsed { ref subject, .. })
                    if subject != call.subject() =>
                {
                    (Err(browser::unknown().into()), &self.proven)
                }
                Answer::Added(credential) => (add(authority, call, credential, &asker).await, &self.added),
                Answer::Proven(used) => (prove(authority, call, FactorUsed { at, ..used }, &asker).await, &self.proven),
            },
            Err(refusal) => (Err(refusal.into()), &self.proven),
        };
        if let Err(Failure::Refused(refusal)) = &completed {
            refusals.log(authority, call.context.source, refusal, |event| about_caller(event, call)).await;
        }
        completed
    }

    fn verifier(&self) -> Result<&Verifier, Refusal> {
        self.verifier.as_ref().ok_or_else(|| {
            let message = "browsers know no passkeys for an IP address, and this CA's address is one";
            Refusal::new(Reason::FactorUnavailable, message, "have whoever administers the CA give it a host name: url in ca.toml")
        })
    }
}

/// From here on the person has one more. It has proven nothing yet.
async fn add(authority: &Authority, call: &PersonCall, credential: Credential, asker: &Asker) -> Result<CeremonyState, Failure> {
    // What has come about since it began counts, too.
    check_fresh(authority, call, asker.began_at).await?;
    free_name(&authority.store.credentials(call.subject()).await?, Some(credential.name.clone()), "passkey")?;
    let name = credential.name.clone();
    let event = about_asker(authority.event(Event::FactorAdded, Outcome::Done), call.subject(), asker);
    let event = event.fact("name", &name).fact("address", call.context.source.to_canonical());
    match authority.store.commit(Change::AddCredential(Box::new(credential)), event).await {
        Err(error) => Err(not_added(error, &name)),
        Ok(_) => Ok(CeremonyState::Added(FactorAdded { method: FactorMethod::Webauthn.as_str().to_owned(), name })),
    }
}

/// From here on the key has a second factor.
async fn prove(authority: &Authority, call: &PersonCall, used: FactorUsed, asker: &Asker) -> Result<CeremonyState, Failure> {
    let (proven_at, name) = (used.at, used.name.clone());
    let event = about_asker(authority.event(Event::FactorProven, Outcome::Done), call.subject(), asker);
    let event = event.fact("name", &name).fact("address", call.context.source.to_canonical());
    match authority.store.commit(Change::ProveFactor(used), event).await {
        Err(StoreError::Unknown(_)) => Err(none().into()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(CeremonyState::Proven(FactorProven { method: FactorMethod::Webauthn.as_str().to_owned(), proven_at })),
    }
}

fn none() -> Refusal {
    let ruling = Ruling { missing: vec![Missing::SecondFactor], ..Ruling::default() };
    Refusal::new(Reason::SecondFactorRequired, "you have no passkey", "add one: dayfly factor add --webauthn").ruled(ruling)
}

fn about_caller(event: AuditEvent, call: &PersonCall) -> AuditEvent {
    event.subject(call.subject()).fact("method", FactorMethod::Webauthn).fact("key", fingerprint(call))
}

fn about_asker(event: AuditEvent, subject: &Subject, asker: &Asker) -> AuditEvent {
    let event = event.subject(subject).fact("method", FactorMethod::Webauthn).fact("key", &asker.key_fingerprint);
    event.fact("asked_from", asker.address).fact("host", &asker.host)
}
