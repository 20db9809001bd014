//! The session pipeline: the one question that a bastion asks before it lets anybody through, for either mode.
//!
//! Which bastion → may it serve the target → is the certificate one of ours, valid here and now, and in the log → does it admit → does policy still
//! permit → a session certificate where the target is recorded → one row in the log, and the id is used up → reply.
//!
//! Facts of its events: `bastion`, `connection`, `peer`, `account`, `mode`, `grant`, `parent_key` (the person's), and in a recorded session `key`, `session_serial`
//! and `ends` (the session certificate's). A refusal before the certificate was verified tells what it said of itself as `shown_key_id`.

use crate::{
    authority::{Authority, random_nonce, random_serial, rules, sign},
    config::RuleBook,
    failure::Failure,
    identity::{
        BastionCall,
        possession::{Bond, held_key},
    },
    store::{Bastion, Change, Person, Session, StoreError, Unique},
};
use dayfly_api::session::{SessionPermit, SessionRequest};
use dayfly_core::{
    address::Network,
    admission::{Admission, admit},
    audit::{AuditEvent, Event, Outcome},
    certificate::{KeyId, Revocations, SessionCertificate, SignedCertificate, UnsignedCertificate, VerifiedCertificate, Verifier, parse},
    context::Context,
    identity::{Identity, Proof},
    name::TargetName,
    policy,
    reason::{Reason, Refusal},
    signature::fingerprint,
    signed_request::Certifies,
    target::{Inventory, Mode, Target},
    validity::BACKDATE_SECONDS,
};
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
    parent.check_issued(authority).await?;
    let admission = admit(&parent.certificate, target, asked.account.as_ref())?;
    may_connect(authority, &book, call, asked, &parent)?;
    let minted = match admission.mode() {
        Mode::Record => Some(mint(authority, call, asked, &admission).await?),
        Mode::Passthrough => None,
    };
    let permit = reply(&book, &admission, parent_id, minted.as_ref())?;
    let session = Session {
        id: asked.session,
        parent_serial: parent.certificate.serial(),
        serial: minted.as_ref().map(|signed| signed.certificate().serial()),
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

/// The person's certificate that a session is asked for.
struct Parent {
    certificate: VerifiedCertificate,
    id: KeyId,
    /// Whoever it names, as enrolled now.
    person: Option<Person>,
}

impl Parent {
    /// Signed by the user CA, well formed, valid at `now`, shown from where it may be, and not revoked. Whether it was issued is the last question.
    async fn verified(authority: &Authority, asked: &SessionRequest, now: u64) -> Result<Self, Failure> {
        let certificate = parse(&asked.certificate)?;
        let id = certificate.key_id().parse::<KeyId>().ok();
        let person = match &id {
            Some(id) => authority.store.person(&id.subject).await?,
            None => None,
        };
        let disabled = person.iter().filter(|person| person.disabled).map(|person| person.subject.clone());
        let revocations = Revocations { subjects: disabled.collect(), ..Revocations::default() };
        let authorities = std::slice::from_ref(authority.keyring.user_ca.public_key());
        let certificate = Verifier { authorities, revocations: &revocations }.user(&certificate, now, asked.peer)?;
        let id = id.filter(|id| id.session.is_none()).ok_or_else(|| not_issued(certificate.serial()))?;
        Ok(Self { certificate, id, person })
    }

    /// In the log, byte for byte, and given to whom it names: a key that signs outside this program is noticed here.
    async fn check_issued(&self, authority: &Authority) -> Result<(), Failure> {
        let issued = authority.store.certificate(self.certificate.serial()).await?;
        let is_issued = issued.is_some_and(|issued| issued.digest == *self.certificate.digest() && issued.subject == self.id.subject);
        if is_issued { Ok(()) } else { Err(not_issued(self.certificate.serial()).into()) }
    }

    /// Whoever holds it, with the groups of now. It was proven when the certificate was issued.
    fn holder(&self) -> Result<Identity, Refusal> {
        let person = self.person.as_ref().ok_or_else(|| {
            let message = format!("{} is not enrolled any more", self.id.subject);
            Refusal::new(Reason::Revoked, message, "ask whoever administers the CA")
        })?;
        Ok(Identity {
            subject: person.subject.clone(),
            groups: person.groups.clone(),
            proof: Proof::EnrolledKey { fingerprint: person.key_fingerprint.clone() },
            proven_at: self.certificate.validity().after().saturating_add(BACKDATE_SECONDS),
        })
    }
}

/// What was granted minutes ago must be permitted now, and through this bastion.
fn may_connect(authority: &Authority, book: &RuleBook, call: &BastionCall, asked: &SessionRequest, parent: &Parent) -> Result<(), Refusal> {
    let context = Context { now: authority.clock.now(), source: asked.peer };
    let (role, bastion, account) = (&parent.id.role, &call.bastion.name, asked.account.as_ref());
    policy::may_connect(rules(book, &[]), &parent.holder()?, &context, role, &asked.target, bastion, account).map(|_| ())
}

/// A session certificate: one login, one target, a minute, from this bastion's addresses, with the parent's limits or tighter.
async fn mint(authority: &Authority, call: &BastionCall, asked: &SessionRequest, parent: &Admission) -> Result<SignedCertificate, Failure> {
    let login_key = asked.login_key.as_ref().ok_or_else(|| {
        let message = format!("{} is recorded, and the request names no key to log in with", asked.target);
        Refusal::new(Reason::WrongMode, message, "have the bastion fetch its inventory anew")
    })?;
    let bastion = &call.bastion;
    let bond = Bond { origin: &authority.origin, certifies: Certifies::Session, caller: bastion.name.as_str(), challenge: &call.challenge };
    let public_key = held_key(bond, &login_key.public_key, &login_key.possession)?;
    let dials_from: Vec<Network> = bastion.dials_from.iter().copied().collect();
    let session = SessionCertificate { session: asked.session, bastion: &bastion.name, dials_from: &dials_from, public_key };
    let now = authority.clock.unix_seconds();
    let unsigned = UnsignedCertificate::session(parent, session, now, random_serial(), random_nonce())?;
    sign(unsigned, &authority.keyring.session_ca).await
}

fn reply(book: &RuleBook, admission: &Admission, id: &KeyId, minted: Option<&SignedCertificate>) -> Result<SessionPermit, Failure> {
    let role =
        book.roles.get(id.role.as_str()).ok_or_else(|| Failure::Internal(format!("role {} was permitted and is not there", id.role)))?;
    let ends = i64::try_from(admission.certificate().validity().before()).unwrap_or(i64::MAX);
    let certificate_ends = OffsetDateTime::from_unix_timestamp(ends).map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(SessionPermit {
        subject: id.subject.clone(),
        role: id.role.clone(),
        grant: id.grant,
        mode: admission.mode(),
        rules: role.session.clone(),
        certificate_ends,
        session_certificate: minted.map(SignedCertificate::to_openssh).transpose()?,
    })
}

fn started_event(
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

fn refused_event(
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
    match &asked.account {
        Some(account) => event.fact("account", account),
        None => event,
    }
}

fn not_issued(serial: u64) -> Refusal {
    let message = format!("the certificate {serial} is signed by the CA's key and is not in its log");
    Refusal::new(
        Reason::NotIssued,
        message,
        "get one from the CA: dayfly cert; and tell whoever administers the CA, whose key may be in other hands",
    )
}

fn replayed(asked: &SessionRequest) -> Refusal {
    let message = format!("the session id {} was used before", asked.session);
    Refusal::new(Reason::SessionReplayed, message, "start a new session")
}

#[cfg(test)]
mod tests;
