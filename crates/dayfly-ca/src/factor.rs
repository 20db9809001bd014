//! Second factors by one-time code (RFC 6238): an authenticator is enrolled once, and each of its codes proves one thing once. Passkeys and security keys
//! are a [`crate::ceremony`]; what somebody has of all of them is `held`.
//!
//! A code counts for the key that signed the request it came in, so that a key alone, or a code alone, is worth nothing. Wrong codes are answered later and
//! later; only whoever holds an enrolled key can give any, so nobody can lock somebody else out. Facts of its events: `method` and `key`.

pub(crate) mod held;
pub mod touch;

pub use held::{list, remove};

use crate::{
    authority::Authority,
    failure::Failure,
    identity::PersonCall,
    store::{
        Change, StoreError, Unique,
        factor::{Authenticator, CodeUsed},
    },
};
use dayfly_api::factor::{FactorCode, FactorProven, TotpEnrolment};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    identity::{FactorMethod, Subject},
    reason::{Reason, Refusal},
};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

/// Digits of a code, and seconds of a time step: what every authenticator app does without being told.
const DIGITS: u8 = 6;
const STEP_SECONDS: u64 = 30;

/// How many steps a clock may be off, either way.
const SKEW: u16 = 1;

/// The secret's length in bytes: that of the hash (RFC 4226 § 4).
const SECRET_BYTES: usize = 20;

/// Wrong codes that are forgiven at once, and the longest wait that others cost, in seconds.
const FORGIVEN: u32 = 3;
const LONGEST_WAIT: u64 = 15 * 60;

/// Makes the secret of a new authenticator. It proves nothing until its first code was given.
pub async fn enroll(authority: &Authority, call: &PersonCall) -> Result<TotpEnrolment, Failure> {
    let made = make(authority, call).await;
    if let Err(Failure::Refused(refusal)) = &made {
        authority.store.commit(Change::None, with_facts(authority.refused(Event::FactorAdded, refusal), call)).await?;
    }
    made
}

