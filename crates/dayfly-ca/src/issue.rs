//! The issue pipeline: who asks → decision → intent in the log → signed and verified → outcome in the log → reply.
//!
//! If the log cannot be written, nothing leaves. Facts of its events: `grant`, `targets`, `principals`, `key` (what was certified), `digest` (SHA-256
//! of the certificate), `expires`, `policies`, `narrowed`, `address` (where it was asked from), `proof` (the key that proved who asked), `method` (how), `second_factors` (which were
//! proven, and when, in Unix seconds),
//! `touched` and `user_verified` (what a FIDO key said of the proof that it is held) and `stated_reason`.

use crate::{
    authority::{Authority, random_nonce, random_serial, rules, sign},
    config::RuleBook,
    failure::Failure,
    identity::{
        PersonCall,
        possession::{Bond, proven_key},
    },
    store::{Certificate, Change, StoreError, Unique},
    trust::digest,
};
use dayfly_api::certificate::{CertificateRequest as Asked, IssuedCertificate};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    certificate::{SignedCertificate, UnsignedCertificate},
    decision::Grant,
    policy,
    reason::Refusal,
    request::{CertificateRequest, RequestedTargets},
    rotation::Purpose,
    signature::{FidoFlags, fingerprint},
    signed_request::{Certifies, hex},
};
use std::fmt::Display;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// How often a serial is drawn before the CA gives up. Of 2^53, one that is taken comes up less than once in a lifetime.
const SERIAL_ATTEMPTS: usize = 3;

/// Issues a certificate, or says why not. Either is in the log before this returns.
pub async fn issue(authority: &Authority, call: &PersonCall, asked: Asked) -> Result<IssuedCertificate, Failure> {
    let refused_as = refused_event(authority, call, &asked);
    match decide(authority, call, asked).await {
        Ok((request, grant)) => mint(authority, call, &request, &grant).await,
        Err(Failure::Refused(refusal)) => {
            authority.store.commit(Change::None, refused_as(&refusal)).await?;
            Err(Failure::Refused(refusal))
        }
        Err(failure) => Err(failure),
    }
}

/// What was asked for, checked, and the yes to it.
async fn decide(authority: &Authority, call: &PersonCall, asked: Asked) -> Result<(CertificateRequest, Grant), Failure> {
    let subject = call.subject().to_string();
    let bond = Bond { origin: &authority.origin, certifies: Certifies::User, caller: &subject, challenge: &call.challenge };
    let held = proven_key(bond, &asked.public_key, &asked.possession)?;
    authority.check_key(held.public_key.key_data()).await?;
    let request = CertificateRequest::new(asked.role, asked.targets, asked.ttl, asked.reason, held.public_key)?.held_with(held.fido);
    let book = authority.rules.load_full();
    let networks = authority.bastion_networks(book.roles.get(request.role.as_str())).await?;
    let (identity, context) = (call.identity.clone(), call.context.clone());
    let is_quick = is_quick(&book, &request.targets);
    let decide = move || (policy::decide(rules(&book, &networks), &identity, &context, &request, Uuid::now_v7()), request);
    let (decision, request) = if is_quick { decide() } else { tokio::task::spawn_blocking(decide).await? };
    Ok((request, decision.into_grant()?))
}

/// Policy is asked once for each target: about a few between two requests, about groups on a thread beside them.
fn is_quick(book: &RuleBook, targets: &RequestedTargets) -> bool {
    match targets {
        RequestedTargets::Named(names) => names.len() <= 4 && names.iter().all(|name| book.inventory.get(name.as_str()).is_some()),
        RequestedTargets::All => false,
    }
}

async fn mint(authority: &Authority, call: &PersonCall, request: &CertificateRequest, grant: &Grant) -> Result<IssuedCertificate, Failure> {
    for _ in 1..SERIAL_ATTEMPTS {
        match mint_once(authority, call, request, grant).await {
            Err(Failure::Store(StoreError::Conflict(Unique::Serial))) => {}
            answer => return answer,
        }
    }
    mint_once(authority, call, request, grant).await
}

