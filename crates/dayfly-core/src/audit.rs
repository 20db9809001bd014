//! What the log holds: typed events and their canonical bytes.

use crate::{
    identity::Subject,
    name::{BastionName, RoleName, TargetName},
    reason::{Reason, Refusal},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};
use time::OffsetDateTime;
use uuid::Uuid;

/// The most canonical bytes of one event: the limit of a C2SP tlog-tiles entry.
pub const MAX_EVENT_BYTES: usize = 65_535;

/// The longest value of one of [`AuditEvent::facts`], in bytes. Longer ones are cut, and say so.
pub const MAX_FACT_BYTES: usize = 4096;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Event {
            /// As the log writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

events! {
    /// The CA started.
    CaStarted = "ca.started";
    /// The configuration was read anew, or a bad one was refused.
    ConfigurationReloaded = "configuration.reloaded";
    /// A person was enrolled.
    UserAdded = "user.added";
    /// A person was disabled.
    UserDisabled = "user.disabled";
    /// Somebody is to have a second factor, once it was proven.
    FactorAdded = "factor.added";
    /// A second factor was proven, or a wrong code was given.
    FactorProven = "factor.proven";
    /// A passkey or security key answered in a browser, for a tool that waits for it.
    FactorAnswered = "factor.answered";
    /// Somebody gave up one of their second factors.
    FactorRemoved = "factor.removed";
    /// Somebody's second factors were taken away.
    FactorsReset = "factor.reset";
    /// A device was enrolled, or waits to be approved.
    DeviceAdded = "device.added";
    /// A device was approved by an administrator.
    DeviceApproved = "device.approved";
    /// A device told something else of itself than before.
    DeviceReported = "device.reported";
    /// A device's enrolment was ended.
    DeviceDisabled = "device.disabled";
    /// Something was revoked: a certificate, a person, a key, a role's certificates.
    Revoked = "revocation.added";
    /// The key revocation list says something else than before.
    RevocationListPublished = "revocation_list.published";
    /// An authority's key is to give way to another, which exists from here on.
    RotationPrepared = "rotation.prepared";
    /// Both keys of an authority are trusted from here on.
    RotationPublished = "rotation.published";
    /// An authority signs with its new key from here on.
    RotationSwitched = "rotation.switched";
    /// An authority's old key is trusted no more.
    RotationRetired = "rotation.retired";
    /// A rotation was given up: the old key stays.
    RotationAbandoned = "rotation.abandoned";
    /// Somebody is to be left behind by a rotation, on purpose.
    RotationDespite = "rotation.despite";
    /// A step of a rotation could not be taken.
    RotationFailed = "rotation.failed";
    /// A bastion was enrolled.
    BastionAdded = "bastion.added";
    /// A bastion told that it trusts other keys than before.
    BastionReported = "bastion.reported";
    /// A host was named, and given a token to enrol with.
    HostAdded = "host.added";
    /// A host was given a new token to enrol with.
    HostTokenIssued = "host.token_issued";
    /// A host enrolled its key with its token.
    HostEnrolled = "host.enrolled";
    /// A host told that it holds another revocation list, or trusts other keys, than before.
    HostReported = "host.reported";
    /// A host was disabled.
    HostDisabled = "host.disabled";
    /// Somebody proved to a provider who they are, for a tool that waits for it.
    SignInProven = "signin.proven";
    /// A key is signed in: for a person, or for a machine by a token.
    SignInCompleted = "signin.completed";
    /// A sign-in was refused.
    SignInRefused = "signin.refused";
    /// A sign-in was ended by whom it belongs to.
    SignInEnded = "signin.ended";
    /// A source of the inventory lists other targets than before, or answers again.
    InventoryRefreshed = "inventory.refreshed";
    /// A source of the inventory gave no answer that can be used. What it said last stays in force.
    InventoryFailed = "inventory.failed";
    /// A target showed a host key or certificate that is not its own by the inventory.
    TargetHostKeyRefused = "target.host_key_refused";
    /// Somebody's request could not be authenticated.
    RequestRefused = "request.refused";
    /// A user certificate is about to be signed.
    CertificateIntended = "certificate.intended";
    /// A user certificate was signed and verified.
    CertificateIssued = "certificate.issued";
    /// A user certificate was refused.
    CertificateRefused = "certificate.refused";
    /// A certificate was intended and could not be signed.
    CertificateFailed = "certificate.failed";
    /// A bastion may open a session.
    SessionStarted = "session.started";
    /// A session was refused, by the CA or by the bastion.
    SessionRefused = "session.refused";
    /// A session that runs is not permitted any more.
    SessionWithdrawn = "session.withdrawn";
    /// A session ended.
    SessionEnded = "session.ended";
    /// Somebody on a bastion's host watches a session.
    SessionWatched = "session.watched";
    /// A login at a bastion was refused.
    LoginRefused = "login.refused";
    /// A host certificate was signed, for a bastion or for an enrolled host.
    HostCertificateIssued = "host_certificate.issued";
    /// An inner host certificate was signed.
    InnerHostCertificateIssued = "inner_host_certificate.issued";
    /// A host certificate of either kind was refused.
    HostCertificateRefused = "host_certificate.refused";
    /// Somebody read the log or the list of sessions.
    LogRead = "log.read";
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// About to happen; a later event tells how it went.
    Pending,
    /// It happened.
    Done,
    /// A rule said no.
    Refused,
    /// It should have happened and could not.
    Failed,
}

/// Who reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reporter {
    /// The CA itself.
    Ca,
    /// Whoever administers the CA's host, by its command line.
    Administrator,
    /// A bastion, which can be wrong about what it carries, and about nothing else.
    Bastion(BastionName),
}