async fn make(authority: &Authority, call: &PersonCall) -> Result<TotpEnrolment, Failure> {
    check_person(call)?;
    held::check_fresh(authority, call, authority.clock.unix_seconds()).await?;
    let secret: [u8; SECRET_BYTES] = rand::random();
    let secret = Zeroizing::new(secret.to_vec());
    let issuer = authority.origin.trim_start_matches("https://").replace(':', " ");
    let account = call.subject().to_string().replace(':', " ");
    let totp = totp(&secret, Some(issuer), account)?;
    let uri = totp.to_url().map_err(|error| Failure::Internal(error.to_string()))?;
    let answer = TotpEnrolment { secret: Secret::from(secret.as_slice()).to_base32(), uri };
    let subject = call.subject().clone();
    let authenticator = Authenticator { subject, secret, confirmed_at: None, last_step: 0, failures: 0, retry_at: 0 };
    match authority.store.commit(Change::AddAuthenticator(authenticator), about(authority, call, Event::FactorAdded)).await {
        Err(StoreError::Conflict(Unique::Authenticator)) => {
            let remedy = format!("if it is lost, have whoever administers the CA run: dayfly-ca user reset-factors {}", call.subject());
            Err(Refusal::new(Reason::KeyInUse, "you have an authenticator already", remedy).into())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(answer),
    }
}

/// Takes a code: the first one confirms the authenticator. Either answer is in the log before this returns.
pub async fn prove(authority: &Authority, call: &PersonCall, code: &FactorCode) -> Result<FactorProven, Failure> {
    match check(authority, call, code).await {
        Err(Failure::Refused(refusal)) => {
            let refused = authority.refused(Event::FactorProven, &refusal);
            let event = with_facts(refused, call);
            let change = if refusal.reason == Reason::WrongCode { delay(authority, call).await? } else { Change::None };
            authority.store.commit(change, event).await?;
            Err(Failure::Refused(refusal))
        }
        answer => answer,
    }
}

async fn check(authority: &Authority, call: &PersonCall, code: &FactorCode) -> Result<FactorProven, Failure> {
    check_person(call)?;
    let now = authority.clock.unix_seconds();
    let known = authority.store.authenticator(call.subject()).await?;
    let known =
        known.ok_or_else(|| Refusal::new(Reason::SecondFactorRequired, "you have no authenticator", "enrol one: dayfly factor add"))?;
    if known.confirmed_at.is_none() {
        // It may have been waiting since before there was another one.
        held::check_fresh(authority, call, now).await?;
    }
    if now < known.retry_at {
        let wait = known.retry_at.saturating_sub(now);
        return Err(Refusal::new(
            Reason::LimitReached,
            "too many codes were wrong",
            format!("wait {wait} s, then give the code of that moment"),
        )
        .into());
    }
    let totp = totp(&known.secret, None, String::new())?;
    let step = totp.check(&code.code, now).filter(|step| *step > known.last_step).ok_or_else(wrong)?;
    let used = CodeUsed {
        subject: call.subject().clone(),
        key_fingerprint: fingerprint(call).to_owned(),
        step,
        at: now,
        failures: known.failures,
    };
    match authority.store.commit(Change::UseCode(used), about(authority, call, Event::FactorProven)).await {
        // It was given twice in this very moment, or others were tried beside it.
        Err(StoreError::Conflict(Unique::Code)) => Err(wrong().into()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(FactorProven { method: FactorMethod::Totp.as_str().to_owned(), proven_at: now }),
    }
}

/// The change that makes the next attempt wait.
async fn delay(authority: &Authority, call: &PersonCall) -> Result<Change, Failure> {
    let failures = authority.store.authenticator(call.subject()).await?.map_or(0, |known| known.failures).saturating_add(1);
    let wait = match failures.checked_sub(FORGIVEN) {
        None | Some(0) => 0,
        Some(more) => 2_u64.saturating_pow(more).saturating_mul(STEP_SECONDS).min(LONGEST_WAIT),
    };
    let retry_at = if wait == 0 { 0 } else { authority.clock.unix_seconds().saturating_add(wait) };
    Ok(Change::RefuseCode { subject: call.subject().clone(), retry_at })
}

/// A second factor says that somebody is there. One that an automation holds would say so of nobody.
pub(crate) fn check_person(call: &PersonCall) -> Result<(), Refusal> {
    match call.subject() {
        Subject::Person(_) => Ok(()),
        Subject::Machine(_) => {
            let remedy = "have a policy look at what machines can prove: context.workload, context.networks";
            Err(Refusal::new(Reason::NotAllowed, "a machine has no second factor", remedy))
        }
    }
}

fn wrong() -> Refusal {
    Refusal::new(
        Reason::WrongCode,
        "the code is not the one of this moment, or was used before",
        "wait for the next code, and check the clock of the device that shows it",
    )
}

fn totp(secret: &[u8], issuer: Option<String>, account: String) -> Result<Totp, Failure> {
    let builder = Builder::new().with_secret(secret).with_digits(DIGITS).with_skew(SKEW).with_step_duration(STEP_SECONDS);
    builder.with_issuer(issuer).with_account_name(account).build().map_err(|error| Failure::Internal(error.to_string()))
}

pub(crate) fn fingerprint(call: &PersonCall) -> &str {
    call.identity.evidence.proof.fingerprint()
}

fn about(authority: &Authority, call: &PersonCall, event: Event) -> AuditEvent {
    with_facts(authority.event(event, Outcome::Done), call)
}

fn with_facts(event: AuditEvent, call: &PersonCall) -> AuditEvent {
    event.subject(call.subject()).fact("method", FactorMethod::Totp).fact("key", fingerprint(call)).fact("address", call.context.source)
}

#[cfg(test)]
mod tests;
