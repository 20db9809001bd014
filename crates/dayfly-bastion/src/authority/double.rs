//! A CA in memory: real certificates by keys made from seeds, and answers that a test chooses.

use super::{Answer, Ask, Authority, AuthorityError, PermittedSession};
use dayfly_api::{
    bastion::{EventBatch, Inventory, NumberedEvent},
    session::{SessionPermit, SessionsReview, SessionsVerdict, WithdrawnSession},
};
use dayfly_core::{
    certificate::{Revocations, SessionCertificate, SessionKind, UnsignedCertificate},
    name::{BastionName, TargetName},
    reason::{Reason, Refusal},
    role::SessionRules,
    signer::{SeedSigner, Signer},
    target::{Mode, Target},
};
use ssh_key::{Algorithm, Certificate, PrivateKey, PublicKey};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use time::OffsetDateTime;

/// The CA of a test.
pub struct AuthorityDouble {
    /// Signs people's certificates.
    pub user_ca: SeedSigner,
    /// Signs session certificates.
    pub session_ca: SeedSigner,
    /// Signs host certificates of both kinds.
    pub host_ca: SeedSigner,
    /// The one bastion it knows.
    pub bastion: BastionName,
    /// What the bastion may serve.
    pub targets: Vec<Target>,
    /// What sessions may do.
    pub rules: SessionRules,
    /// The CA cannot be reached.
    pub away: AtomicBool,
    /// What it says to the next sessions.
    pub refusal: Mutex<Option<Refusal>>,
    /// What it says to sessions that run.
    pub withdrawal: Mutex<Option<Refusal>>,
    /// What was reported, in its order.
    pub reported: Mutex<Vec<NumberedEvent>>,
    /// What was reported last of the keys that are trusted.
    pub trusted: Mutex<Option<BTreeSet<String>>>,
    serial: AtomicU64,
}

impl AuthorityDouble {
    /// A CA with these targets, that says yes to everything.
    pub fn new(targets: Vec<Target>) -> Self {
        Self {
            user_ca: SeedSigner::new(101),
            session_ca: SeedSigner::new(102),
            host_ca: SeedSigner::new(103),
            bastion: BastionName::new("gate").unwrap_or_else(|error| unreachable!("{error}")),
            targets,
            rules: SessionRules::default(),
            away: AtomicBool::new(false),
            refusal: Mutex::default(),
            withdrawal: Mutex::default(),
            reported: Mutex::default(),
            trusted: Mutex::default(),
            serial: AtomicU64::new(1_000_000),
        }
    }

    /// The inventory, whether or not it can be reached.
    pub fn answer(&self) -> Inventory {
        Inventory {
            bastion: self.bastion.clone(),
            targets: self.targets.clone(),
            user_ca: vec![line(&self.user_ca)],
            revocations: Revocations::default(),
        }
    }

    fn reachable(&self) -> Result<(), AuthorityError> {
        if self.away.load(Ordering::SeqCst) { Err(AuthorityError::Unavailable { cause: "connection refused".to_owned() }) } else { Ok(()) }
    }

    fn serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::SeqCst)
    }

    fn permitted(&self, ask: Ask) -> Result<PermittedSession, AuthorityError> {
        self.reachable()?;
        if let Some(refusal) = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(AuthorityError::Refused(refusal));
        }
        let Some(id) = ask.admission.certificate().key_id().cloned() else {
            return Err(AuthorityError::Refused(Refusal::new(Reason::NotIssued, "the certificate is not in the log", "")));
        };
        let now = unix_now();
        let (key, session_certificate) = match ask.target.mode {
            Mode::Record if !ask.is_arrival() => {
                let key = fresh_key();
                let session = SessionCertificate {
                    session: ask.session,
                    bastion: &self.bastion,
                    dials_from: &["127.0.0.0/8".parse().unwrap_or_else(|error| unreachable!("{error}"))],
                    public_key: key.public_key().clone(),
                    kind: if ask.forward.is_some() || ask.listen.is_some() { SessionKind::Forward } else { SessionKind::Session },
                };
                let unsigned =
                    UnsignedCertificate::session(&ask.admission, session, now, self.serial(), rand::random()).map_err(unavailable)?;
                let line = unsigned.sign(&self.session_ca).and_then(|signed| signed.to_openssh()).map_err(unavailable)?;
                (Some(key), Some(line))
            }
            Mode::Record | Mode::Passthrough => (None, None),
        };
        let ends = i64::try_from(ask.admission.certificate().validity().before()).unwrap_or(i64::MAX);
        let permit = SessionPermit {
            subject: id.subject,
            role: id.role,
            grant: id.grant,
            mode: ask.target.mode,
            rules: self.rules.clone(),
            certificate_ends: OffsetDateTime::from_unix_timestamp(ends).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            session_certificate,
        };
        PermittedSession::new(ask, permit, key)
    }
}

