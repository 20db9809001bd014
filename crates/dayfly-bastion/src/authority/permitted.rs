//! A session that the CA permitted: the value without which nothing is dialled.

use super::AuthorityError;
use dayfly_api::session::SessionPermit;
use dayfly_core::{
    admission::Admission,
    certificate::VerifiedCertificate,
    forward::{Destination, Listening},
    name::{AccountName, TargetName},
    reason::{Reason, Refusal},
    target::{Mode, Target},
};
use ssh_key::{Certificate, PrivateKey};
use std::net::IpAddr;
use uuid::Uuid;

/// What the CA is asked: may the holder of this certificate enter this target now?
#[derive(Debug, Clone)]
pub struct Ask {
    /// The session's id, new.
    pub session: Uuid,
    /// The id of the connection that carries it.
    pub connection: Uuid,
    /// What the bastion found out by itself.
    pub admission: Admission,
    /// The target as the inventory has it.
    pub target: Target,
    /// Where a forwarded connection goes from the target; none for a session of any other kind.
    pub forward: Option<Destination>,
    /// Where the target listens for the client, and the connection that arrived there, if the session is one.
    pub listen: Option<Listening>,
    /// The person's certificate, one OpenSSH line.
    pub certificate: String,
    /// The peer of the outer TCP connection.
    pub peer: IpAddr,
}

impl Ask {
    /// Whether it is about a connection that arrived where a session listens.
    pub fn is_arrival(&self) -> bool {
        self.listen.as_ref().is_some_and(|listening| listening.arrival.is_some())
    }
}

/// What logs in at a recorded target: a key made for this session, and the session certificate for it.
#[derive(Debug, Clone)]
pub struct Login {
    /// The key. It has no other use and is kept nowhere.
    pub key: PrivateKey,
    /// The session certificate.
    pub certificate: Certificate,
    /// The account.
    pub account: AccountName,
}

/// A yes of the bastion's own admission and of the CA, for one session. Only [`crate::authority`] makes one.
#[derive(Debug, Clone)]
pub struct PermittedSession {
    ask: Ask,
    permit: SessionPermit,
    login: Option<Login>,
}

impl PermittedSession {
    /// Joins both answers, which must speak of the same person, target and mode. `key` is the fresh key that the CA was asked to certify.
    pub(super) fn new(ask: Ask, permit: SessionPermit, key: Option<PrivateKey>) -> Result<Self, AuthorityError> {
        let senseless = |cause: &str| AuthorityError::Unavailable { cause: format!("its answer to a session makes no sense: {cause}") };
        if permit.mode != ask.admission.mode() || ask.target.mode != permit.mode || *ask.admission.target() != ask.target.name {
            return Err(AuthorityError::Refused(Refusal::new(
                Reason::WrongMode,
                format!("{} is being changed to another mode", ask.target.name),
                "try again in a minute",
            )));
        }
        if Some(&permit.subject) != ask.admission.certificate().subject() {
            return Err(senseless("it names another person than the certificate"));
        }
        let login = match (permit.mode, ask.admission.account(), key, &permit.session_certificate) {
            (Mode::Passthrough, None, None, None) => None,
            // It comes over the login of the session that listens.
            (Mode::Record, Some(_), None, None) if ask.is_arrival() => None,
            (Mode::Record, Some(account), Some(key), Some(line)) => {
                let certificate = dayfly_core::certificate::parse(line).map_err(|refusal| senseless(&refusal.message))?;
                if certificate.public_key() != key.public_key().key_data() {
                    return Err(senseless("the session certificate is for another key"));
                }
                Some(Login { key, certificate, account: account.clone() })
            }
            _ => return Err(senseless("login key and session certificate do not fit the mode")),
        };
        Ok(Self { ask, permit, login })
    }

    /// The session's id.
    pub fn session(&self) -> Uuid {
        self.ask.session
    }

    /// What was asked.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// The person's certificate.
    pub fn certificate(&self) -> &VerifiedCertificate {
        self.ask.admission.certificate()
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.ask.target
    }

    /// The target's name.
    pub fn target_name(&self) -> &TargetName {
        &self.ask.target.name
    }

    /// The CA's answer.
    pub fn permit(&self) -> &SessionPermit {
        &self.permit
    }

    /// What logs in there; none for passthrough, and for what arrives over another session's login.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }
}
