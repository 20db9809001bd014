//! The rows that a session leaves in the log.
//!
//! Facts: `bastion`, `connection`, `peer`, `account`, `forward` (where a forwarded connection goes), `listen` (where the target
//! listens for the client), `from` and `listener` (where a connection that arrived there comes from, and which session listens), `mode`, `grant`, `parent_key` (the person's), and in a recorded session `key`, `session_serial` and `ends`
//! (the session certificate's). A refusal before the certificate was verified tells what it said of itself as `shown_key_id`.

use crate::{authority::Authority, identity::BastionCall};
use dayfly_api::session::SessionRequest;
use dayfly_core::{
    admission::Admission,
    audit::{AuditEvent, Event, Outcome},
    certificate::{KeyId, SignedCertificate, parse},
    reason::Refusal,
    signature::fingerprint,
};

/// A session that is permitted.
pub(super) fn started_event(
    authority: &Authority,
    call: &BastionCall,
    asked: &SessionRequest,
    admission: &Admission,
    id: &KeyId,
    minted: Option<&SignedCertificate>,
) -> AuditEvent {
    let event = about_session(authority.event(Event::SessionStarted, Outcome::Done), call, asked)
        .subject(&id.subject)
        .role(&id.role)
        .serial(admission.certificate().serial())
        .fact("mode", admission.mode().as_str())
        .fact("grant", id.grant)
        .fact("parent_key", fingerprint(admission.certificate().public_key()));
    let Some(certificate) = minted.map(SignedCertificate::certificate) else { return event };
    event
        .fact("session_serial", certificate.serial())
        .fact("key", fingerprint(certificate.public_key()))
        .fact("ends", certificate.valid_before())
}

/// A session that is not. `holder` is whoever the certificate was proven to name.
pub(super) fn refused_event(
    authority: &Authority,
    call: &BastionCall,
    asked: &SessionRequest,
    holder: Option<&KeyId>,
    refusal: &Refusal,
) -> AuditEvent {
    let event = about_session(authority.refused(Event::SessionRefused, refusal), call, asked);
    let shown = parse(&asked.certificate).ok();
    let event = match &shown {
        Some(certificate) => event.serial(certificate.serial()),
        None => event,
    };
    match (holder, &shown) {
        (Some(id), _) => event.subject(&id.subject).role(&id.role).fact("grant", id.grant),
        (None, Some(certificate)) => event.fact("shown_key_id", certificate.key_id()),
        (None, None) => event,
    }
}

/// What every event on a session says.
fn about_session(event: AuditEvent, call: &BastionCall, asked: &SessionRequest) -> AuditEvent {
    let event = event
        .target(&asked.target)
        .session(asked.session)
        .fact("bastion", &call.bastion.name)
        .fact("connection", asked.connection)
        .fact("peer", asked.peer.to_canonical());
    let event = match &asked.account {
        Some(account) => event.fact("account", account),
        None => event,
    };
    let event = match &asked.forward {
        Some(destination) => event.fact("forward", destination),
        None => event,
    };
    let Some(listening) = &asked.listen else { return event };
    let event = event.fact("listen", &listening.at);
    match &listening.arrival {
        Some(arrival) => event.fact("from", arrival.from).fact("listener", arrival.listener),
        None => event,
    }
}
