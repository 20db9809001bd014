//! Rotations, and what bastions were seen to trust.

use super::Memory;
use crate::store::{
    StoreError, Unique,
    rotation::{BastionReportHeld, RotationRecord, RotationStep, replaces_another},
};
use dayfly_core::{
    name::BastionName,
    rotation::{Purpose, Stage},
};
use std::collections::BTreeSet;

impl Memory {
    pub(super) fn begin_rotation(&mut self, record: RotationRecord) -> Result<bool, StoreError> {
        let is_taken = |earlier: &RotationRecord| {
            (earlier.rotation.purpose == record.rotation.purpose && !earlier.rotation.is_over())
                || (earlier.new_key == record.new_key && earlier.rotation.stage != Stage::Abandoned)
        };
        if self.rotations.iter().any(is_taken) || replaces_another(&self.rotations, &record) {
            return Err(StoreError::Conflict(Unique::Rotation));
        }
        self.rotations.push(record);
        Ok(true)
    }

    pub(super) fn step_rotation(&mut self, step: RotationStep) -> Result<bool, StoreError> {
        let record = self.under_way(step.purpose).filter(|record| record.rotation.stage == step.from);
        let record = record.ok_or(StoreError::Conflict(Unique::RotationStep))?;
        record.rotation.stage = step.to;
        record.endorsement = step.endorsement.or(record.endorsement.take());
        Ok(true)
    }

    pub(super) fn rotate_despite(&mut self, purpose: Purpose, names: BTreeSet<String>) -> Result<bool, StoreError> {
        let record = self.under_way(purpose).ok_or_else(|| StoreError::Unknown(format!("rotation of {purpose} under way")))?;
        record.rotation.despite.extend(names);
        Ok(true)
    }

    pub(super) fn note_bastion_report(&mut self, bastion: &BastionName, report: BastionReportHeld) -> Result<bool, StoreError> {
        let known = self.bastions.get_mut(bastion).ok_or_else(|| StoreError::Unknown(format!("bastion {bastion}")))?;
        let is_news = known.report.as_ref().is_none_or(|earlier| earlier.trusted != report.trusted);
        known.report = Some(report);
        Ok(is_news)
    }

    pub(super) fn last_end(&self, purpose: Purpose) -> u64 {
        let last = match purpose {
            Purpose::User => self.certificates.values().map(|certificate| certificate.ends_at).max(),
            Purpose::Session => self.sessions.values().filter_map(|session| Some(session.certificate?.ends_at)).max(),
            Purpose::Host => self.hosts.values().filter_map(|host| Some(host.certificate?.ends_at)).max(),
            Purpose::InnerHost => None,
        };
        last.unwrap_or(0)
    }

    fn under_way(&mut self, purpose: Purpose) -> Option<&mut RotationRecord> {
        self.rotations.iter_mut().find(|record| record.rotation.purpose == purpose && !record.rotation.is_over())
    }
}
