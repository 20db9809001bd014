//! What was revoked before it expired, and whether that covers a certificate.

use super::{KeyId, VerifiedCertificate};
use crate::{
    identity::Subject,
    name::RoleName,
    reason::{Reason, Refusal},
    signature::fingerprint,
    validity::BACKDATE_SECONDS,
};
use serde::{Deserialize, Serialize};
use ssh_key::{Certificate, Fingerprint, public::KeyData};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use uuid::Uuid;

/// What one revocation takes back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revoked {
    /// The certificate of this serial.
    Serial(u64),
    /// Every certificate with this key id.
    KeyId(String),
    /// Every certificate of a person or machine, future ones too.
    Person(Subject),
    /// A key, `SHA256:…`: every certificate of it, future ones too, and every request that it signs.
    Key(String),
    /// The certificates that were issued under a role up to the revocation.
    Role(RoleName),
    /// The certificate that a grant led to, and its sessions'.
    Grant(Uuid),
    /// A CA's key, `SHA256:…`: everything that it signed or will sign.
    Ca(String),
}

/// A revocation that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevokedError {
    /// No such kind.
    #[error("{0:?} cannot be revoked: serial, key-id, person, key, role, grant and ca can")]
    Kind(String),
    /// A value that the kind does not have.
    #[error("{value:?} is no {kind}: {cause}")]
    Value {
        /// The kind.
        kind: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl Revoked {
    /// Reads what [`Self::kind`] and [`Self::value`] write.
    pub fn parse(kind: &str, value: &str) -> Result<Self, RevokedError> {
        let wrong = |kind, cause: String| RevokedError::Value { kind, value: value.to_owned(), cause };
        match kind {
            "serial" => match value.parse() {
                Ok(0) => Err(wrong("serial", "0 stands for certificates that have none".to_owned())),
                Ok(serial) => Ok(Self::Serial(serial)),
                Err(error) => Err(wrong("serial", error.to_string())),
            },
            "key-id" if value.is_empty() || value.chars().any(char::is_control) => {
                Err(wrong("key id", "it is empty or holds control characters".to_owned()))
            }
            "key-id" => Ok(Self::KeyId(value.to_owned())),
            "person" => value.parse().map(Self::Person).map_err(|error| wrong("person", format!("{error}"))),
            "key" => sha256(value).map(Self::Key).map_err(|cause| wrong("key's fingerprint", cause)),
            "role" => RoleName::new(value).map(Self::Role).map_err(|error| wrong("role", error.to_string())),
            "grant" => value.parse().map(Self::Grant).map_err(|error: uuid::Error| wrong("grant", error.to_string())),
            "ca" => sha256(value).map(Self::Ca).map_err(|cause| wrong("CA key's fingerprint", cause)),
            _ => Err(RevokedError::Kind(kind.to_owned())),
        }
    }

    /// What is revoked: one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Serial(_) => "serial",
            Self::KeyId(_) => "key-id",
            Self::Person(_) => "person",
            Self::Key(_) => "key",
            Self::Role(_) => "role",
            Self::Grant(_) => "grant",
            Self::Ca(_) => "ca",
        }
    }

    /// Which one.
    pub fn value(&self) -> String {
        match self {
            Self::Serial(serial) => serial.to_string(),
            Self::KeyId(text) | Self::Key(text) | Self::Ca(text) => text.clone(),
            Self::Person(subject) => subject.to_string(),
            Self::Role(role) => role.to_string(),
            Self::Grant(grant) => grant.to_string(),
        }
    }
}

fn sha256(text: &str) -> Result<String, String> {
    match text.parse::<Fingerprint>() {
        Ok(read @ Fingerprint::Sha256(_)) => Ok(read.to_string()),
        Ok(_) => Err("write its SHA-256 fingerprint, as ssh-keygen -l shows it".to_owned()),
        Err(error) => Err(format!("{error}; write SHA256:…, as ssh-keygen -l shows it")),
    }
}

/// Everything that is revoked now. Looking up is quick however much that is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Revocations {
    /// Serials of revoked certificates.
    pub serials: BTreeSet<u64>,
    /// Key ids of revoked certificates.
    pub key_ids: BTreeSet<String>,
    /// People and machines none of whose certificates count any more.
    pub subjects: BTreeSet<Subject>,
    /// Fingerprints, `SHA256:…`, of keys that were revoked: people's, hosts' and CAs'.
    pub keys: BTreeSet<String>,
    /// Roles, and the time in Unix seconds up to which certificates were issued that do not count any more.
    pub roles: BTreeMap<RoleName, u64>,
    /// Grants that were taken back.
    pub grants: BTreeSet<Uuid>,
}

