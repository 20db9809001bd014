//! A store in memory, for tests of what stands above it. It can be told to fail.

#![allow(clippy::unwrap_used)]

mod credential;
mod device;
mod factor;
mod inventory;
mod rotation;
mod sign_in;

use super::{
    Answer, Bastion, Certificate, Change, ListRecord, Person, Position, Revocation, RevocationState, RevokedSerials, Row, Session, Store,
    StoreError, Unique,
    device::DeviceRecord,
    factor::{Authenticator, Credential},
    host::{Host, HostKey, HostReportHeld, HostReportNote, HostToken},
    inventory::SourceRecord,
    rotation::RotationRecord,
    sign_in::SignIn,
};
use dayfly_core::{
    audit::{AuditEvent, Event},
    certificate::{KeyId, Revoked},
    identity::{FactorMethod, Subject},
    log_link::Chain,
    name::{BastionName, DeviceId, HostName, SourceName, SubjectName},
    rotation::Purpose,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};
use uuid::Uuid;

/// What a program remembers while it runs.
#[derive(Default)]
pub(crate) struct MemoryStore(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    chain: Chain,
    rows: Vec<Row>,
    people: BTreeMap<Subject, Person>,
    bastions: BTreeMap<BastionName, Bastion>,
    hosts: BTreeMap<HostName, Host>,
    sign_ins: BTreeMap<String, SignIn>,
    used_tokens: BTreeMap<[u8; 32], u64>,
    certificates: BTreeMap<u64, Certificate>,
    sessions: BTreeMap<Uuid, Session>,
    inner_host_keys: BTreeMap<String, String>,
    bastion_events: BTreeMap<BastionName, u64>,
    revocations: Vec<Revocation>,
    list: Option<ListRecord>,
    rotations: Vec<RotationRecord>,
    sources: BTreeMap<SourceName, SourceRecord>,
    devices: BTreeMap<DeviceId, DeviceRecord>,
    authenticators: BTreeMap<Subject, Authenticator>,
    credentials: Vec<Credential>,
    factor_proofs: BTreeMap<(Subject, String, FactorMethod), u64>,
    fails: Option<fn(Event) -> bool>,
}

impl MemoryStore {
    /// From now on commits of the events that `which` names fail, and change nothing.
    pub(crate) fn fail(&self, which: fn(Event) -> bool) {
        self.memory().fails = Some(which);
    }

    /// Adds a person or replaces them, without an event.
    pub(crate) fn put_person(&self, person: Person) {
        self.memory().people.insert(person.subject.clone(), person);
    }

    /// Adds a bastion or replaces it, without an event.
    pub(crate) fn put_bastion(&self, bastion: Bastion) {
        self.memory().bastions.insert(bastion.name.clone(), bastion);
    }

    /// Adds a host or replaces it, without an event.
    pub(crate) fn put_host(&self, host: Host) {
        self.memory().hosts.insert(host.name.clone(), host);
    }

    /// Every event of the log, in order.
    pub(crate) fn events(&self) -> Vec<AuditEvent> {
        self.memory().rows.iter().map(|row| serde_json::from_slice(&row.event).unwrap()).collect()
    }

    /// As if a certificate was issued before evidence was kept.
    pub(crate) fn forget_evidence(&self, serial: u64) {
        if let Some(certificate) = self.memory().certificates.get_mut(&serial) {
            certificate.evidence = None;
        }
    }

    /// How many certificates there are.
    pub(crate) fn certificates(&self) -> usize {
        self.memory().certificates.len()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap()
    }
}

impl Memory {
    fn commit(&mut self, change: Change, event: AuditEvent) -> Result<Position, StoreError> {
        if self.fails.is_some_and(|fails| fails(event.event)) {
            return Err(StoreError::Unavailable("the disk is full".to_owned()));
        }
        let bytes = event.canonical_bytes()?;
        if !self.change(change)? {
            return Ok(Position { seq: self.chain.seq(), hash: *self.chain.hash() });
        }
        let (seq, hash) = self.chain.append(&bytes);
        let position = Position { seq, hash };
        self.rows.push(Row { position, event: bytes });
        Ok(position)
    }

