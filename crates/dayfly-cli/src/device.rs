//! This machine as a device of the person's: a key of its own, which signs their requests beside theirs, and what the machine is like.

pub mod posture;

use crate::{
    certificate::now,
    connection::Connection,
    error::{Failure, Kind},
    identity::{Identity, IdentityKey},
    output::Output,
    state::{State, StateError},
};
use dayfly_api::device::ReportedPosture;
use dayfly_client::RequestSigner;
use dayfly_core::{name::DeviceId, signed_request::hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ssh_key::{Algorithm, LineEnding, PrivateKey};
use std::{path::Path, sync::Arc};

/// The files of the device that this machine is at one CA: what it is, and the key that dayfly makes where the person names none.
fn files(url: &str) -> (String, String) {
    let ca: String = hex(&Sha256::digest(url)).chars().take(16).collect();
    (format!("device-{ca}.json"), format!("device-{ca}-key"))
}

/// What is the same is told again after this many seconds, so that its age stays small.
const TOLD_AGAIN_AFTER: u64 = 15 * 60;

/// The device that this machine is at a CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThisDevice {
    /// The CA's address.
    pub url: String,
    /// What it is called there.
    pub id: DeviceId,
    /// Its key.
    pub key: IdentityKey,
    /// What it told last, and when, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<(u64, ReportedPosture)>,
}

impl ThisDevice {
    /// The device that this machine is at the CA of this address, if it is one.
    pub fn read(state: &State, url: &str) -> Result<Option<Self>, StateError> {
        Ok(state.read::<Self>(&files(url).0)?.filter(|device| device.url == url))
    }

    /// Keeps it.
    pub fn write(&self, state: &State) -> Result<(), StateError> {
        state.write(&files(&self.url).0, self)
    }

    /// Forgets it, and the key if dayfly made it.
    pub fn forget(state: &State, url: &str) -> Result<(), StateError> {
        let (device, key) = files(url);
        state.remove(&device)?;
        state.remove(&key)
    }

    /// What signs for it.
    pub fn signer(&self) -> Result<Arc<dyn RequestSigner>, Failure> {
        match Identity::open(&self.key) {
            Ok(identity) => Ok(identity.signer),
            // Not "nobody is logged in": a logout would forget a sign-in that goes on.
            Err(error) => Err(Failure::new(Kind::Failed, format!("the key of this device, {}, cannot be used", self.id))
                .because(error)
                .remedy("bring it back (ssh-add FILE, if an agent held it), or go on without: dayfly device remove --here")),
        }
    }

    /// Whether this is worth telling at `now`, in Unix seconds.
    fn is_news(&self, posture: &ReportedPosture, now: u64) -> bool {
        self.told.as_ref().is_none_or(|(at, told)| told != posture || now.saturating_sub(*at) >= TOLD_AGAIN_AFTER || *at > now)
    }
}

/// The key that a new device is to have: that of a file, which an agent may hold, or a new one.
pub fn new_key(file: Option<&Path>, state: &State, url: &str) -> Result<Identity, Failure> {
    if let Some(file) = file {
        return Ok(Identity::from_file(file)?);
    }
    let unmade = |error: ssh_key::Error| Failure::new(Kind::Failed, "no key could be made").because(error);
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(unmade)?;
    let (_, name) = files(url);
    state.write_secret(&name, key.to_openssh(LineEnding::LF).map_err(unmade)?.as_bytes())?;
    Ok(Identity::from_file(&state.path().join(name))?)
}

/// Tells the CA what this machine is like, if that is news. A device that is not known there any more is told of, and stops nothing.
pub async fn tell_if_news(connection: &mut Connection, output: &Output) -> Result<(), Failure> {
    let Some(device) = &mut connection.device else { return Ok(()) };
    let posture = posture::of_this_machine();
    if !device.is_news(&posture, now()) {
        return Ok(());
    }
    match connection.client.report_device(&posture).await.map_err(Failure::from) {
        Ok(_) => {
            device.told = Some((now(), posture));
            Ok(device.write(&connection.state)?)
        }
        Err(failure) if failure.kind == Kind::Refused => {
            let text = format!("dayfly: this device, {}, counts no more: {}", device.id, failure.cause.unwrap_or(failure.message));
            Ok(output.notice(&format!("{text}; enrol it anew: dayfly device remove --here, then dayfly device enroll NAME"))?)
        }
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_changed_is_told_at_once_and_what_did_not_now_and_then() {
        let posture = |firewall| ReportedPosture { firewall, ..Default::default() };
        let told = |told| ThisDevice {
            url: "https://ca.example".to_owned(),
            id: "laptop".parse().unwrap(),
            key: IdentityKey::File("/k".into()),
            told,
        };
        assert!(told(None).is_news(&posture(None), 1000));
        let device = told(Some((1000, posture(Some(true)))));
        assert!(!device.is_news(&posture(Some(true)), 1000 + TOLD_AGAIN_AFTER - 1));
        assert!(device.is_news(&posture(Some(true)), 1000 + TOLD_AGAIN_AFTER));
        assert!(device.is_news(&posture(Some(false)), 1001) && device.is_news(&posture(None), 1001));
        assert!(device.is_news(&posture(Some(true)), 999), "the clock was set back");
    }

    #[test]
    fn a_device_of_another_ca_is_none_here() {
        let home = tempfile::tempdir().unwrap();
        let state = State::create(&home.path().join("dayfly")).unwrap();
        let key = new_key(None, &state, "https://ca.example").unwrap().key;
        new_key(None, &state, "https://other.example").unwrap();
        let device = ThisDevice { url: "https://ca.example".to_owned(), id: "laptop".parse().unwrap(), key, told: None };
        device.write(&state).unwrap();
        assert_eq!(ThisDevice::read(&state, "https://ca.example").unwrap(), Some(device.clone()));
        assert_eq!(ThisDevice::read(&state, "https://other.example").unwrap(), None);
        device.signer().unwrap();
        ThisDevice::forget(&state, "https://other.example").unwrap();
        device.signer().unwrap();
        ThisDevice::forget(&state, "https://ca.example").unwrap();
        assert_eq!(ThisDevice::read(&state, "https://ca.example").unwrap(), None);
        let lost = device.signer().err().unwrap();
        assert!(lost.kind == Kind::Failed && lost.remedy.unwrap().contains("dayfly device remove --here"));
    }
}