async fn mint_once(
    authority: &Authority,
    call: &PersonCall,
    request: &CertificateRequest,
    grant: &Grant,
) -> Result<IssuedCertificate, Failure> {
    let (serial, now) = (random_serial(), authority.clock.unix_seconds());
    let about = |event, outcome| about_grant(authority.event(event, outcome), grant).serial(serial);
    let unsigned = UnsignedCertificate::user(grant, request.public_key.clone(), now, serial, random_nonce())?;
    let ends_at = unsigned.validity().before();
    let expires_at = OffsetDateTime::from_unix_timestamp(i64::try_from(ends_at).unwrap_or(i64::MAX));
    let expires_at = expires_at.map_err(|error| Failure::Internal(error.to_string()))?;

    authority.store.commit(Change::None, about(Event::CertificateIntended, Outcome::Pending)).await?;
    let failed = async |failure: Failure| -> Failure {
        let event = about(Event::CertificateFailed, Outcome::Failed).detail(&failure.to_string());
        authority.store.commit(Change::None, event).await.err().map_or(failure, Failure::Store)
    };
    let signed = match sign(authority, unsigned, &authority.keyring.signer(Purpose::User)).await {
        Ok(signed) => signed,
        Err(failure) => return Err(failed(failure).await),
    };
    let certificate = signed.to_openssh()?;
    let issued = issued_event(about(Event::CertificateIssued, Outcome::Done), call, request, grant, &signed, expires_at);
    let record = Certificate {
        serial,
        digest: *signed.digest(),
        subject: grant.subject().clone(),
        ends_at,
        role: Some(grant.role().clone()),
        grant: Some(grant.id()),
        key_fingerprint: Some(fingerprint(request.public_key.key_data())),
        issued_at: now,
        evidence: Some(call.identity.evidence.clone()),
    };
    match authority.store.commit(Change::AddCertificate(record), issued).await {
        Ok(_) => Ok(reply(certificate, serial, grant, expires_at, digest(authority).await?)),
        Err(error) => Err(failed(Failure::Store(error)).await),
    }
}

fn reply(certificate: String, serial: u64, grant: &Grant, expires_at: OffsetDateTime, authorities: String) -> IssuedCertificate {
    IssuedCertificate {
        certificate,
        serial,
        grant: grant.id(),
        role: grant.role().clone(),
        targets: grant.targets().iter().cloned().collect(),
        principals: grant.principals().iter().map(ToString::to_string).collect(),
        expires_at,
        policies: grant.explanation().policies.iter().cloned().collect(),
        narrowed: grant.explanation().narrowed.clone(),
        authorities,
    }
}

fn issued_event(
    event: AuditEvent,
    call: &PersonCall,
    request: &CertificateRequest,
    grant: &Grant,
    signed: &SignedCertificate,
    expires_at: OffsetDateTime,
) -> AuditEvent {
    let evidence = &call.identity.evidence;
    let event = event
        .fact("principals", list(grant.principals()))
        .fact("key", fingerprint(request.public_key.key_data()))
        .fact("digest", hex(signed.digest()))
        .fact("expires", expires_at.format(&Rfc3339).unwrap_or_default())
        .fact("policies", list(&grant.explanation().policies))
        .fact("address", call.context.source)
        .fact("proof", evidence.proof.fingerprint())
        .fact("method", evidence.proof.method());
    let event = match &evidence.device {
        Some(device) => event.fact("device", &device.id).fact("device_enrolled", device.enrolled),
        None => event,
    };
    let factors = evidence.factors.iter().map(|(method, proven_at)| format!("{method}@{proven_at}")).collect::<Vec<_>>().join(",");
    let event = with_fact(event, "second_factors", &factors);
    let event = match request.fido {
        Some(FidoFlags { touched, verified }) => event.fact("touched", touched).fact("user_verified", verified),
        None => event,
    };
    let event = with_fact(event, "narrowed", &grant.explanation().narrowed.join("; "));
    with_fact(event, "stated_reason", request.reason.as_deref().unwrap_or_default())
}

/// What every event on a grant says.
fn about_grant(event: AuditEvent, grant: &Grant) -> AuditEvent {
    let event = event.subject(grant.subject()).role(grant.role()).fact("grant", grant.id()).fact("targets", list(grant.targets()));
    match grant.targets().first() {
        Some(target) if grant.targets().len() == 1 => event.target(target),
        _ => event,
    }
}

/// The event of a refusal of `asked`, whose fields are not believed but logged.
fn refused_event<'a>(authority: &'a Authority, call: &'a PersonCall, asked: &Asked) -> impl Fn(&Refusal) -> AuditEvent + use<'a> {
    let role = asked.role.clone();
    let targets = match &asked.targets {
        RequestedTargets::Named(names) => list(names),
        RequestedTargets::All => "all".to_owned(),
    };
    let stated_reason = asked.reason.clone().unwrap_or_default();
    move |refusal| {
        let event = authority.refused(Event::CertificateRefused, refusal).subject(call.subject()).role(&role);
        let event = event.fact("targets", &targets).fact("address", call.context.source);
        with_fact(event, "stated_reason", &stated_reason)
    }
}

fn with_fact(event: AuditEvent, name: &str, value: &str) -> AuditEvent {
    if value.is_empty() { event } else { event.fact(name, value) }
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
