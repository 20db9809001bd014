//! An enrolled host's certificate, for names that it was enrolled with and that are nobody else's.

use super::{finish, or_logged};
use crate::{
    authority::{Authority, random_nonce, random_serial},
    failure::Failure,
    store::{
        Change,
        host::{Host, HostCertificateHeld, HostCertificateNote, HostKey},
    },
};
use dayfly_api::bastion::HostCertificate;
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    certificate::UnsignedCertificate,
    certified_name::CertifiedName,
    reason::{Reason, Refusal},
    rotation::Purpose,
};
use ssh_key::PublicKey;
use std::{collections::BTreeSet, net::IpAddr};

/// A certificate of `key` for `asked`, or for all names of the host. Its caller has seen the key sign. Either answer is in the log before this returns.
pub async fn for_host(
    authority: &Authority,
    host: &Host,
    key: &HostKey,
    asked: Option<&BTreeSet<CertifiedName>>,
    from: IpAddr,
) -> Result<HostCertificate, Failure> {
    let about = |event: AuditEvent| {
        let event = event.fact("kind", "host").fact("host", &host.name).fact("key", &key.fingerprint).fact("address", from.to_canonical());
        host.target.iter().fold(event, |event, target| event.target(target))
    };
    let answer = certify(authority, host, key, asked, &about).await;
    or_logged(authority, answer, |refusal| about(authority.refused(Event::HostCertificateRefused, refusal))).await
}

async fn certify(
    authority: &Authority,
    host: &Host,
    key: &HostKey,
    asked: Option<&BTreeSet<CertifiedName>>,
    about: impl Fn(AuditEvent) -> AuditEvent,
) -> Result<HostCertificate, Failure> {
    let names = names_for(authority, host, asked).await?;
    let public_key = PublicKey::from_openssh(&key.line).map_err(|error| Failure::Internal(error.to_string()))?;
    let (now, ttl) = (authority.clock.unix_seconds(), authority.hosts.certificate_ttl.as_secs());
    let unsigned = UnsignedCertificate::enrolled_host(&host.name, &names, public_key, ttl, now, random_serial(), random_nonce())?;
    let certificate = HostCertificateHeld { serial: unsigned.serial(), ends_at: unsigned.validity().before() };
    let change = Change::NoteHostCertificate(HostCertificateNote { host: host.name.clone(), certificate });
    finish(authority, unsigned, Purpose::Host, change, about(authority.event(Event::HostCertificateIssued, Outcome::Done))).await
}

/// The names that a certificate of this host holds: those that were asked for, if they are its own, or all of them. A name that has become a target's, a
/// bastion's or another host's since is nobody's until the administrator has settled whose.
pub async fn names_for(
    authority: &Authority,
    host: &Host,
    asked: Option<&BTreeSet<CertifiedName>>,
) -> Result<BTreeSet<CertifiedName>, Failure> {
    let names = asked.unwrap_or(&host.names);
    if let Some(foreign) = names.difference(&host.names).next() {
        let own: Vec<&str> = host.names.iter().map(CertifiedName::as_str).collect();
        let remedy = format!("ask for its own names: {}", own.join(", "));
        return Err(not_enrolled(format!("host {} is not enrolled for the name {foreign}", host.name), remedy).into());
    }
    if names.is_empty() {
        return Err(Refusal::new(Reason::NoPrincipals, "a host certificate without names would name every host", "ask for a name").into());
    }
    let (bastions, hosts) = (authority.store.bastions().await?, authority.store.hosts().await?);
    let book = authority.rules.load();
    for name in names {
        let text = name.as_str();
        let is_target = book.inventory.get(text).is_some_and(|target| host.target.as_ref() != Some(&target.name));
        let bastion =
            bastions.iter().find(|bastion| !bastion.disabled && (bastion.name.as_str() == text || bastion.host_names.contains(text)));
        let other = hosts.iter().find(|other| !other.disabled && other.name != host.name && other.names.contains(name));
        let owner = match (is_target, bastion, other) {
            (true, ..) => format!("the target {name}"),
            (_, Some(bastion), _) => format!("bastion {}", bastion.name),
            (.., Some(other)) => format!("host {}", other.name),
            _ => continue,
        };
        let remedy = "have whoever administers the CA enrol the host anew, under names of its own";
        return Err(not_enrolled(format!("the name {name} belongs to {owner}"), remedy).into());
    }
    Ok(names.clone())
}

fn not_enrolled(message: String, remedy: impl Into<String>) -> Refusal {
    Refusal::new(Reason::NameNotEnrolled, message, remedy)
}