/// By what a certificate is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedBy {
    /// Its serial.
    Serial(u64),
    /// Its key id.
    KeyId,
    /// Whom it was given to.
    Subject(Subject),
    /// Its key.
    Key(String),
    /// The CA key that signed it.
    Authority(String),
    /// The role that it was issued under.
    Role(RoleName),
    /// Its grant.
    Grant(Uuid),
}

impl Revocations {
    /// Adds what was revoked at `at`, in Unix seconds.
    pub fn add(&mut self, revoked: &Revoked, at: u64) {
        let _is_new = match revoked.clone() {
            Revoked::Serial(serial) => self.serials.insert(serial),
            Revoked::KeyId(text) => self.key_ids.insert(text),
            Revoked::Person(subject) => self.subjects.insert(subject),
            Revoked::Key(fingerprint) | Revoked::Ca(fingerprint) => self.keys.insert(fingerprint),
            Revoked::Grant(grant) => self.grants.insert(grant),
            Revoked::Role(role) => {
                let until = self.roles.entry(role).or_default();
                std::mem::replace(until, at.max(*until)) < at
            }
        };
    }

    /// Whether, and by what, a verified certificate is revoked.
    pub fn cover(&self, certificate: &VerifiedCertificate) -> Option<RevokedBy> {
        let issued_at = certificate.validity().after().saturating_add(BACKDATE_SECONDS);
        self.by_key(certificate.public_key(), certificate.authority())
            .or_else(|| self.by_serial(certificate.serial(), certificate.written_key_id()))
            .or_else(|| self.by_grant(certificate.key_id()?, issued_at))
    }

    /// The same for a host's certificate, which has neither holder nor grant.
    pub fn cover_host(&self, certificate: &Certificate) -> Option<RevokedBy> {
        self.by_key(certificate.public_key(), certificate.signature_key())
            .or_else(|| self.by_serial(certificate.serial(), certificate.key_id()))
    }

    /// Whether a key is revoked.
    pub fn cover_key(&self, key: &KeyData) -> bool {
        !self.keys.is_empty() && self.keys.contains(&fingerprint(key))
    }

    fn by_key(&self, key: &KeyData, authority: &KeyData) -> Option<RevokedBy> {
        if self.cover_key(authority) {
            return Some(RevokedBy::Authority(fingerprint(authority)));
        }
        self.cover_key(key).then(|| RevokedBy::Key(fingerprint(key)))
    }

    fn by_serial(&self, serial: u64, key_id: &str) -> Option<RevokedBy> {
        if self.serials.contains(&serial) {
            return Some(RevokedBy::Serial(serial));
        }
        self.key_ids.contains(key_id).then_some(RevokedBy::KeyId)
    }

    fn by_grant(&self, id: &KeyId, issued_at: u64) -> Option<RevokedBy> {
        if self.subjects.contains(&id.subject) {
            return Some(RevokedBy::Subject(id.subject.clone()));
        }
        if self.grants.contains(&id.grant) {
            return Some(RevokedBy::Grant(id.grant));
        }
        self.roles.get(&id.role).is_some_and(|until| issued_at <= *until).then(|| RevokedBy::Role(id.role.clone()))
    }
}

impl fmt::Display for RevokedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "the certificate {serial} was revoked"),
            Self::KeyId => f.write_str("the certificate was revoked by its key id"),
            Self::Subject(subject) => write!(f, "the access of {subject} was ended"),
            Self::Key(key) => write!(f, "the key {key} was revoked"),
            Self::Authority(key) => write!(f, "the CA key {key}, which signed the certificate, was revoked"),
            Self::Role(role) => write!(f, "the certificates that role {role} had given until then were revoked"),
            Self::Grant(grant) => write!(f, "the grant {grant} was taken back"),
        }
    }
}

impl RevokedBy {
    /// The refusal in words.
    pub fn refusal(&self) -> Refusal {
        let remedy = match self {
            Self::Serial(_) | Self::KeyId | Self::Role(_) | Self::Grant(_) => "get a new certificate if you still may: dayfly cert",
            Self::Key(_) => "use another key: dayfly cert makes one for each certificate",
            Self::Subject(_) => "ask whoever administers the CA",
            Self::Authority(_) => "wait until whoever administers the CA has put a new key in its place",
        };
        Refusal::new(Reason::Revoked, self.to_string(), remedy)
    }
}