    /// Whether there was anything to change.
    fn change(&mut self, change: Change) -> Result<bool, StoreError> {
        match change {
            Change::None => Ok(true),
            Change::AddPerson(person) => {
                vacant(&mut self.people, person.subject.clone(), person, Unique::Person)?;
                Ok(true)
            }
            Change::DisablePerson(subject) => match self.people.get_mut(&subject) {
                Some(person) => {
                    person.disabled = true;
                    Ok(true)
                }
                None => Err(StoreError::Unknown(format!("person {subject}"))),
            },
            Change::AddBastion(bastion) => {
                vacant(&mut self.bastions, bastion.name.clone(), bastion, Unique::Bastion)?;
                Ok(true)
            }
            Change::AddCertificate(certificate) => {
                let device = certificate.evidence.as_ref().and_then(|evidence| evidence.device.clone());
                let issued_at = certificate.issued_at;
                vacant(&mut self.certificates, certificate.serial, certificate, Unique::Serial)?;
                if let Some(known) = device.and_then(|device| self.devices.get_mut(&device.id)) {
                    known.seen_at = known.seen_at.max(issued_at);
                }
                Ok(true)
            }
            Change::AddSession(session) => {
                vacant(&mut self.sessions, session.id, session, Unique::Session)?;
                Ok(true)
            }
            Change::AddInnerHostKey { key_fingerprint, bastion, target } => {
                let carries = format!("{bastion} {target}");
                let carried = self.inner_host_keys.entry(key_fingerprint).or_insert_with(|| carries.clone());
                if *carried == carries { Ok(true) } else { Err(StoreError::Conflict(Unique::InnerHostKey)) }
            }
            Change::AddHost(host) => {
                vacant(&mut self.hosts, host.name.clone(), host, Unique::Host)?;
                Ok(true)
            }
            Change::IssueHostToken { host, token } => self.issue_token(&host, token),
            Change::EnrollHost { host, token, key_fingerprint, public_key } => {
                self.enroll_host(&host, token, HostKey { fingerprint: key_fingerprint, line: public_key })
            }
            Change::NoteHostCertificate(note) => {
                self.host(&note.host)?.certificate = Some(note.certificate);
                Ok(true)
            }
            Change::NoteHostReport(note) => self.note_report(note),
            Change::DisableHost(name) => {
                let host = self.host(&name)?;
                (host.disabled, host.token.is_used) = (true, true);
                Ok(true)
            }
            Change::AddSignIn(new) => self.add_sign_in(*new),
            Change::EndSignIn(key) => match self.sign_ins.get_mut(&key) {
                Some(sign_in) => {
                    sign_in.is_ended = true;
                    Ok(true)
                }
                None => Err(StoreError::Unknown(format!("sign-in of the key {key}"))),
            },
            Change::Revoke(revocation) => {
                self.revocations.push(revocation);
                Ok(true)
            }
            Change::PublishList(list) if list.number != self.list.as_ref().map_or(0, |last| last.number) + 1 => {
                Err(StoreError::Conflict(Unique::RevocationList))
            }
            Change::PublishList(list) => {
                self.list = Some(list);
                Ok(true)
            }
            Change::AddAuthenticator(added) => self.add_authenticator(added),
            Change::UseCode(used) => self.use_code(used),
            Change::AddDevice(device) => self.add_device(*device),
            Change::ApproveDevice { id, at } => self.approve_device(&id, at),
            Change::NoteDevice { id, posture } => self.note_device(&id, posture),
            Change::DisableDevice(id) => self.disable_device(&id),
            Change::RefuseCode { subject, retry_at } => self.refuse_code(&subject, retry_at),
            Change::AddCredential(added) => self.add_credential(*added),
            Change::UseCredential(used) => self.use_credential(*used),
            Change::ProveFactor(used) => self.prove_factor(used),
            Change::RemoveCredential { subject, name } => self.remove_credential(&subject, &name),
            Change::RemoveFactors(subject) => self.remove_factors(&subject),
            Change::BeginRotation(record) => self.begin_rotation(*record),
            Change::StepRotation(step) => self.step_rotation(step),
            Change::RotateDespite { purpose, names } => self.rotate_despite(purpose, names),
            Change::NoteBastionReport { bastion, report } => self.note_bastion_report(&bastion, report),
            Change::KeepSource(answer) => Ok(self.keep_source(*answer)),
            Change::FailSource(trouble) => Ok(self.fail_source(*trouble)),
            Change::BastionEvent { bastion, number } => {
                let last = self.bastion_events.entry(bastion.clone()).or_default();
                let expected = *last + 1;
                if number > expected {
                    return Err(StoreError::OutOfOrder { bastion, expected, found: number });
                }
                let is_new = number == expected;
                *last = if is_new { number } else { *last };
                Ok(is_new)
            }
        }
    }
}

