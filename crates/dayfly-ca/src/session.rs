//! The session pipeline: the one question that a bastion asks before it lets anybody through, for either mode.
//!
//! Which bastion → may it serve the target → is the certificate one of ours, valid here and now, and in the log → does it admit → does policy still
//! permit → a session certificate where the target is recorded → one row in the log, and the id is used up → reply.

mod events;
mod parent;
mod review;

pub use review::review;

use crate::{
    authority::{Authority, random_nonce, random_serial, rules},
    config::RuleBook,
    failure::Failure,
    identity::{
        BastionCall,
        possession::{Bond, held_key},
    },
    store::{Bastion, Change, Minted, Session, StoreError, Unique},
};
use dayfly_api::session::{SessionPermit, SessionRequest};
use dayfly_core::{
    address::Network,
    admission::{Admission, admit},
    audit::AuditEvent,
    certificate::{KeyId, SessionCertificate, SessionKind, SignedCertificate, UnsignedCertificate},
    identity::Identity,
    name::TargetName,
    policy,
    reason::{Reason, Refusal},
    role::SessionRules,
    rotation::Purpose,
    signed_request::Certifies,
    target::{Inventory, Mode, Target},
};
use events::{refused_event, started_event};
use parent::Parent;
use time::OffsetDateTime;

/// Permits a session, or says why not. Either is in the log before this returns.
pub async fn open(authority: &Authority, call: &BastionCall, asked: &SessionRequest) -> Result<SessionPermit, Failure> {
    let mut holder = None;
    match permit(authority, call, asked, &mut holder).await {
        Err(Failure::Refused(refusal)) => {
            authority.store.commit(Change::None, refused_event(authority, call, asked, holder.as_ref(), &refusal)).await?;
            tracing::warn!(bastion = %call.bastion.name, session = %asked.session, reason = %refusal.reason, "session refused");
            Err(Failure::Refused(refusal))
        }
        answer => answer,
    }
}

/// `holder` is set as soon as the certificate proves whose it is, so that a later refusal can name them.
async fn permit(
    authority: &Authority,
    call: &BastionCall,
    asked: &SessionRequest,
    holder: &mut Option<KeyId>,
) -> Result<SessionPermit, Failure> {
    let book = authority.rules.load_full();
    let target = served_target(&book.inventory, &call.bastion, &asked.target)?;
    let parent = Parent::verified(authority, asked, authority.clock.unix_seconds()).await?;
    let parent_id = &*holder.insert(parent.id.clone());
    let issued = parent.check_issued(authority).await?;
    let admission = admit(&parent.certificate, target, asked.account.as_ref())?;
    let holder = parent.holder(authority, issued).await?;
    may_connect(authority, &book, call, asked, parent_id, &holder)?;
    let rules = session_rules(&book, target, parent_id)?;
    may_forward(&rules, asked, &admission)?;
    check_arrival(authority, call, asked, &parent).await?;
    let minted = match admission.mode() {
        Mode::Record if !is_arrival(asked) => Some(mint(authority, call, asked, &admission, kind(&rules, asked, &admission)).await?),
        Mode::Record | Mode::Passthrough => None,
    };
    let permit = reply(rules, &admission, parent_id, minted.as_ref())?;
    let session = Session {
        id: asked.session,
        parent_serial: parent.certificate.serial(),
        certificate: minted
            .as_ref()
            .map(|signed| Minted { serial: signed.certificate().serial(), ends_at: signed.certificate().valid_before() }),
        bastion: call.bastion.name.clone(),
        target: asked.target.clone(),
    };
    let started = started_event(authority, call, asked, &admission, parent_id, minted.as_ref());
    match authority.store.commit(Change::AddSession(session), started).await {
        Err(StoreError::Conflict(Unique::Session)) => Err(replayed(asked).into()),
        answer => Ok(answer.map(|_| permit)?),
    }
}

/// The target of the CA's own inventory. What mode it has is never the bastion's word.
fn served_target<'a>(inventory: &'a Inventory, bastion: &Bastion, name: &TargetName) -> Result<&'a Target, Refusal> {
    let target = inventory.get(name.as_str()).ok_or_else(|| {
        Refusal::new(Reason::UnknownTarget, format!("there is no target {name}"), "`dayfly roles` lists the targets that you may reach")
    })?;
    if bastion.targets.iter().any(|scope| target.is_within(scope)) {
        return Ok(target);
    }
    let message = format!("bastion {} may not serve {name}", bastion.name);
    Err(Refusal::new(Reason::TargetNotServed, message, format!("go through a bastion that may, or enrol {} for {name}", bastion.name)))
}

/// What was granted minutes ago must be permitted now, from the address that the bastion sees, and through this bastion.
fn may_connect(
    authority: &Authority,
    book: &RuleBook,
    call: &BastionCall,
    asked: &SessionRequest,
    id: &KeyId,
    holder: &Identity,
) -> Result<(), Refusal> {
    let context = book.context(authority.clock.now(), asked.peer);
    let (role, bastion, account) = (&id.role, &call.bastion.name, asked.account.as_ref());
    policy::may_connect(rules(book, &[]), holder, &context, role, &asked.target, bastion, account).map(|_| ())
}

