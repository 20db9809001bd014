//! The port to the store: what the CA remembers, and the log.
//!
//! Nothing changes without an event: [`Store::commit`] makes a change and appends its event in one transaction, or does neither. It answers when both
//! are on disk. The log's rows are linked inside that transaction, whoever appends.

pub mod device;
pub mod factor;
pub mod host;
pub mod inventory;
#[cfg(test)]
pub(crate) mod memory;
mod revocation;
pub mod rotation;
pub mod sign_in;
pub mod sqlite;
#[cfg(test)]
mod suite;

pub use revocation::{ListRecord, Revocation, RevocationState, RevokedSerials};

use dayfly_core::{
    address::Network,
    audit::AuditEvent,
    certificate::Revoked,
    device::Posture,
    identity::{Evidence, FactorMethod, Subject},
    log_link::Hash,
    name::{BastionName, DeviceId, FactorName, GroupName, HostName, RoleName, ScopeName, SubjectName, TargetName},
    rotation::Purpose,
};
use device::DeviceRecord;
use factor::{Authenticator, CodeUsed, Credential, CredentialUsed, FactorUsed};
use host::{Host, HostCertificateNote, HostReportNote, HostToken};
use inventory::{SourceAnswer, SourceRecord, SourceTrouble};
use rotation::{BastionReportHeld, RotationRecord, RotationStep};
use sign_in::{NewSignIn, ProviderAccount, SignIn};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
};
use uuid::Uuid;

/// What a call to the store comes to.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store that could not do it. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something of this kind exists already.
    #[error("{0} exists already")]
    Conflict(Unique),
    /// There is nothing by this name.
    #[error("there is no {0}")]
    Unknown(String),
    /// A bastion's event that does not come next.
    #[error("event {expected} of bastion {bastion} comes next, not {found}")]
    OutOfOrder {
        /// The bastion.
        bastion: BastionName,
        /// The number that should come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The event cannot be appended.
    #[error(transparent)]
    Event(#[from] dayfly_core::audit::AuditError),
    /// The store cannot be read or written.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
}

/// What may exist once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// A certificate's serial.
    Serial,
    /// A session's id.
    Session,
    /// A person's name.
    Person,
    /// A bastion's name.
    Bastion,
    /// A host's name.
    Host,
    /// The one use of an enrolment token.
    HostToken,
    /// The one use of a workload's token.
    Token,
    /// An enrolled key.
    Key,
    /// An inner host key, which carries one name only.
    InnerHostKey,
    /// A revocation list's number.
    RevocationList,
    /// An authority's rotation under way, or the key that one leads to.
    Rotation,
    /// A rotation's step.
    RotationStep,
    /// A person's authenticator.
    Authenticator,
    /// The one use of a one-time code.
    Code,
    /// A device's id.
    Device,
    /// A passkey or security key, which is one person's and was not added before.
    Credential,
    /// The name of one of somebody's passkeys and security keys.
    FactorName,
    /// An authenticator's count.
    Counter,
}

impl std::fmt::Display for Unique {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Serial => "a certificate with this serial",
            Self::Session => "a session with this id",
            Self::Person => "a person of this name",
            Self::Bastion => "a bastion of this name",
            Self::Host => "a host of this name",
            Self::HostToken => "an enrolment by this token",
            Self::Token => "a use of this token",
            Self::Key => "an enrolment of this key",
            Self::InnerHostKey => "an inner host certificate of this key for another name",
            Self::RevocationList => "a revocation list of this number",
            Self::Rotation => "a rotation of this authority, or to this key",
            Self::RotationStep => "another step of this rotation",
            Self::Authenticator => "an authenticator of this person",
            Self::Code => "a use of this code",
            Self::Device => "a device of this name",
            Self::Credential => "an enrolment of this authenticator",
            Self::FactorName => "a second factor of this name",
            Self::Counter => "an answer of this count, or a later one",
        })
    }
}

