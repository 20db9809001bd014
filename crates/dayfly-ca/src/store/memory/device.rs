//! Devices.

use super::Memory;
use crate::store::{StoreError, Unique, device::DeviceRecord};
use dayfly_core::{device::Posture, name::DeviceId};

impl Memory {
    pub(super) fn add_device(&mut self, device: DeviceRecord) -> Result<bool, StoreError> {
        let is_taken = self.devices.values().any(|known| known.key_fingerprint == device.key_fingerprint);
        if is_taken || self.sign_ins.contains_key(&device.key_fingerprint) {
            return Err(StoreError::Conflict(Unique::Key));
        }
        super::vacant(&mut self.devices, device.id.clone(), device, Unique::Device)?;
        Ok(true)
    }

    pub(super) fn approve_device(&mut self, id: &DeviceId, at: u64) -> Result<bool, StoreError> {
        self.device(id)?.approved_at.get_or_insert(at);
        Ok(true)
    }

    pub(super) fn disable_device(&mut self, id: &DeviceId) -> Result<bool, StoreError> {
        let device = self.devices.get_mut(id).ok_or_else(|| unknown(id))?;
        device.disabled = true;
        Ok(true)
    }

    pub(super) fn note_device(&mut self, id: &DeviceId, posture: Posture) -> Result<bool, StoreError> {
        let device = self.device(id)?;
        let is_news = !device.posture.tells_the_same_as(&posture);
        device.seen_at = device.seen_at.max(posture.reported_at);
        device.posture = posture;
        Ok(is_news)
    }

    /// One whose enrolment has not ended.
    fn device(&mut self, id: &DeviceId) -> Result<&mut DeviceRecord, StoreError> {
        self.devices.get_mut(id).filter(|device| !device.disabled).ok_or_else(|| unknown(id))
    }
}

fn unknown(id: &DeviceId) -> StoreError {
    StoreError::Unknown(format!("device {id}"))
}