/// What the role and the target both allow.
fn session_rules(book: &RuleBook, target: &Target, id: &KeyId) -> Result<SessionRules, Failure> {
    let role =
        book.roles.get(id.role.as_str()).ok_or_else(|| Failure::Internal(format!("role {} was permitted and is not there", id.role)))?;
    Ok(role.session_at(target))
}

/// What a recorded session may forward is by its rules. A passthrough target judges that itself, and nobody else hears of it.
fn may_forward(rules: &SessionRules, asked: &SessionRequest, admission: &Admission) -> Result<(), Refusal> {
    if asked.forward.is_none() && asked.listen.is_none() {
        return Ok(());
    }
    if admission.mode() != Mode::Record {
        return Err(Refusal::new(Reason::WrongMode, "only recorded targets forward by the bastion's hand", ""));
    }
    let (extensions, forced) = (admission.certificate().extensions(), admission.certificate().force_command());
    if let Some(destination) = &asked.forward {
        rules.allows_forward(destination, extensions, forced)?;
    }
    match &asked.listen {
        Some(listening) => rules.allows_listen(&listening.at, extensions, forced),
        None => Ok(()),
    }
}

/// What arrives where a target listens belongs to a session of the same certificate that this bastion was permitted, at the same target.
async fn check_arrival(authority: &Authority, call: &BastionCall, asked: &SessionRequest, parent: &Parent) -> Result<(), Failure> {
    let Some(arrival) = asked.listen.as_ref().and_then(|listening| listening.arrival) else { return Ok(()) };
    let listener = authority.store.session(arrival.listener).await?.filter(|listener| {
        listener.bastion == call.bastion.name
            && listener.target == asked.target
            && listener.parent_serial == parent.certificate.serial()
            && listener.certificate.is_some()
    });
    let unknown = || Refusal::new(Reason::NotIssued, "no session of this certificate listens there", "tell whoever administers the CA");
    Ok(listener.map(drop).ok_or_else(unknown)?)
}

fn is_arrival(asked: &SessionRequest) -> bool {
    asked.listen.as_ref().is_some_and(|listening| listening.arrival.is_some())
}

/// What the login is for, so that it can do nothing else.
fn kind(rules: &SessionRules, asked: &SessionRequest, admission: &Admission) -> SessionKind {
    let certificate = admission.certificate();
    if asked.forward.is_some() || asked.listen.is_some() {
        SessionKind::Forward
    } else if rules.allows_agent(certificate.extensions(), certificate.force_command()).is_ok() {
        SessionKind::AgentSession
    } else {
        SessionKind::Session
    }
}

/// A session certificate: one login, one target, a minute, from this bastion's addresses, with the parent's limits or tighter.
async fn mint(
    authority: &Authority,
    call: &BastionCall,
    asked: &SessionRequest,
    parent: &Admission,
    kind: SessionKind,
) -> Result<SignedCertificate, Failure> {
    let login_key = asked.login_key.as_ref().ok_or_else(|| {
        let message = format!("{} is recorded, and the request names no key to log in with", asked.target);
        Refusal::new(Reason::WrongMode, message, "have the bastion fetch its inventory anew")
    })?;
    let bastion = &call.bastion;
    let bond = Bond { origin: &authority.origin, certifies: Certifies::Session, caller: bastion.name.as_str(), challenge: &call.challenge };
    let public_key = held_key(bond, &login_key.public_key, &login_key.possession)?;
    let dials_from: Vec<Network> = bastion.dials_from.iter().copied().collect();
    let session = SessionCertificate { session: asked.session, bastion: &bastion.name, dials_from: &dials_from, public_key, kind };
    let now = authority.clock.unix_seconds();
    let unsigned = UnsignedCertificate::session(parent, session, now, random_serial(), random_nonce())?;
    let about =
        |event: AuditEvent| event.target(&asked.target).session(asked.session).fact("kind", "session").fact("bastion", &bastion.name);
    authority.sign_or_log(unsigned, &authority.keyring.signer(Purpose::Session), about).await
}

fn reply(rules: SessionRules, admission: &Admission, id: &KeyId, minted: Option<&SignedCertificate>) -> Result<SessionPermit, Failure> {
    let ends = i64::try_from(admission.certificate().validity().before()).unwrap_or(i64::MAX);
    let certificate_ends = OffsetDateTime::from_unix_timestamp(ends).map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(SessionPermit {
        subject: id.subject.clone(),
        role: id.role.clone(),
        grant: id.grant,
        mode: admission.mode(),
        rules,
        certificate_ends,
        session_certificate: minted.map(SignedCertificate::to_openssh).transpose()?,
    })
}

fn replayed(asked: &SessionRequest) -> Refusal {
    let message = format!("the session id {} was used before", asked.session);
    Refusal::new(Reason::SessionReplayed, message, "start a new session")
}

#[cfg(test)]
mod tests;