/// A change to what the CA remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing but the event.
    None,
    /// A person is enrolled with a key.
    AddPerson(Person),
    /// A person is disabled: no new certificates, no new sessions.
    DisablePerson(Subject),
    /// A bastion is enrolled.
    AddBastion(Bastion),
    /// A user certificate was signed.
    AddCertificate(Certificate),
    /// A session is started. Its id is used up.
    AddSession(Session),
    /// A key carries this target's name at this bastion, and no other from now on. The same again is no conflict.
    AddInnerHostKey {
        /// `SHA256:…`.
        key_fingerprint: String,
        /// The bastion.
        bastion: BastionName,
        /// The target.
        target: TargetName,
    },
    /// A host may enrol.
    AddHost(Host),
    /// A host may enrol, once more or again, also one that was disabled. What key it has stays good until then, unless it was disabled.
    IssueHostToken {
        /// The host.
        host: HostName,
        /// Its new token.
        token: HostToken,
    },
    /// A host used its token to enrol this key in the place of any earlier one. A token that is not its, or was used, is a conflict.
    EnrollHost {
        /// The host.
        host: HostName,
        /// SHA-256 of the token.
        token: [u8; 32],
        /// `SHA256:…` of the key.
        key_fingerprint: String,
        /// The key, one OpenSSH line.
        public_key: String,
    },
    /// A host certificate was signed for an enrolled host.
    NoteHostCertificate(HostCertificateNote),
    /// What a host told that it holds. A report that tells nothing new is noted, and its event left out.
    NoteHostReport(HostReportNote),
    /// A host is disabled: no new certificates, and its token is of no use.
    DisableHost(HostName),
    /// A key is signed in. Its token is used up, and whoever it speaks for is known from then on.
    AddSignIn(Box<NewSignIn>),
    /// The sign-in of this key, by its `SHA256:…`, is over.
    EndSignIn(String),
    /// Something was revoked.
    Revoke(Revocation),
    /// The key revocation list says something else than before. Its number follows the last one's.
    PublishList(ListRecord),
    /// Somebody has a new authenticator, which is not confirmed. A confirmed one that they have is a conflict.
    AddAuthenticator(Authenticator),
    /// A one-time code was right. One that is not later than the last one, or before which a wrong one has come meanwhile, is a conflict.
    UseCode(CodeUsed),
    /// A one-time code was wrong.
    RefuseCode {
        /// Whose.
        subject: Subject,
        /// Until when no other is looked at, in Unix seconds.
        retry_at: u64,
    },
    /// Somebody has another passkey or security key. One that is enrolled, for whomever, and a name that they use are conflicts.
    AddCredential(Box<Credential>),
    /// A passkey or security key has answered. One that does not count onwards is a conflict.
    UseCredential(Box<CredentialUsed>),
    /// A passkey or security key is proven to be there, for a key. One that they do not have any more is unknown.
    ProveFactor(FactorUsed),
    /// Somebody gives up a passkey or security key, and what others of its kind have proven.
    RemoveCredential {
        /// Whose.
        subject: Subject,
        /// What they call it.
        name: FactorName,
    },
    /// Somebody's second factors are taken away, and what they have proven.
    RemoveFactors(Subject),
    /// Somebody has a new device.
    AddDevice(Box<DeviceRecord>),
    /// A device is enrolled from here on. One that was stays as it is; one whose enrolment has ended is not known.
    ApproveDevice {
        /// Which.
        id: DeviceId,
        /// When, in Unix seconds.
        at: u64,
    },
    /// What a device told of itself. A report that tells nothing new is noted, and its event left out.
    NoteDevice {
        /// Which.
        id: DeviceId,
        /// What.
        posture: Posture,
    },
    /// A device's enrolment ends.
    DisableDevice(DeviceId),
    /// An authority's key is to give way to another. One that does already, and a key that took another's place before, are conflicts.
    BeginRotation(Box<RotationRecord>),
    /// A rotation takes a step. One that is not where the step begins is a conflict.
    StepRotation(RotationStep),
    /// These may be left behind by the rotation that is under way.
    RotateDespite {
        /// Whose.
        purpose: Purpose,
        /// The names of holders.
        names: BTreeSet<String>,
    },
    /// What a bastion told that it trusts. A report that tells nothing new is noted, and its event left out.
    NoteBastionReport {
        /// The bastion.
        bastion: BastionName,
        /// What it told.
        report: BastionReportHeld,
    },
    /// A source of the inventory answered. An answer that tells nothing new is noted, and its event left out.
    KeepSource(Box<SourceAnswer>),
    /// A source of the inventory gave no answer that can be used. Its last one stays; one more failure of the same kind is noted, and its event left out.
    FailSource(Box<SourceTrouble>),
    /// A bastion's event of this number; one that is there already is left out together with its event, and one that is not the next is refused.
    BastionEvent {
        /// The bastion.
        bastion: BastionName,
        /// Its place in the bastion's own order.
        number: u64,
    },
}

