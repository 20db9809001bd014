//! Devices: enrolling one, what it reports of itself, and how decisions see it.
//!
//! A device is known by a key of its own, which signs a person's requests beside theirs: a person's key on another machine is a request without the
//! device. Facts of its events: `device`, `key`, `state`.

use crate::{
    authority::Authority,
    factor::held::check_fresh,
    failure::Failure,
    identity::{NewKey, PersonCall},
    revocations::CurrentRevocations,
    store::{Answer, Change, Store, StoreError, Unique, device::DeviceRecord},
};
use dayfly_api::device::{DeviceEnrollment, DeviceState, Devices as Listed, KnownDevice, NamedDevice, ReportedPosture};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    device::{Device, Posture},
    identity::Subject,
    name::SubjectName,
    reason::{Reason, Refusal},
    signature::strength,
};
use ssh_key::PublicKey;
use std::sync::Arc;

/// How many devices a person may have whose enrolment has not ended.
const MOST: usize = 16;

/// How many they may ever have had, since no name and no key is given out again.
const MOST_EVER: usize = 256;

/// Knows what a device is like. What it says of itself is one source; a system that manages devices is another.
pub trait PostureSource: Send + Sync {
    /// What is known of this device now, and who says so is this source.
    fn posture<'a>(&'a self, device: &'a DeviceRecord) -> Answer<'a, Option<Posture>>;
}

/// What devices told of themselves, as policies see it in `self_reported`.
pub struct SelfReported;

impl PostureSource for SelfReported {
    fn posture<'a>(&'a self, device: &'a DeviceRecord) -> Answer<'a, Option<Posture>> {
        Box::pin(std::future::ready(Ok(Some(device.posture.clone()))))
    }
}

/// Devices as decisions see them.
pub struct Devices {
    store: Arc<dyn Store>,
    revocations: Arc<CurrentRevocations>,
    postures: Box<dyn PostureSource>,
}

impl Devices {
    /// Those of this store.
    pub fn new(store: Arc<dyn Store>, revocations: Arc<CurrentRevocations>, postures: Box<dyn PostureSource>) -> Self {
        Self { store, revocations, postures }
    }

    /// The device that a key (`SHA256:…`) is enrolled for, as `holder` works on it.
    pub async fn by_key(&self, key_fingerprint: &str, holder: &Subject) -> Result<Option<Device>, StoreError> {
        match self.store.device_by_key(key_fingerprint).await? {
            Some(record) => Ok(Some(self.facts(record, holder).await?)),
            None => Ok(None),
        }
    }

    /// What has become of a device that `holder` was seen on before. When that was stays as it was.
    pub async fn of_now(&self, before: Device, holder: &Subject) -> Result<Device, StoreError> {
        match self.store.device(&before.id).await? {
            Some(record) => Ok(Device { last_seen: before.last_seen, ..self.facts(record, holder).await? }),
            None => Ok(Device { enrolled: false, ..before }),
        }
    }

    /// A device is enrolled for its owner: another person on it is on no device of theirs.
    async fn facts(&self, record: DeviceRecord, holder: &Subject) -> Result<Device, StoreError> {
        let is_revoked = self.revocations.current().await?.keys.contains(&record.key_fingerprint);
        let enrolled = record.is_enrolled() && record.holder() == *holder && !is_revoked;
        let posture = self.postures.posture(&record).await?;
        Ok(Device { id: record.id, enrolled, owner: Some(record.owner), last_seen: Some(record.seen_at), posture })
    }
}

/// Enrols the device whose key signed the call too. It is enrolled at once where a rule approves it, and waits for an administrator elsewhere.
pub async fn enroll(authority: &Authority, call: &PersonCall, asked: &DeviceEnrollment) -> Result<KnownDevice, Failure> {
    let record = match admit(authority, call, asked).await {
        Err(Failure::Refused(refusal)) => return refuse(authority, call, asked, refusal).await,
        admitted => admitted?,
    };
    let known = known(&record);
    let event = about(authority.event(Event::DeviceAdded, Outcome::Done), call, &record).fact("state", known.state.as_str());
    let taken = match authority.store.commit(Change::AddDevice(Box::new(record)), event).await {
        Err(StoreError::Conflict(Unique::Device)) => Refusal::new(
            Reason::DeviceTaken,
            format!("there is another device {}, or was", asked.id),
            "choose another name: dayfly device enroll NAME",
        ),
        Err(StoreError::Conflict(Unique::Key)) => Refusal::new(
            Reason::KeyInUse,
            "the device's key is enrolled already",
            "see dayfly device list; for another key: dayfly device remove, then dayfly device enroll NAME",
        ),
        Err(error) => return Err(error.into()),
        Ok(_) => return Ok(known),
    };
    refuse(authority, call, asked, taken).await
}

/// Notes what the device that signed the call tells of itself.
pub async fn report(authority: &Authority, call: &PersonCall, told: &ReportedPosture) -> Result<KnownDevice, Failure> {
    let owner = person(call)?;
    let key = device_key(call)?;
    let record = authority.store.device_by_key(&key.fingerprint).await?.filter(|record| record.owner == *owner && !record.disabled);
    let record = record.ok_or_else(|| unknown("this device is not known, is not yours, or its enrolment has ended"))?;
    let now = call.context.unix_seconds();
    let posture = told.clone().told_at(now);
    let event = about(authority.event(Event::DeviceReported, Outcome::Done), call, &record);
    let event = [
        ("disk_encrypted", posture.disk_encrypted.map(|told| told.to_string())),
        ("os", posture.os.clone()),
        ("os_version", posture.os_version.map(|version| version.to_string())),
        ("screen_lock", posture.screen_lock.map(|told| told.to_string())),
        ("firewall", posture.firewall.map(|told| told.to_string())),
    ]
    .into_iter()
    .fold(event, |event, (name, told)| match told {
        Some(told) => event.fact(name, told),
        None => event,
    });
    authority.store.commit(Change::NoteDevice { id: record.id.clone(), posture: posture.clone() }, event).await?;
    Ok(known(&DeviceRecord { posture, seen_at: now.max(record.seen_at), ..record }))
}

