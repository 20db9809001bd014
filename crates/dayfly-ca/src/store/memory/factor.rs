//! Second factors.

use super::Memory;
use crate::store::{
    StoreError, Unique,
    factor::{Authenticator, CodeUsed},
};
use dayfly_core::identity::{FactorMethod, Subject};
use std::collections::BTreeMap;

impl Memory {
    pub(super) fn add_authenticator(&mut self, authenticator: Authenticator) -> Result<bool, StoreError> {
        if self.authenticators.get(&authenticator.subject).is_some_and(|known| known.confirmed_at.is_some()) {
            return Err(StoreError::Conflict(Unique::Authenticator));
        }
        self.authenticators.insert(authenticator.subject.clone(), authenticator);
        Ok(true)
    }

    pub(super) fn use_code(&mut self, used: CodeUsed) -> Result<bool, StoreError> {
        let known =
            self.authenticators.get_mut(&used.subject).filter(|known| known.last_step < used.step && known.failures == used.failures);
        let known = known.ok_or(StoreError::Conflict(Unique::Code))?;
        (known.last_step, known.failures, known.retry_at) = (used.step, 0, 0);
        known.confirmed_at.get_or_insert(used.at);
        self.factor_proofs.insert((used.subject, used.key_fingerprint, FactorMethod::Totp), used.at);
        Ok(true)
    }

    pub(super) fn refuse_code(&mut self, subject: &Subject, retry_at: u64) -> Result<bool, StoreError> {
        if let Some(known) = self.authenticators.get_mut(subject) {
            known.failures += 1;
            known.retry_at = known.retry_at.max(retry_at);
        }
        Ok(true)
    }

    pub(super) fn remove_factors(&mut self, subject: &Subject) -> Result<bool, StoreError> {
        self.factor_proofs.retain(|(whose, ..), _| whose != subject);
        let before = self.credentials.len();
        self.credentials.retain(|known| known.subject != *subject);
        let is_gone = self.authenticators.remove(subject).is_some() || self.credentials.len() < before;
        is_gone.then_some(true).ok_or_else(|| StoreError::Unknown(format!("second factor of {subject}")))
    }

    pub(super) fn factor_proofs(&self, subject: &Subject, key: &str) -> BTreeMap<FactorMethod, u64> {
        let own = self.factor_proofs.iter().filter(|((whose, by, _), _)| whose == subject && by == key);
        own.map(|((_, _, method), at)| (*method, *at)).collect()
    }
}
