//! Host certificates: a bastion's own, those it shows when it answers for a recorded target, and those of enrolled hosts.
//!
//! Facts of its events: `kind` (`bastion`, `inner` or `host`), `bastion` or `host`, `names`, `key` and `ends`.

mod of_host;

pub use of_host::{for_host, names_for};

use crate::{
    authority::{Authority, random_nonce, random_serial},
    failure::Failure,
    identity::{
        BastionCall,
        possession::{Bond, held_key},
    },
    store::{Change, StoreError, Unique},
};
use dayfly_api::bastion::{HostCertificate, HostCertificateRequest, InnerHostCertificateRequest};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    certificate::UnsignedCertificate,
    name::TargetName,
    reason::{Reason, Refusal},
    rotation::Purpose,
    signature::fingerprint,
    signed_request::Certifies,
    target::Mode,
};
use ssh_key::PublicKey;

/// How long a bastion's own host certificate lives, in seconds: a week, so that a CA that is away for a day is not noticed.
pub(crate) const HOST_TTL_SECONDS: u64 = 7 * 24 * 60 * 60;

/// A bastion's own host certificate, for the names that it was enrolled with. Either answer is in the log before this returns.
pub async fn for_bastion(authority: &Authority, call: &BastionCall, asked: &HostCertificateRequest) -> Result<HostCertificate, Failure> {
    let answer = certify_bastion(authority, call, asked).await;
    or_logged(authority, answer, |refusal| about_bastion(authority.refused(Event::HostCertificateRefused, refusal), call, "bastion")).await
}

async fn certify_bastion(authority: &Authority, call: &BastionCall, asked: &HostCertificateRequest) -> Result<HostCertificate, Failure> {
    let key = host_key(authority, call, Certifies::Host, &asked.public_key, &asked.possession)?;
    let bastion = &call.bastion;
    let mut names = vec![bastion.name.to_string()];
    names.extend(bastion.host_names.iter().filter(|name| name.as_str() != bastion.name.as_str()).cloned());
    let now = authority.clock.unix_seconds();
    let unsigned = UnsignedCertificate::host(&bastion.name, &names, key.clone(), HOST_TTL_SECONDS, now, random_serial(), random_nonce())?;
    let event = about_bastion(authority.event(Event::HostCertificateIssued, Outcome::Done), call, "bastion");
    finish(authority, unsigned, Purpose::Host, Change::None, event.fact("key", fingerprint(key.key_data()))).await
}

/// The certificate that a bastion shows when it answers for a recorded target: that name alone, on a key that carries no other. Either answer is in the
/// log before this returns.
pub async fn for_target(
    authority: &Authority,
    call: &BastionCall,
    asked: &InnerHostCertificateRequest,
) -> Result<HostCertificate, Failure> {
    let answer = certify_target(authority, call, asked).await;
    let refused =
        |refusal: &Refusal| about_bastion(authority.refused(Event::HostCertificateRefused, refusal), call, "inner").target(&asked.target);
    or_logged(authority, answer, refused).await
}

async fn certify_target(
    authority: &Authority,
    call: &BastionCall,
    asked: &InnerHostCertificateRequest,
) -> Result<HostCertificate, Failure> {
    let target = answerable(authority, call, &asked.target)?;
    let key = host_key(authority, call, Certifies::InnerHost, &asked.public_key, &asked.possession)?;
    let key_fingerprint = fingerprint(key.key_data());
    let bastion = &call.bastion;
    let now = authority.clock.unix_seconds();
    let unsigned = UnsignedCertificate::inner_host(&bastion.name, &target, key, now, random_serial(), random_nonce())?;
    let event = about_bastion(authority.event(Event::InnerHostCertificateIssued, Outcome::Done), call, "inner");
    let event = event.target(&target).fact("key", &key_fingerprint);
    let change = Change::AddInnerHostKey { key_fingerprint, bastion: bastion.name.clone(), target };
    match finish(authority, unsigned, Purpose::InnerHost, change, event).await {
        Err(Failure::Store(StoreError::Conflict(Unique::InnerHostKey))) => Err(key_in_use("it carries another name already").into()),
        answer => answer,
    }
}

/// A recorded target that this bastion may serve. A passthrough target answers for itself, so nobody else gets a certificate with its name.
fn answerable(authority: &Authority, call: &BastionCall, name: &TargetName) -> Result<TargetName, Refusal> {
    let book = authority.rules.load();
    let remedy = "ask for recorded targets of the bastion's own inventory only";
    let target = book.inventory.get(name.as_str());
    let target = target.ok_or_else(|| Refusal::new(Reason::UnknownTarget, format!("there is no target {name}"), remedy))?;
    if !call.bastion.targets.iter().any(|scope| target.is_within(scope)) {
        return Err(Refusal::new(Reason::TargetNotServed, format!("bastion {} may not serve {name}", call.bastion.name), remedy));
    }
    if target.mode != Mode::Record {
        return Err(Refusal::new(Reason::WrongMode, format!("{name} is not recorded and answers for itself"), remedy));
    }
    Ok(target.name.clone())
}

/// The key to certify, which the bastion holds and which is not the one that signs its calls.
fn host_key(authority: &Authority, call: &BastionCall, certifies: Certifies, line: &str, possession: &str) -> Result<PublicKey, Refusal> {
    let bond = Bond { origin: &authority.origin, certifies, caller: call.bastion.name.as_str(), challenge: &call.challenge };
    let key = held_key(bond, line, possession)?;
    if fingerprint(key.key_data()) == call.bastion.key_fingerprint {
        return Err(key_in_use("it signs the bastion's calls"));
    }
    Ok(key)
}

fn key_in_use(why: &str) -> Refusal {
    Refusal::new(Reason::KeyInUse, format!("the key cannot be certified: {why}"), "make a new key for each name")
}

async fn finish(
    authority: &Authority,
    unsigned: UnsignedCertificate,
    purpose: Purpose,
    change: Change,
    event: AuditEvent,
) -> Result<HostCertificate, Failure> {
    let ends_at = unsigned.validity().before();
    let event = event.serial(unsigned.serial()).fact("names", unsigned.principals().join(",")).fact("ends", ends_at);
    let signer = authority.keyring.signer(purpose);
    let facts = event.facts.clone();
    let about = |failed: AuditEvent| AuditEvent { facts, target: event.target.clone(), ..failed };
    let certificate = authority.sign_or_log(unsigned, &signer, about).await?.to_openssh()?;
    authority.store.commit(change, event).await?;
    Ok(HostCertificate { certificate, ends_at })
}

async fn or_logged<T>(authority: &Authority, answer: Result<T, Failure>, event: impl FnOnce(&Refusal) -> AuditEvent) -> Result<T, Failure> {
    if let Err(Failure::Refused(refusal)) = &answer {
        authority.store.commit(Change::None, event(refusal)).await?;
        tracing::warn!(reason = %refusal.reason, "host certificate refused");
    }
    answer
}

fn about_bastion(event: AuditEvent, call: &BastionCall, kind: &str) -> AuditEvent {
    event.fact("kind", kind).fact("bastion", &call.bastion.name)
}

#[cfg(test)]
mod tests;
