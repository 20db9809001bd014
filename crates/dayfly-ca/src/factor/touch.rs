//! Second factors by the touch of a FIDO key: it signs the challenge of the request that carries its signature (OpenSSH PROTOCOL.u2f, PROTOCOL.sshsig), in a
//! namespace of its own, for the person and the key that ask.
//!
//! The key may be the one that signs the request: then that was touched, too, as every request by a FIDO key is. Facts of its events: `method`, `name`,
//! `key` (that signed the request), `touched` (the FIDO key), `address` and `user_verified`.

use super::{
    check_person, fingerprint,
    held::{check_fresh, free_name, not_added},
};
use crate::{
    authority::Authority,
    failure::Failure,
    identity::{
        PersonCall,
        possession::{LONGEST_TEXT, read_key},
    },
    store::{
        Change, StoreError,
        factor::{Credential, FactorUsed},
    },
};
use dayfly_api::factor::{FactorAdded, FactorProven, Touch, TouchEnrolment};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    identity::FactorMethod,
    reason::{Reason, Refusal},
    signature::{self, FidoFlags, verify_sshsig_and_tell},
    signed_request::{TOUCH_NAMESPACE, TouchedTo, touch_message},
};
use ssh_key::{PublicKey, SshSig};

/// A FIDO key that somebody has touched for this very request.
struct TouchedKey {
    key: PublicKey,
    fingerprint: String,
    fido: FidoFlags,
}

/// Makes a FIDO key a second factor. It proves nothing until it is touched again.
pub async fn enroll(authority: &Authority, call: &PersonCall, asked: &TouchEnrolment) -> Result<FactorAdded, Failure> {
    logged(authority, call, Event::FactorAdded, add(authority, call, asked).await).await
}

/// Proves it by a touch.
pub async fn prove(authority: &Authority, call: &PersonCall, touch: &Touch) -> Result<FactorProven, Failure> {
    logged(authority, call, Event::FactorProven, take(authority, call, touch).await).await
}

async fn add(authority: &Authority, call: &PersonCall, asked: &TouchEnrolment) -> Result<FactorAdded, Failure> {
    check_person(call)?;
    let now = authority.clock.unix_seconds();
    check_fresh(authority, call, now).await?;
    let touched = touched(authority, call, TouchedTo::Add, &asked.touch)?;
    authority.check_key(touched.key.key_data()).await?;
    let is_anothers = authority.store.person_by_key(&touched.fingerprint).await?.is_some_and(|person| person.subject != *call.subject());
    if is_anothers {
        return Err(Refusal::new(Reason::KeyInUse, "this key is enrolled for somebody else", "use a security key of your own").into());
    }
    let name = free_name(&authority.store.credentials(call.subject()).await?, asked.name.clone(), "touch")?;
    let material = touched.key.to_openssh().map_err(|error| Failure::Internal(error.to_string()))?;
    let event = about_touch(about(authority.event(Event::FactorAdded, Outcome::Done), call), &touched).fact("name", &name);
    let (subject, method, id) = (call.subject().clone(), FactorMethod::Touch, touched.fingerprint);
    let credential = Credential { subject, name: name.clone(), method, id, material, counter: 0, added_at: now };
    match authority.store.commit(Change::AddCredential(Box::new(credential)), event).await {
        Err(error) => Err(not_added(error, &name)),
        Ok(_) => Ok(FactorAdded { method: method.as_str().to_owned(), name }),
    }
}

async fn take(authority: &Authority, call: &PersonCall, touch: &Touch) -> Result<FactorProven, Failure> {
    check_person(call)?;
    let touched = touched(authority, call, TouchedTo::Prove, touch)?;
    authority.check_key(touched.key.key_data()).await?;
    let known = authority.store.credentials(call.subject()).await?;
    let known = known.into_iter().find(|known| known.method == FactorMethod::Touch && known.id == touched.fingerprint);
    let known = known.ok_or_else(unknown)?;
    let event = about_touch(about(authority.event(Event::FactorProven, Outcome::Done), call), &touched).fact("name", &known.name);
    let proven_at = authority.clock.unix_seconds();
    let (subject, key_fingerprint) = (call.subject().clone(), fingerprint(call).to_owned());
    let used = FactorUsed { subject, name: known.name, key_fingerprint, at: proven_at };
    match authority.store.commit(Change::ProveFactor(used), event).await {
        Err(StoreError::Unknown(_)) => Err(unknown().into()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(FactorProven { method: FactorMethod::Touch.as_str().to_owned(), proven_at }),
    }
}

/// Judges a touch. The request's challenge was used up by the request itself.
fn touched(authority: &Authority, call: &PersonCall, to: TouchedTo, touch: &Touch) -> Result<TouchedKey, Refusal> {
    let key = read_key(&touch.public_key)?;
    if touch.signature.len() > LONGEST_TEXT {
        return Err(bad("it is too long"));
    }
    let sshsig = SshSig::from_pem(&touch.signature).map_err(|error| bad(&error.to_string()))?;
    let message = touch_message(&authority.origin, to, &call.subject().to_string(), fingerprint(call), &call.challenge);
    let (signer, fido) = verify_sshsig_and_tell(&sshsig, TOUCH_NAMESPACE, &message).map_err(|error| bad(&error.to_string()))?;
    if signer != key.key_data() {
        return Err(bad("another key made it"));
    }
    let fido = fido.ok_or_else(|| {
        let remedy = "make one on your authenticator: ssh-keygen -t ed25519-sk";
        Refusal::new(Reason::HardwareKeyRequired, "only a security key can be touched, and this is none", remedy)
    })?;
    if !fido.touched {
        return Err(Refusal::new(Reason::NotTouched, "nobody touched the security key", "make one without no-touch-required"));
    }
    Ok(TouchedKey { fingerprint: signature::fingerprint(key.key_data()), key, fido })
}

async fn logged<T>(authority: &Authority, call: &PersonCall, event: Event, answer: Result<T, Failure>) -> Result<T, Failure> {
    if let Err(Failure::Refused(refusal)) = &answer {
        authority.store.commit(Change::None, about(authority.refused(event, refusal), call)).await?;
    }
    answer
}

fn bad(cause: &str) -> Refusal {
    let message = format!("the security key's signature does not fit: {cause}");
    Refusal::new(Reason::BadAnswer, message, format!("sign this request's challenge with it, namespace {TOUCH_NAMESPACE}"))
}

fn unknown() -> Refusal {
    Refusal::new(Reason::FactorUnknown, "this security key is no second factor of yours", "add it: dayfly factor add --touch --key FILE")
}

fn about(event: AuditEvent, call: &PersonCall) -> AuditEvent {
    event.subject(call.subject()).fact("method", FactorMethod::Touch).fact("key", fingerprint(call)).fact("address", call.context.source)
}

fn about_touch(event: AuditEvent, touched: &TouchedKey) -> AuditEvent {
    event.fact("touched", &touched.fingerprint).fact("user_verified", touched.fido.verified)
}

#[cfg(test)]
mod tests;
