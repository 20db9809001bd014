//! A client's connection: where it comes from, by which way in, and who logged in.

use crate::bastion::Bastion;
use dayfly_core::{
    admission::check_enforceable,
    audit::{AuditEvent, Event},
    certificate::VerifiedCertificate,
    name::TargetName,
    reason::{Reason, Refusal},
    signature::fingerprint,
};
use ssh_key::Certificate;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tracing::{Span, field::Empty};
use uuid::Uuid;

/// How many refusals one connection may have reported at once, and one more for each second of its life: no client can fill the log.
const REPORTS_AT_ONCE: u64 = 32;

/// One TCP connection of a client, with everything that runs inside it.
pub struct Connection {
    /// Its id: sessions over one connection share it.
    pub id: Uuid,
    /// The TCP peer. Addresses are judged by this alone, also inside a ProxyJump.
    pub peer: SocketAddr,
    /// What all connections share.
    pub bastion: Arc<Bastion>,
    began: Instant,
    reports: AtomicU64,
}

impl Connection {
    /// A new connection from `peer`.
    pub fn new(bastion: Arc<Bastion>, peer: SocketAddr) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Self { id: Uuid::now_v7(), peer, bastion, began: Instant::now(), reports: AtomicU64::new(0) }
    }

    /// The peer's address, an IPv4 one however it was written.
    pub fn address(&self) -> IpAddr {
        self.peer.ip()
    }

    /// What every trace line of a session over it carries. The session's id and target are filled in once they are known.
    pub fn session_span(&self) -> Span {
        tracing::error_span!("session", id = Empty, target = Empty, connection = %self.id)
    }

    /// An event about a refusal in this connection.
    pub fn refused(&self, event: Event, refusal: &Refusal) -> AuditEvent {
        self.bastion.refused(event, refusal).fact("peer", self.peer).fact("connection", self.id)
    }

    /// Reports a refusal, unless this connection had its share for now.
    pub fn report(&self, event: AuditEvent) {
        if let Some(reason) = event.reason {
            self.bastion.metrics.refused(reason);
        }
        tracing::info!(
            event = %event.event, peer = %self.peer, reason = event.reason.map(Reason::code), detail = event.detail.as_deref(), "refused"
        );
        let allowed = REPORTS_AT_ONCE.saturating_add(self.began.elapsed().as_secs());
        let counted = self.reports.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reports| (reports < allowed).then_some(reports + 1));
        if counted.is_ok() {
            self.bastion.journal.note(event);
        }
    }
}

/// By which way a client came in.
#[derive(Debug, Clone)]
pub enum Entrance {
    /// Over TCP.
    Outer,
    /// Inside a ProxyJump's channel, where the bastion answers for a recorded target.
    Inner {
        /// The target that is answered for.
        target: TargetName,
        /// Who logged in outside.
        outer: Arc<Person>,
    },
}

/// Somebody whose certificate was verified when they logged in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The user name that was given. An account, a route, or nothing that means anything.
    pub user: String,
    /// The certificate as it was shown. It is verified anew whenever something is opened.
    pub certificate: Certificate,
    /// As one OpenSSH line, for the CA.
    pub line: String,
    /// As the verifier read it at login.
    pub verified: VerifiedCertificate,
}

/// How a login went.
#[derive(Debug, Clone)]
pub enum Login {
    /// With a certificate of ours.
    Person(Arc<Person>),
    /// With a certificate of ours that admits to nothing here: the session exists to tell why.
    Told(Refusal),
}

/// What is to be made of a login attempt.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Let in.
    Accept(Login),
    /// Turned away, without words.
    Deny,
}

impl Connection {
    /// Judges a certificate whose key the client has proven to hold, and reports it if it is refused.
    pub fn judge_login(&self, entrance: &Entrance, user: &str, certificate: &Certificate) -> Verdict {
        match self.verify_login(entrance, user, certificate) {
            Ok(person) => Verdict::Accept(Login::Person(Arc::new(person))),
            Err(refusal) => {
                let event = self.refused(Event::LoginRefused, &refusal).serial(certificate.serial());
                let event = event
                    .fact("user", user)
                    .fact("key_id", certificate.key_id())
                    .fact("key", fingerprint(certificate.public_key()))
                    .fact("ca", fingerprint(certificate.signature_key()));
                self.report(event);
                if is_of_ours(refusal.reason) { Verdict::Accept(Login::Told(refusal)) } else { Verdict::Deny }
            }
        }
    }

    fn verify_login(&self, entrance: &Entrance, user: &str, certificate: &Certificate) -> Result<Person, Refusal> {
        let verified = self.verify(certificate)?;
        if let Entrance::Inner { outer, .. } = entrance {
            same_person(&outer.verified, &verified)?;
            check_enforceable(&verified)?;
        }
        let line = certificate
            .to_openssh()
            .map_err(|error| Refusal::new(Reason::Malformed, format!("the certificate cannot be written: {error}"), "get another one"))?;
        Ok(Person { user: user.to_owned(), certificate: certificate.clone(), line, verified })
    }

    /// Verifies a certificate by what the CA last told, now, for this connection's peer.
    pub fn verify(&self, certificate: &Certificate) -> Result<VerifiedCertificate, Refusal> {
        let snapshot = self.bastion.snapshot();
        snapshot.verifier().user(certificate, self.bastion.clock.unix_seconds(), self.address())
    }

    /// Verifies the certificate that `person` logged in with once more, now that something is opened.
    pub fn verify_again(&self, person: &Person) -> Result<VerifiedCertificate, Refusal> {
        self.verify(&person.certificate).map_err(|refusal| match refusal.reason {
            // Somebody who shares a connection may well have a newer one, and would look for the mistake in it.
            Reason::Expired => Refusal::new(
                Reason::Expired,
                refusal.message,
                "get a new certificate: dayfly cert; if you have one, this connection was opened with an older one: ssh -S none opens another",
            ),
            _ => refusal,
        })
    }
}

/// The inner login must be the outer's: same person, same key.
fn same_person(outer: &VerifiedCertificate, inner: &VerifiedCertificate) -> Result<(), Refusal> {
    if outer.public_key() == inner.public_key() && outer.subject() == inner.subject() {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::DifferentPerson,
        "the login at the target is another person's, or by another key, than the one at the bastion",
        "use the same certificate for both: with -J, configure the same IdentityFile for the bastion and the target",
    ))
}

/// Whether a certificate that was refused for `reason` was signed by our user CA nevertheless, and is in its time. Its holder is told why; a stranger is not.
fn is_of_ours(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NoPrincipals
            | Reason::BadPrincipal
            | Reason::PrincipalMismatch
            | Reason::UnknownCriticalOption
            | Reason::SourceAddress
            | Reason::VerifyRequired
            | Reason::Revoked
            | Reason::DifferentPerson
    )
}
