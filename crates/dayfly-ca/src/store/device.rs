//! What is remembered of devices.

use dayfly_core::{
    device::Posture,
    identity::Subject,
    name::{DeviceId, SubjectName},
};

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// What it is called.
    pub id: DeviceId,
    /// Whose it is.
    pub owner: SubjectName,
    /// `SHA256:…` of its key.
    pub key_fingerprint: String,
    /// That key, one OpenSSH line.
    pub public_key: String,
    /// When it was added, in Unix seconds.
    pub added_at: u64,
    /// When it was approved, in Unix seconds. `None`: it waits.
    pub approved_at: Option<u64>,
    /// When it was last seen, in Unix seconds: it reported, or a certificate was issued to whoever works on it.
    pub seen_at: u64,
    /// What it told of itself last.
    pub posture: Posture,
    /// Whether its enrolment has ended.
    pub disabled: bool,
}

impl DeviceRecord {
    /// Whose it is.
    pub fn holder(&self) -> Subject {
        Subject::Person(self.owner.clone())
    }

    /// Whether it counts as enrolled.
    pub fn is_enrolled(&self) -> bool {
        self.approved_at.is_some() && !self.disabled
    }
}