/// A key that is enrolled for a person or machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonKey {
    /// `SHA256:…`.
    pub fingerprint: String,
    /// One OpenSSH line.
    pub line: String,
}

/// A person or machine: enrolled with a key, or known since a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub subject: Subject,
    /// The enrolled key, if there is one.
    pub key: Option<PersonKey>,
    /// The account at a provider, if that is how they are known.
    pub account: Option<ProviderAccount>,
    /// Their groups.
    pub groups: BTreeSet<GroupName>,
    /// Whether their access has ended.
    pub disabled: bool,
}

/// An enrolled bastion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bastion {
    /// Its name.
    pub name: BastionName,
    /// `SHA256:…` of the key that signs its calls and manifests.
    pub key_fingerprint: String,
    /// That key, one OpenSSH line.
    pub public_key: String,
    /// The targets and target groups that it may serve.
    pub targets: BTreeSet<ScopeName>,
    /// The addresses that it dials from.
    pub dials_from: BTreeSet<Network>,
    /// Further names that its host certificate holds, beside its own: host names and addresses that people type.
    pub host_names: BTreeSet<String>,
    /// Where people reach it, `host:port`.
    pub address: Option<String>,
    /// Whether its enrolment has ended.
    pub disabled: bool,
    /// What it told last.
    pub report: Option<BastionReportHeld>,
}

/// A user certificate that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its serial.
    pub serial: u64,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// Whom it was given to.
    pub subject: Subject,
    /// When it ends, in Unix seconds.
    pub ends_at: u64,
    /// Under which role. `None` where that was not kept.
    pub role: Option<RoleName>,
    /// By which grant. `None` where that was not kept.
    pub grant: Option<Uuid>,
    /// `SHA256:…` of the certified key. `None` where that was not kept.
    pub key_fingerprint: Option<String>,
    /// When it was issued, in Unix seconds; 0 where that was not kept.
    pub issued_at: u64,
    /// How whoever it was given to had proven who they are. `None` where that was not kept.
    pub evidence: Option<Evidence>,
}

/// A session that was permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// The serial of the person's certificate.
    pub parent_serial: u64,
    /// The session certificate, if one was minted.
    pub certificate: Option<Minted>,
    /// The bastion.
    pub bastion: BastionName,
    /// The target.
    pub target: TargetName,
}

/// A session certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minted {
    /// Its serial.
    pub serial: u64,
    /// When it ends, in Unix seconds.
    pub ends_at: u64,
}

/// Where an event stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its number, from 1.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it stands.
    pub position: Position,
    /// The event's canonical bytes.
    pub event: Vec<u8>,
}

/// What the CA remembers, and the log.
pub trait Store: Send + Sync {
    /// Makes `change` and appends `event`, both or neither, and answers when they are on disk. [`Change::BastionEvent`] that was there already, and
    /// [`Change::NoteHostReport`], [`Change::NoteBastionReport`], [`Change::NoteDevice`], [`Change::KeepSource`] and [`Change::FailSource`] that tell nothing
    /// new, answer with the log's head.
    fn commit(&self, change: Change, event: AuditEvent) -> Answer<'_, Position>;

    /// The person that a key is enrolled for, disabled or not.
    fn person_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<Person>>;