impl Memory {
    fn host(&mut self, name: &HostName) -> Result<&mut Host, StoreError> {
        self.hosts.get_mut(name).ok_or_else(|| StoreError::Unknown(format!("host {name}")))
    }

    fn issue_token(&mut self, name: &HostName, token: HostToken) -> Result<bool, StoreError> {
        let host = self.host(name)?;
        if host.disabled {
            host.key = None;
        }
        (host.token, host.disabled) = (token, false);
        Ok(true)
    }

    fn enroll_host(&mut self, name: &HostName, token: [u8; 32], key: HostKey) -> Result<bool, StoreError> {
        let is_enrolled = |fingerprint: &str| fingerprint == key.fingerprint;
        let is_anothers = self.people.values().any(|person| person.key.as_ref().is_some_and(|key| is_enrolled(&key.fingerprint)))
            || self.bastions.values().any(|bastion| is_enrolled(&bastion.key_fingerprint))
            || self.hosts.values().any(|host| host.name != *name && host.key.as_ref().is_some_and(|key| is_enrolled(&key.fingerprint)));
        let host = self.host(name)?;
        if host.token.digest != token || host.token.is_used || host.disabled {
            return Err(StoreError::Conflict(Unique::HostToken));
        }
        if is_anothers {
            return Err(StoreError::Conflict(Unique::Key));
        }
        (host.token.is_used, host.key, host.certificate) = (true, Some(key), None);
        Ok(true)
    }

    fn note_report(&mut self, note: HostReportNote) -> Result<bool, StoreError> {
        let host = self.host(&note.host)?;
        let is_news = note.is_news(host.report.as_ref());
        let earlier = host.report.as_ref().and_then(|report| report.current_at);
        let current_at = if note.is_current { Some(note.at) } else { earlier };
        host.report = Some(HostReportHeld { seen_at: note.at, krl: note.krl, current_at, trusted: note.trusted });
        Ok(is_news)
    }

    fn revoked_serials(&self, now: u64) -> RevokedSerials {
        let in_force = || self.revocations.iter().filter(|revocation| revocation.is_in_force(now));
        let is_covered = |certificate: &Certificate| {
            self.people.get(&certificate.subject).is_some_and(|person| person.disabled)
                || in_force().any(|revocation| covers(&revocation.revoked, certificate, revocation.at))
        };
        let is_listed = |serial: u64| in_force().any(|revocation| revocation.revoked == Revoked::Serial(serial));
        let alive = self.certificates.values().filter(|certificate| certificate.ends_at > now);
        let minted =
            self.sessions.values().filter_map(|session| Some((session.certificate?, self.certificates.get(&session.parent_serial)?)));
        let mut sessions: Vec<u64> = minted
            .filter(|(minted, parent)| minted.ends_at > now && (is_covered(parent) || is_listed(minted.serial)))
            .map(|(minted, _)| minted.serial)
            .collect();
        sessions.sort_unstable();
        let is_known = |serial: &u64| {
            self.certificates.contains_key(serial)
                || self.sessions.values().any(|session| session.certificate.is_some_and(|minted| minted.serial == *serial))
        };
        let serials: std::collections::BTreeSet<u64> = in_force()
            .filter_map(|revocation| if let Revoked::Serial(serial) = revocation.revoked { Some(serial) } else { None })
            .collect();
        RevokedSerials {
            certificates: alive.filter(|certificate| is_covered(certificate)).map(|certificate| certificate.serial).collect(),
            sessions,
            others: serials.into_iter().filter(|serial| !is_known(serial)).collect(),
        }
    }
}