impl Authority for AuthorityDouble {
    fn inventory(&self) -> Answer<'_, Inventory> {
        Box::pin(async { self.reachable().map(|()| self.answer()) })
    }

    fn permit(&self, ask: Ask) -> Answer<'_, PermittedSession> {
        Box::pin(async { self.permitted(ask) })
    }

    fn review<'a>(&'a self, asked: &'a SessionsReview) -> Answer<'a, SessionsVerdict> {
        Box::pin(async {
            self.reachable()?;
            let refusal = self.withdrawal.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let ended =
                |session, refusal: Refusal| WithdrawnSession { session, code: refusal.reason.code().to_owned(), message: refusal.message };
            let withdrawn = refusal.map(|refusal| asked.sessions.iter().map(|running| ended(running.session, refusal.clone())).collect());
            Ok(SessionsVerdict { withdrawn: withdrawn.unwrap_or_default() })
        })
    }

    fn host_certificate<'a>(&'a self, key: &'a PrivateKey) -> Answer<'a, Certificate> {
        Box::pin(async {
            self.reachable()?;
            let names = [self.bastion.to_string()];
            let public = key.public_key().clone();
            let unsigned = UnsignedCertificate::host(&self.bastion, &names, public, 86_400, unix_now(), self.serial(), rand::random());
            unsigned.and_then(|unsigned| unsigned.sign(&self.host_ca)).map(|signed| signed.certificate().clone()).map_err(unavailable)
        })
    }

    fn inner_host_certificate<'a>(&'a self, target: &'a TargetName, key: &'a PrivateKey) -> Answer<'a, Certificate> {
        Box::pin(async {
            self.reachable()?;
            let public = key.public_key().clone();
            let unsigned = UnsignedCertificate::inner_host(&self.bastion, target, public, unix_now(), self.serial(), rand::random());
            unsigned.and_then(|unsigned| unsigned.sign(&self.host_ca)).map(|signed| signed.certificate().clone()).map_err(unavailable)
        })
    }

    fn report_trust<'a>(&'a self, trusted: &'a BTreeSet<String>) -> Answer<'a, ()> {
        Box::pin(async {
            self.reachable()?;
            *self.trusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(trusted.clone());
            Ok(())
        })
    }

    fn report<'a>(&'a self, batch: &'a EventBatch) -> Answer<'a, u64> {
        Box::pin(async {
            self.reachable()?;
            let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
            for event in &batch.events {
                if reported.last().is_none_or(|last| event.number > last.number) {
                    reported.push(event.clone());
                }
            }
            Ok(reported.last().map_or(0, |last| last.number))
        })
    }
}

/// A key that nobody has.
pub fn fresh_key() -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap_or_else(|error| unreachable!("{error}"))
}

/// A public key in OpenSSH form.
pub fn line(signer: &dyn Signer) -> String {
    PublicKey::from(signer.public_key().clone()).to_openssh().unwrap_or_else(|error| unreachable!("{error}"))
}

/// The system's time in Unix seconds.
pub fn unix_now() -> u64 {
    u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0)
}

fn unavailable(error: impl std::fmt::Display) -> AuthorityError {
    AuthorityError::Unavailable { cause: error.to_string() }
}