    /// The person with this account: issuer, and its own id of them.
    fn person_by_account<'a>(&'a self, issuer: &'a str, issuer_subject: &'a str) -> Answer<'a, Option<Person>>;

    /// The sign-in of a key, ended or not.
    fn sign_in_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<SignIn>>;

    /// The person of this name.
    fn person<'a>(&'a self, subject: &'a Subject) -> Answer<'a, Option<Person>>;

    /// Everybody, by name.
    fn people(&self) -> Answer<'_, Vec<Person>>;

    /// The bastion that a key is enrolled for, disabled or not.
    fn bastion_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<Bastion>>;

    /// All bastions, by name.
    fn bastions(&self) -> Answer<'_, Vec<Bastion>>;

    /// The host that a key is enrolled for, disabled or not.
    fn host_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<Host>>;

    /// The host that a token was made for, used or not; by SHA-256 of the token.
    fn host_by_token<'a>(&'a self, token: &'a [u8; 32]) -> Answer<'a, Option<Host>>;

    /// All hosts, by name.
    fn hosts(&self) -> Answer<'_, Vec<Host>>;

    /// The certificate of this serial, if it was issued.
    fn certificate(&self, serial: u64) -> Answer<'_, Option<Certificate>>;

    /// The session of this id, if it was permitted.
    fn session(&self, id: Uuid) -> Answer<'_, Option<Session>>;

    /// Which state of revocations this is. Quick: it is asked for every request.
    fn revocation_state(&self) -> Answer<'_, RevocationState>;

    /// Every revocation, those that have ended too, oldest first.
    fn revocations(&self) -> Answer<'_, Vec<Revocation>>;

    /// The user certificates that `revoked` covers if it is revoked at `at`, in Unix seconds; those that have ended, too. None for a CA's key.
    fn covered<'a>(&'a self, revoked: &'a Revoked, at: u64) -> Answer<'a, Vec<Certificate>>;

    /// The serials of what is revoked and alive at `now`, in Unix seconds: by a revocation of any kind, or because its holder is disabled.
    fn revoked_serials(&self, now: u64) -> Answer<'_, RevokedSerials>;

    /// The key revocation list that was published last.
    fn published_list(&self) -> Answer<'_, Option<ListRecord>>;

    /// The device that a key is enrolled for, whatever its state.
    fn device_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<DeviceRecord>>;

    /// The device of this id, whatever its state.
    fn device<'a>(&'a self, id: &'a DeviceId) -> Answer<'a, Option<DeviceRecord>>;

    /// Somebody's devices, whatever their state, by id.
    fn devices_of<'a>(&'a self, owner: &'a SubjectName) -> Answer<'a, Vec<DeviceRecord>>;

    /// All devices, by id.
    fn devices(&self) -> Answer<'_, Vec<DeviceRecord>>;

    /// Somebody's authenticator, confirmed or not.
    fn authenticator<'a>(&'a self, subject: &'a Subject) -> Answer<'a, Option<Authenticator>>;

    /// Somebody's passkeys and security keys, by name.
    fn credentials<'a>(&'a self, subject: &'a Subject) -> Answer<'a, Vec<Credential>>;

    /// The second factors that somebody has proven by requests that this key signed (`SHA256:…`), and when, in Unix seconds.
    fn factors<'a>(&'a self, subject: &'a Subject, key_fingerprint: &'a str) -> Answer<'a, BTreeMap<FactorMethod, u64>>;

    /// Every rotation, those that are over too, oldest first.
    fn rotations(&self) -> Answer<'_, Vec<RotationRecord>>;

    /// When the last certificate of an authority ends, in Unix seconds; 0 if none is remembered. Inner host certificates and bastions' are not.
    fn last_end(&self, purpose: Purpose) -> Answer<'_, u64>;

    /// The inventory's sources that were ever read, by name.
    fn inventory_sources(&self) -> Answer<'_, Vec<SourceRecord>>;

    /// The number of the last event of this bastion; 0 if there is none.
    fn last_bastion_event<'a>(&'a self, bastion: &'a BastionName) -> Answer<'a, u64>;

    /// At most `limit` rows after `seq`.
    fn rows(&self, after: u64, limit: u32) -> Answer<'_, Vec<Row>>;

    /// The newest row; `None` for an empty log.
    fn head(&self) -> Answer<'_, Option<Position>>;
}