fn covers(revoked: &Revoked, certificate: &Certificate, at: u64) -> bool {
    match revoked {
        Revoked::Serial(serial) => certificate.serial == *serial,
        Revoked::KeyId(text) => match (&certificate.role, certificate.grant) {
            (Some(role), Some(grant)) => {
                KeyId { subject: certificate.subject.clone(), role: role.clone(), grant, session: None }.to_string() == *text
            }
            _ => false,
        },
        Revoked::Person(subject) => certificate.subject == *subject,
        Revoked::Key(fingerprint) => {
            let proven_by = certificate.evidence.as_ref().map(|evidence| evidence.proof.fingerprint());
            certificate.key_fingerprint.as_ref() == Some(fingerprint) || proven_by == Some(fingerprint)
        }
        Revoked::Role(role) => certificate.role.as_ref() == Some(role) && certificate.issued_at <= at,
        Revoked::Grant(grant) => certificate.grant == Some(*grant),
        Revoked::Ca(_) => false,
    }
}

fn vacant<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V, unique: Unique) -> Result<(), StoreError> {
    match map.entry(key) {
        std::collections::btree_map::Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
        std::collections::btree_map::Entry::Occupied(_) => Err(StoreError::Conflict(unique)),
    }
}

fn now<T: Send + 'static>(answer: Result<T, StoreError>) -> Answer<'static, T> {
    Box::pin(std::future::ready(answer))
}

impl Store for MemoryStore {
    fn commit(&self, change: Change, event: AuditEvent) -> Answer<'_, Position> {
        now(self.memory().commit(change, event))
    }

    fn person_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<Person>> {
        let has_key = |person: &&Person| person.key.as_ref().is_some_and(|key| key.fingerprint == key_fingerprint);
        now(Ok(self.memory().people.values().find(has_key).cloned()))
    }

    fn person_by_account<'a>(&'a self, issuer: &'a str, issuer_subject: &'a str) -> Answer<'a, Option<Person>> {
        let has_account =
            |person: &&Person| person.account.as_ref().is_some_and(|account| account.issuer == issuer && account.subject == issuer_subject);
        now(Ok(self.memory().people.values().find(has_account).cloned()))
    }

    fn sign_in_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<SignIn>> {
        now(Ok(self.memory().sign_ins.get(key_fingerprint).cloned()))
    }

    fn person<'a>(&'a self, subject: &'a Subject) -> Answer<'a, Option<Person>> {
        now(Ok(self.memory().people.get(subject).cloned()))
    }

    fn people(&self) -> Answer<'_, Vec<Person>> {
        now(Ok(self.memory().people.values().cloned().collect()))
    }

    fn bastion_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<Bastion>> {
        now(Ok(self.memory().bastions.values().find(|bastion| bastion.key_fingerprint == key_fingerprint).cloned()))
    }

    fn bastions(&self) -> Answer<'_, Vec<Bastion>> {
        now(Ok(self.memory().bastions.values().cloned().collect()))
    }

    fn host_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<Host>> {
        let has_key = |host: &&Host| host.key.as_ref().is_some_and(|key| key.fingerprint == key_fingerprint);
        now(Ok(self.memory().hosts.values().find(has_key).cloned()))
    }

    fn host_by_token<'a>(&'a self, token: &'a [u8; 32]) -> Answer<'a, Option<Host>> {
        now(Ok(self.memory().hosts.values().find(|host| host.token.digest == *token).cloned()))
    }

    fn hosts(&self) -> Answer<'_, Vec<Host>> {
        now(Ok(self.memory().hosts.values().cloned().collect()))
    }

    fn certificate(&self, serial: u64) -> Answer<'_, Option<Certificate>> {
        now(Ok(self.memory().certificates.get(&serial).cloned()))
    }

    fn session(&self, id: Uuid) -> Answer<'_, Option<Session>> {
        now(Ok(self.memory().sessions.get(&id).cloned()))
    }

    fn revocation_state(&self) -> Answer<'_, RevocationState> {
        let memory = self.memory();
        let disabled = memory.people.values().filter(|person| person.disabled).count();
        now(Ok(RevocationState { revocations: memory.revocations.len() as u64, disabled: disabled as u64 }))
    }

    fn revocations(&self) -> Answer<'_, Vec<Revocation>> {
        now(Ok(self.memory().revocations.clone()))
    }

    fn covered<'a>(&'a self, revoked: &'a Revoked, at: u64) -> Answer<'a, Vec<Certificate>> {
        now(Ok(self.memory().certificates.values().filter(|certificate| covers(revoked, certificate, at)).cloned().collect()))
    }

    fn revoked_serials(&self, at: u64) -> Answer<'_, RevokedSerials> {
        now(Ok(self.memory().revoked_serials(at)))
    }

    fn published_list(&self) -> Answer<'_, Option<ListRecord>> {
        now(Ok(self.memory().list.clone()))
    }

    fn device_by_key<'a>(&'a self, key_fingerprint: &'a str) -> Answer<'a, Option<DeviceRecord>> {
        now(Ok(self.memory().devices.values().find(|device| device.key_fingerprint == key_fingerprint).cloned()))
    }

    fn device<'a>(&'a self, id: &'a DeviceId) -> Answer<'a, Option<DeviceRecord>> {
        now(Ok(self.memory().devices.get(id).cloned()))
    }

    fn devices_of<'a>(&'a self, owner: &'a SubjectName) -> Answer<'a, Vec<DeviceRecord>> {
        now(Ok(self.memory().devices.values().filter(|device| device.owner == *owner).cloned().collect()))
    }

    fn devices(&self) -> Answer<'_, Vec<DeviceRecord>> {
        now(Ok(self.memory().devices.values().cloned().collect()))
    }

    fn authenticator<'a>(&'a self, subject: &'a Subject) -> Answer<'a, Option<Authenticator>> {
        now(Ok(self.memory().authenticators.get(subject).cloned()))
    }

    fn credentials<'a>(&'a self, subject: &'a Subject) -> Answer<'a, Vec<Credential>> {
        now(Ok(self.memory().credentials_of(subject)))
    }

    fn factors<'a>(&'a self, subject: &'a Subject, key_fingerprint: &'a str) -> Answer<'a, BTreeMap<FactorMethod, u64>> {
        now(Ok(self.memory().factor_proofs(subject, key_fingerprint)))
    }

    fn rotations(&self) -> Answer<'_, Vec<RotationRecord>> {
        now(Ok(self.memory().rotations.clone()))
    }

    fn last_end(&self, purpose: Purpose) -> Answer<'_, u64> {
        now(Ok(self.memory().last_end(purpose)))
    }

    fn inventory_sources(&self) -> Answer<'_, Vec<SourceRecord>> {
        now(Ok(self.memory().sources.values().cloned().collect()))
    }

    fn last_bastion_event<'a>(&'a self, bastion: &'a BastionName) -> Answer<'a, u64> {
        now(Ok(self.memory().bastion_events.get(bastion).copied().unwrap_or(0)))
    }

    fn rows(&self, after: u64, limit: u32) -> Answer<'_, Vec<Row>> {
        let rows = self.memory().rows.iter().filter(|row| row.position.seq > after).take(limit as usize).cloned().collect();
        now(Ok(rows))
    }

    fn head(&self) -> Answer<'_, Option<Position>> {
        now(Ok(self.memory().rows.last().map(|row| row.position)))
    }
}

