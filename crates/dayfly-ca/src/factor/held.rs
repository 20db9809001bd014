//! What somebody has as second factors, what it takes to have another, and giving one up.

use super::{check_person, fingerprint};
use crate::{
    authority::Authority,
    failure::Failure,
    identity::PersonCall,
    store::{Change, StoreError, factor::Credential},
};
use dayfly_api::factor::{FactorRemoval, FactorRemoved, FactorState, Factors};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    identity::{FactorMethod, Subject},
    name::FactorName,
    reason::{Missing, Reason, Refusal, Ruling},
};
use std::collections::BTreeSet;

/// How long a proof permits to change what proves, in seconds.
pub(crate) const FRESH: u64 = 5 * 60;

/// How many passkeys and security keys one person may have.
pub(crate) const MOST_CREDENTIALS: usize = 16;

/// What the caller has, and has proven with the key that signed this request.
pub async fn list(authority: &Authority, call: &PersonCall) -> Result<Factors, Failure> {
    let proven_at = |method| call.identity.evidence.factors.get(&method).copied();
    let codes = authority.store.authenticator(call.subject()).await?.filter(|known| known.confirmed_at.is_some());
    let codes = codes.map(|known| FactorState {
        method: FactorMethod::Totp.as_str().to_owned(),
        name: None,
        key: None,
        added_at: known.confirmed_at,
        proven_at: proven_at(FactorMethod::Totp),
    });
    let others = authority.store.credentials(call.subject()).await?.into_iter().map(|known| FactorState {
        method: known.method.as_str().to_owned(),
        name: Some(known.name),
        key: (known.method == FactorMethod::Touch).then_some(known.id),
        added_at: Some(known.added_at),
        proven_at: proven_at(known.method),
    });
    Ok(Factors { factors: codes.into_iter().chain(others).collect() })
}

/// Gives up a passkey or security key. Another may be left to prove that it is its owner who asks, and has to.
pub async fn remove(authority: &Authority, call: &PersonCall, asked: &FactorRemoval) -> Result<FactorRemoved, Failure> {
    match give_up(authority, call, &asked.name).await {
        Err(Failure::Refused(refusal)) => {
            let event = authority.refused(Event::FactorRemoved, &refusal);
            authority.store.commit(Change::None, about(event, call, None, &asked.name)).await?;
            Err(Failure::Refused(refusal))
        }
        answer => answer,
    }
}

async fn give_up(authority: &Authority, call: &PersonCall, name: &FactorName) -> Result<FactorRemoved, Failure> {
    check_person(call)?;
    let known = authority.store.credentials(call.subject()).await?.into_iter().find(|known| known.name == *name);
    let method = known.ok_or_else(|| unknown(name))?.method;
    check_fresh(authority, call, authority.clock.unix_seconds()).await?;
    let event = about(authority.event(Event::FactorRemoved, Outcome::Done), call, Some(method), name);
    match authority.store.commit(Change::RemoveCredential { subject: call.subject().clone(), name: name.clone() }, event).await {
        Err(StoreError::Unknown(_)) => Err(unknown(name).into()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(FactorRemoved { method: method.as_str().to_owned(), name: name.clone() }),
    }
}

/// The kinds of second factor that somebody has.
pub(crate) async fn methods(authority: &Authority, subject: &Subject) -> Result<BTreeSet<FactorMethod>, StoreError> {
    let codes = authority.store.authenticator(subject).await?.is_some_and(|known| known.confirmed_at.is_some());
    let others = authority.store.credentials(subject).await?.into_iter().map(|known| known.method);
    Ok(others.chain(codes.then_some(FactorMethod::Totp)).collect())
}

/// Refuses whoever has a second factor and had not proven it, with this key, shortly before `began_at`, in Unix seconds: a key alone adds and removes none.
pub(crate) async fn check_fresh(authority: &Authority, call: &PersonCall, began_at: u64) -> Result<(), Failure> {
    let methods = methods(authority, call.subject()).await?;
    let proven = authority.store.factors(call.subject(), fingerprint(call)).await?;
    let now = authority.clock.unix_seconds();
    // A time to come is a clock that was set back.
    let is_fresh = |at: &u64| *at <= now && began_at < at.saturating_add(FRESH);
    if methods.is_empty() || proven.iter().any(|(method, at)| methods.contains(method) && is_fresh(at)) {
        return Ok(());
    }
    let ruling = Ruling { missing: vec![Missing::SecondFactor], methods: methods.into_iter().collect(), ..Ruling::default() };
    let message = "whoever has a second factor proves it before they add or remove one, or a device";
    Err(Refusal::new(Reason::SecondFactorRequired, message, "prove it, then try again: dayfly factor prove").ruled(ruling).into())
}

/// The name for another one: the one that is wanted, or one that is free.
pub(crate) fn free_name(known: &[Credential], wanted: Option<FactorName>, kind: &str) -> Result<FactorName, Failure> {
    if known.len() >= MOST_CREDENTIALS {
        let message = format!("you have {MOST_CREDENTIALS} passkeys and security keys already");
        return Err(Refusal::new(Reason::LimitReached, message, "remove one that you do not use: dayfly factor remove NAME").into());
    }
    let is_taken = |name: &FactorName| known.iter().any(|known| known.name == *name);
    match wanted {
        Some(name) if is_taken(&name) => Err(taken(&name).into()),
        Some(name) => Ok(name),
        None => {
            let numbered = (1..=MOST_CREDENTIALS + 1).filter_map(|number| FactorName::new(format!("{kind}-{number}")).ok());
            let mut free = numbered.filter(|name| !is_taken(name));
            free.next().ok_or_else(|| Failure::Internal("no name is free".to_owned()))
        }
    }
}

/// Why one could not be added, as far as it is the asker's affair.
pub(crate) fn not_added(error: StoreError, name: &FactorName) -> Failure {
    use crate::store::Unique;
    match error {
        StoreError::Conflict(Unique::FactorName) => taken(name).into(),
        StoreError::Conflict(Unique::Credential) => {
            Refusal::new(Reason::KeyInUse, "this authenticator is enrolled already", "use another one; dayfly factor list shows yours")
                .into()
        }
        error => error.into(),
    }
}

fn taken(name: &FactorName) -> Refusal {
    Refusal::new(Reason::KeyInUse, format!("you have a second factor named {name} already"), "name it otherwise: --name NAME")
}

fn unknown(name: &FactorName) -> Refusal {
    Refusal::new(Reason::FactorUnknown, format!("you have no passkey or security key named {name}"), "see their names: dayfly factor list")
}

fn about(event: AuditEvent, call: &PersonCall, method: Option<FactorMethod>, name: &FactorName) -> AuditEvent {
    let event = event.subject(call.subject()).fact("name", name).fact("key", fingerprint(call)).fact("address", call.context.source);
    match method {
        Some(method) => event.fact("method", method),
        None => event,
    }
}