/// One event. Its canonical bytes are its JSON without white space, fields in the order below, absent ones left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEvent {
    /// When it happened, by the clock of who reports it; UTC, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// What happened.
    pub event: Event,
    /// How it went.
    pub outcome: Outcome,
    /// Who reports it.
    pub reporter: Reporter,
    /// The person or machine that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// The certificate's serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// The session's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The sentence that the person got, or a sentence on how it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Everything else that is worth keeping, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// An event that the log cannot hold.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Too large.
    #[error("an event of {0} bytes is larger than the log's rows, {MAX_EVENT_BYTES}")]
    TooLarge(usize),
    /// It has no canonical form.
    #[error("an event cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

impl AuditEvent {
    /// An event with nothing but its core.
    pub fn new(time: OffsetDateTime, event: Event, outcome: Outcome, reporter: Reporter) -> Self {
        // Milliseconds are what a reader needs and what every JSON consumer can hold.
        let time = time.replace_nanosecond(time.nanosecond() / 1_000_000 * 1_000_000).unwrap_or(time);
        Self {
            time,
            event,
            outcome,
            reporter,
            subject: None,
            role: None,
            target: None,
            serial: None,
            session: None,
            reason: None,
            detail: None,
            facts: BTreeMap::new(),
        }
    }

    /// The refused form of an event: its reason and its sentence, the policies that said it as `policies`, and what would make it a yes as `missing`.
    pub fn refused(time: OffsetDateTime, event: Event, reporter: Reporter, refusal: &Refusal) -> Self {
        let mut refused = Self::new(time, event, Outcome::Refused, reporter).detail(&refusal.message);
        refused.reason = Some(refusal.reason);
        let Some(ruling) = refusal.ruling.as_deref() else { return refused };
        if !ruling.policies.is_empty() {
            refused = refused.fact("policies", ruling.policies.join(","));
        }
        if !ruling.missing.is_empty() {
            refused = refused.fact("missing", ruling.missing.iter().map(|missing| missing.code()).collect::<Vec<_>>().join(","));
        }
        refused
    }

    /// Whom it is about.
    pub fn subject(mut self, subject: &Subject) -> Self {
        self.subject = Some(subject.clone());
        self
    }

    /// Under which role.
    pub fn role(mut self, role: &RoleName) -> Self {
        self.role = Some(role.clone());
        self
    }

    /// At which target.
    pub fn target(mut self, target: &TargetName) -> Self {
        self.target = Some(target.clone());
        self
    }

    /// With which certificate.
    pub fn serial(mut self, serial: u64) -> Self {
        self.serial = Some(serial);
        self
    }

    /// In which session.
    pub fn session(mut self, session: Uuid) -> Self {
        self.session = Some(session);
        self
    }

    /// A sentence on it.
    pub fn detail(mut self, detail: &str) -> Self {
        self.detail = Some(bounded(detail));
        self
    }

    /// A further fact. Values past [`MAX_FACT_BYTES`] are cut, and say so.
    pub fn fact(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.facts.insert(name.to_owned(), bounded(&value.to_string()));
        self
    }

    /// The bytes that the log links: the same event always gives the same bytes.
    pub fn canonical_bytes(&self) -> Result<Vec<u8>, AuditError> {
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > MAX_EVENT_BYTES { Err(AuditError::TooLarge(bytes.len())) } else { Ok(bytes) }
    }
}

fn bounded(text: &str) -> String {
    if text.len() <= MAX_FACT_BYTES {
        return text.to_owned();
    }
    let end = (0..=MAX_FACT_BYTES).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0);
    format!("{}… (cut, {} bytes in all)", text.get(..end).unwrap_or_default(), text.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use time::macros::datetime;

    fn event() -> AuditEvent {
        AuditEvent::new(datetime!(2026-01-02 03:04:05.678901 UTC), Event::CertificateIssued, Outcome::Done, Reporter::Ca)
            .subject(&"alice".parse().unwrap())
            .role(&RoleName::new("db-admin").unwrap())
            .serial(7)
            .fact("principals", "root@db1")
    }

    #[test]
    fn canonical_bytes_are_what_they_were() {
        let bytes = event().canonical_bytes().unwrap();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            r#"{"time":"2026-01-02T03:04:05.678Z","event":"certificate.issued","outcome":"done","reporter":"ca","subject":"alice","role":"db-admin","serial":7,"facts":{"principals":"root@db1"}}"#
        );
        let read: AuditEvent = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read.canonical_bytes().unwrap(), bytes);
    }

    #[test]
    fn a_row_never_outgrows_its_bound() {
        let long = event().fact("command", "é".repeat(10_000));
        assert!(long.canonical_bytes().unwrap().len() < 5000);
        let mut many = event();
        for n in 0..40 {
            many = many.fact(&n.to_string(), "x".repeat(4000));
        }
        assert!(matches!(many.canonical_bytes(), Err(AuditError::TooLarge(_))));
    }
}