/// The caller's devices.
pub async fn list(authority: &Authority, call: &PersonCall) -> Result<Listed, Failure> {
    let devices = authority.store.devices_of(person(call)?).await?;
    Ok(Listed { devices: devices.iter().map(known).collect() })
}

/// Ends the enrolment of a device of the caller's, from whichever machine they call.
pub async fn remove(authority: &Authority, call: &PersonCall, named: &NamedDevice) -> Result<KnownDevice, Failure> {
    let owner = person(call)?;
    let record = authority.store.device(&named.id).await?.filter(|record| record.owner == *owner);
    let record = record.ok_or_else(|| unknown(&format!("you have no device {}", named.id)))?;
    if !record.disabled {
        check_fresh(authority, call, call.context.unix_seconds()).await?;
        let event = about(authority.event(Event::DeviceDisabled, Outcome::Done), call, &record);
        authority.store.commit(Change::DisableDevice(record.id.clone()), event).await?;
    }
    Ok(known(&DeviceRecord { disabled: true, ..record }))
}

/// A device as its owner is told of it.
pub fn known(record: &DeviceRecord) -> KnownDevice {
    let state = match (record.disabled, record.approved_at) {
        (true, _) => DeviceState::Disabled,
        (false, Some(_)) => DeviceState::Enrolled,
        (false, None) => DeviceState::Waiting,
    };
    KnownDevice {
        id: record.id.clone(),
        owner: record.holder(),
        key: record.key_fingerprint.clone(),
        state,
        added_at: record.added_at,
        seen_at: record.seen_at,
    }
}

async fn admit(authority: &Authority, call: &PersonCall, asked: &DeviceEnrollment) -> Result<DeviceRecord, Failure> {
    let owner = person(call)?;
    let NewKey { key, fingerprint } = device_key(call)?;
    if *fingerprint == call.identity.evidence.proof.fingerprint() {
        let remedy = "let it have one of its own: dayfly device enroll, without --key";
        return Err(Refusal::new(Reason::KeyInUse, "the device's key is your own", remedy).into());
    }
    strength(key)?;
    authority.check_key(key).await?;
    check_fresh(authority, call, call.context.unix_seconds()).await?;
    let devices = authority.store.devices_of(owner).await?;
    if devices.iter().filter(|record| !record.disabled).count() >= MOST {
        let remedy = "remove those that you do not use: dayfly device list, dayfly device remove NAME";
        return Err(Refusal::new(Reason::LimitReached, format!("you have {MOST} devices"), remedy).into());
    }
    if devices.len() >= MOST_EVER {
        return Err(
            Refusal::new(Reason::LimitReached, format!("you have had {MOST_EVER} devices"), "tell whoever administers the CA").into()
        );
    }
    let public_key = PublicKey::from(key.clone()).to_openssh().map_err(|error| Failure::Internal(error.to_string()))?;
    let now = call.context.unix_seconds();
    let is_approved = authority.rules.load().device_rules.iter().any(|rule| rule.approves(&call.identity, &call.context));
    Ok(DeviceRecord {
        id: asked.id.clone(),
        owner: owner.clone(),
        key_fingerprint: fingerprint.clone(),
        public_key,
        added_at: now,
        approved_at: is_approved.then_some(now),
        seen_at: now,
        posture: asked.posture.clone().told_at(now),
        disabled: false,
    })
}

async fn refuse(authority: &Authority, call: &PersonCall, asked: &DeviceEnrollment, refusal: Refusal) -> Result<KnownDevice, Failure> {
    let event = authority.refused(Event::DeviceAdded, &refusal).subject(call.subject()).fact("device", &asked.id);
    authority.store.commit(Change::None, event.fact("address", call.context.source)).await?;
    Err(refusal.into())
}

/// A workload comes and goes; what it runs on is its platform's affair.
fn person(call: &PersonCall) -> Result<&SubjectName, Refusal> {
    match call.subject() {
        Subject::Person(name) => Ok(name),
        Subject::Machine(_) => {
            let remedy = "have a policy look at what machines can prove: context.workload, context.networks";
            Err(Refusal::new(Reason::NotAllowed, "a machine has no device", remedy))
        }
    }
}

fn device_key(call: &PersonCall) -> Result<&NewKey, Refusal> {
    let missing =
        || Refusal::new(Reason::BadRequest, "no device signed the request", "call as dayfly device enroll and dayfly device report do");
    call.device_key.as_ref().ok_or_else(missing)
}

fn unknown(message: &str) -> Refusal {
    Refusal::new(Reason::UnknownDevice, message, "see yours: dayfly device list; enrol this one: dayfly device enroll NAME")
}

fn about(event: AuditEvent, call: &PersonCall, record: &DeviceRecord) -> AuditEvent {
    let event = event.subject(call.subject()).fact("device", &record.id).fact("key", &record.key_fingerprint);
    event.fact("address", call.context.source)
}

#[cfg(test)]
mod tests;
