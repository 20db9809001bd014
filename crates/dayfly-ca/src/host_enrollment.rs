//! A host enrols: its one-time token, and a host key that it holds, become an enrolment and a certificate.
//!
//! Facts of its event: `host`, `names`, `key` and `address`.

use crate::{
    authority::Authority,
    failure::Failure,
    host_certificate::{for_host, names_for},
    host_setup::setup,
    identity::EnrollingHostCall,
    store::{Change, StoreError, Unique},
};
use dayfly_api::{
    bastion::HostCertificate,
    host::{HostEnrollment, HostSetup},
};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    reason::{Reason, Refusal},
};

/// Uses the token up and certifies the key. Either answer is in the log before this returns; a token whose enrolment is refused stays good.
pub async fn enroll(authority: &Authority, call: &EnrollingHostCall, asked: &HostEnrollment) -> Result<HostCertificate, Failure> {
    if let Err(failure) = use_token(authority, call, asked).await {
        if let Failure::Refused(refusal) = &failure {
            let event = about(authority.refused(Event::HostCertificateRefused, refusal), call);
            authority.store.commit(Change::None, event).await?;
            tracing::warn!(reason = %refusal.reason, "host enrolment refused");
        }
        return Err(failure);
    }
    // From here on the host is enrolled: should this fail, it renews with its key.
    for_host(authority, &call.enrolling.host, &call.enrolling.key, asked.names.as_ref(), call.context.source).await
}

/// What enrolling would come to.
pub async fn preview(authority: &Authority, call: &EnrollingHostCall, asked: &HostEnrollment) -> Result<HostSetup, Failure> {
    names_for(authority, &call.enrolling.host, asked.names.as_ref()).await?;
    setup(authority, &call.enrolling.host).await
}

async fn use_token(authority: &Authority, call: &EnrollingHostCall, asked: &HostEnrollment) -> Result<(), Failure> {
    let (host, key) = (&call.enrolling.host, &call.enrolling.key);
    names_for(authority, host, asked.names.as_ref()).await?;
    let change = Change::EnrollHost {
        host: host.name.clone(),
        token: host.token.digest,
        key_fingerprint: key.fingerprint.clone(),
        public_key: key.line.clone(),
    };
    match authority.store.commit(change, about(authority.event(Event::HostEnrolled, Outcome::Done), call)).await {
        Ok(_) => Ok(()),
        Err(StoreError::Conflict(Unique::HostToken)) => {
            let message = format!("the token of host {} was used before", host.name);
            Err(Refusal::new(Reason::UnknownToken, message, "ask whoever administers the CA for a new token").into())
        }
        Err(StoreError::Conflict(Unique::Key)) => {
            let message = "the host key is enrolled for another holder already";
            Err(Refusal::new(Reason::KeyInUse, message, "make new host keys: a key that two hosts share proves neither").into())
        }
        Err(error) => Err(error.into()),
    }
}

fn about(event: AuditEvent, call: &EnrollingHostCall) -> AuditEvent {
    let (host, key) = (&call.enrolling.host, &call.enrolling.key);
    let names: Vec<&str> = host.names.iter().map(|name| name.as_str()).collect();
    let event = event.fact("kind", "host").fact("host", &host.name).fact("names", names.join(",")).fact("key", &key.fingerprint);
    let event = event.fact("address", call.context.source.to_canonical());
    host.target.iter().fold(event, |event, target| event.target(target))
}

#[cfg(test)]
mod tests;
