//! Passkeys and security keys.

use super::Memory;
use crate::store::{
    StoreError, Unique,
    factor::{Credential, CredentialUsed, FactorUsed},
};
use dayfly_core::{identity::Subject, name::FactorName};

impl Memory {
    pub(super) fn add_credential(&mut self, added: Credential) -> Result<bool, StoreError> {
        if self.credentials.iter().any(|known| known.id == added.id) {
            return Err(StoreError::Conflict(Unique::Credential));
        }
        if self.credential(&added.subject, &added.name).is_ok() {
            return Err(StoreError::Conflict(Unique::FactorName));
        }
        self.credentials.push(added);
        Ok(true)
    }

    pub(super) fn use_credential(&mut self, used: CredentialUsed) -> Result<bool, StoreError> {
        let known = self.credential(&used.subject, &used.name).ok();
        let known = known.filter(|known| known.counter < used.counter || (known.counter, used.counter) == (0, 0));
        let known = known.ok_or(StoreError::Conflict(Unique::Counter))?;
        (known.counter, known.material) = (used.counter, used.material);
        Ok(true)
    }

    pub(super) fn prove_factor(&mut self, used: FactorUsed) -> Result<bool, StoreError> {
        let method = self.credential(&used.subject, &used.name)?.method;
        self.factor_proofs.insert((used.subject, used.key_fingerprint, method), used.at);
        Ok(true)
    }

    pub(super) fn remove_credential(&mut self, subject: &Subject, name: &FactorName) -> Result<bool, StoreError> {
        let gone = self.credential(subject, name)?.method;
        self.credentials.retain(|known| known.subject != *subject || known.name != *name);
        self.factor_proofs.retain(|(whose, _, method), _| whose != subject || *method != gone);
        Ok(true)
    }

    pub(super) fn credentials_of(&self, subject: &Subject) -> Vec<Credential> {
        let mut own: Vec<Credential> = self.credentials.iter().filter(|known| known.subject == *subject).cloned().collect();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        own
    }

    fn credential(&mut self, subject: &Subject, name: &FactorName) -> Result<&mut Credential, StoreError> {
        let known = self.credentials.iter_mut().find(|known| known.subject == *subject && known.name == *name);
        known.ok_or_else(|| StoreError::Unknown(format!("second factor {name}")))
    }
}