/// What it shares with a store that lasts. That keys are unique and that everything stands on what was stored is not its affair: its tests furnish it.
mod tests {
    use super::*;
    use crate::store::suite::store_suite;

    fn empty_store() -> ((), MemoryStore) {
        ((), MemoryStore::default())
    }

    store_suite! { empty_store:
        what_was_added_is_found_again
        nothing_is_there_that_was_not_added
        row_32_an_inner_host_key_carries_one_name
        a_disabled_person_stays_known_as_disabled
        row_20_every_kind_of_revocation_finds_its_certificates_and_their_sessions
        row_20_what_was_issued_under_a_role_afterwards_is_not_revoked_with_it
        the_revocation_lists_number_only_rises
        the_log_is_linked_from_its_first_row
        row_37_a_bastions_clock_stops_nobody
        an_event_that_no_row_can_hold_changes_nothing
        a_host_enrols_once_by_its_token
        a_hosts_key_is_nobody_elses_until_it_is_given_up
        a_report_that_tells_nothing_new_is_noted_without_an_event
        a_sources_last_answer_stays_while_it_fails_and_only_news_are_events
        an_authority_has_one_rotation_at_a_time_and_a_step_is_taken_once
        row_22_a_code_counts_once_and_not_beside_others_that_are_tried
        a_device_is_approved_once_and_its_id_and_key_stay_taken
        row_21_a_passkey_is_one_persons_and_counts_onwards
        row_20_a_revoked_key_takes_what_it_asked_for_with_it
        a_sign_in_makes_its_holder_known_and_ends_once
        row_15_a_name_belongs_to_one_account
        row_15_a_token_is_used_once_until_it_ends
    }
}
