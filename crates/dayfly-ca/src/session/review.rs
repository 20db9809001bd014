//! Sessions that run, looked at again: what was permitted at their beginning must be permitted now, where the role says so (`continuous`).
//!
//! What the store knows counts: whose certificate opened the session, and how they had proven who they are. The bastion tells the address, the account
//! and where a forwarded connection goes, as it did when the session began. That the certificate has ended since changes nothing: it opened the session.

use super::{parent::holder_of, served_target};
use crate::{
    authority::{Authority, rules},
    failure::Failure,
    identity::BastionCall,
    store::{Certificate, Change, Person, Session},
};
use dayfly_api::session::{RunningSession, SessionsReview, SessionsVerdict, WithdrawnSession};
use dayfly_core::{
    audit::Event,
    certificate::RevokedBy,
    identity::{Evidence, Proof},
    policy,
    reason::{Reason, Refusal},
    role::SessionRules,
    signed_request::hex,
    target::Mode,
};

/// How many sessions one call may ask about.
const MOST: usize = 64;

/// Which of these sessions may not go on. Each that may not is in the log before this returns.
pub async fn review(authority: &Authority, call: &BastionCall, asked: &SessionsReview) -> Result<SessionsVerdict, Failure> {
    if asked.sessions.len() > MOST {
        return Err(Refusal::new(Reason::BadRequest, format!("a call asks about {MOST} sessions at most"), "ask in several calls").into());
    }
    let mut withdrawn = Vec::new();
    for running in &asked.sessions {
        match look(authority, call, running).await {
            Ok(()) => {}
            Err(Failure::Refused(refusal)) => withdrawn.extend(withdraw(authority, call, running, refusal).await),
            // It keeps nobody else's from being looked at, and is asked about again.
            Err(failure) => tracing::error!(session = %running.session, %failure, "a running session cannot be looked at"),
        }
    }
    Ok(SessionsVerdict { withdrawn })
}

async fn look(authority: &Authority, call: &BastionCall, running: &RunningSession) -> Result<(), Failure> {
    let (session, certificate, person) = known(authority, call, running).await?;
    let revocations = authority.revocations.current().await?;
    if person.disabled || revocations.subjects.contains(&person.subject) {
        return Err(RevokedBy::Subject(person.subject).refusal().into());
    }
    let role = certificate.role.clone().ok_or_else(unknown)?;
    let evidence = certificate.evidence.clone().unwrap_or_else(|| evidence_of_before(&certificate, &person));
    if let Some(key) = [certificate.key_fingerprint.as_deref(), Some(evidence.proof.fingerprint())]
        .into_iter()
        .flatten()
        .find(|key| revocations.keys.contains(*key))
    {
        return Err(RevokedBy::Key(key.to_owned()).refusal().into());
    }
    if revocations.serials.contains(&certificate.serial) {
        return Err(RevokedBy::Serial(certificate.serial).refusal().into());
    }
    let holder = holder_of(authority, &person, evidence).await?;
    let book = authority.rules.load_full();
    let target = served_target(&book.inventory, &call.bastion, &session.target)?;
    if target.mode == Mode::Record && session.certificate.is_none() && running.listen.is_none() {
        let message = format!("{} is recorded now, and this session is not", session.target);
        return Err(Refusal::new(Reason::WrongMode, message, "connect again").into());
    }
    let context = book.context(authority.clock.now(), running.peer);
    let (bastion, account) = (&call.bastion.name, running.account.as_ref());
    policy::may_connect(rules(&book, &[]), &holder, &context, &role, &session.target, bastion, account)?;
    match book.roles.get(role.as_str()) {
        Some(role) => may_still_forward(&role.session_at(target), running).map_err(Failure::from),
        None => Ok(()),
    }
}

fn may_still_forward(rules: &SessionRules, running: &RunningSession) -> Result<(), Refusal> {
    let cause = match (&running.forward, &running.listen) {
        (Some(destination), _) if !rules.forwards_to(destination) => format!("the role does not forward to {destination} any more"),
        (_, Some(address)) if !rules.listens_on(address) => format!("the role does not let the target listen at {address} any more"),
        _ => return Ok(()),
    };
    Err(Refusal::new(Reason::NotAllowed, cause, "ask for another role: dayfly roles"))
}

/// What the store knows of a session that this bastion was permitted.
async fn known(authority: &Authority, call: &BastionCall, running: &RunningSession) -> Result<(Session, Certificate, Person), Failure> {
    let session = authority.store.session(running.session).await?.filter(|session| session.bastion == call.bastion.name);
    let session = session.ok_or_else(unknown)?;
    let certificate = authority.store.certificate(session.parent_serial).await?.ok_or_else(unknown)?;
    let person = authority.store.person(&certificate.subject).await?.ok_or_else(unknown)?;
    Ok((session, certificate, person))
}

fn unknown() -> Refusal {
    Refusal::new(Reason::NotIssued, "no such session was permitted to this bastion", "tell whoever administers the CA")
}

/// What is true of a certificate that was issued before evidence was kept.
fn evidence_of_before(certificate: &Certificate, person: &Person) -> Evidence {
    let fingerprint = person.key.as_ref().map(|key| key.fingerprint.clone()).unwrap_or_else(|| hex(&certificate.digest));
    Evidence::new(Proof::EnrolledKey { fingerprint }, certificate.issued_at)
}

/// The log first: what it cannot hold is not withdrawn yet.
async fn withdraw(authority: &Authority, call: &BastionCall, running: &RunningSession, refusal: Refusal) -> Option<WithdrawnSession> {
    let event = authority.refused(Event::SessionWithdrawn, &refusal).session(running.session).fact("bastion", &call.bastion.name);
    let event = match known(authority, call, running).await {
        Ok((session, certificate, person)) => event.subject(&person.subject).target(&session.target).serial(certificate.serial),
        Err(_) => event,
    };
    if let Err(error) = authority.store.commit(Change::None, event.fact("peer", running.peer.to_canonical())).await {
        tracing::error!(session = %running.session, %error, "a withdrawal cannot be logged");
        return None;
    }
    tracing::warn!(bastion = %call.bastion.name, session = %running.session, reason = %refusal.reason, "a running session is not permitted any more");
    Some(WithdrawnSession { session: running.session, code: refusal.reason.code().to_owned(), message: refusal.message })
}
