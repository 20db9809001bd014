//! What the CA last told: the targets, whom to trust, what was revoked.

use dayfly_api::bastion::Inventory as InventoryAnswer;
use dayfly_core::{
    certificate::{Revocations, Verifier},
    name::BastionName,
    signature::fingerprint,
    target::Inventory,
};
use ssh_key::{PublicKey, public::KeyData};
use std::collections::BTreeSet;

/// The checked form of an inventory answer.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    inventory: Inventory,
    user_ca: Vec<KeyData>,
    revocations: Revocations,
}

/// An inventory answer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is meant for another bastion.
    #[error("the CA knows this bastion's key as {found}, and the configuration says {expected}: correct `name`")]
    OtherBastion {
        /// The name in the configuration.
        expected: BastionName,
        /// The name that the CA has.
        found: BastionName,
    },
    /// Its targets cannot stand beside each other.
    #[error("the inventory cannot be used: {0}")]
    Inventory(String),
    /// A user CA key cannot be read.
    #[error("a user CA key cannot be read: {0}")]
    UserCa(ssh_key::Error),
}

impl Snapshot {
    /// Checks an answer that is meant for the bastion of this name.
    pub fn new(bastion: &BastionName, answer: InventoryAnswer) -> Result<Self, SnapshotError> {
        if answer.bastion != *bastion {
            return Err(SnapshotError::OtherBastion { expected: bastion.clone(), found: answer.bastion });
        }
        let inventory = Inventory::new(answer.targets)
            .map_err(|errors| SnapshotError::Inventory(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
        let keys = answer.user_ca.iter().map(|line| PublicKey::from_openssh(line).map(|key| key.key_data().clone()));
        let user_ca = keys.collect::<Result<_, _>>().map_err(SnapshotError::UserCa)?;
        Ok(Self { inventory, user_ca, revocations: answer.revocations })
    }

    /// The targets that this bastion may serve.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// `SHA256:…` of every CA key that is trusted: the user CA's, and those that certify targets.
    pub fn trusted(&self) -> BTreeSet<String> {
        let certifying = self.inventory.iter().flat_map(|target| &target.host_ca);
        let certifying = certifying.filter_map(|line| PublicKey::from_openssh(line).ok()).map(|key| fingerprint(key.key_data()));
        self.user_ca.iter().map(fingerprint).chain(certifying).collect()
    }

    /// Verifies people's certificates.
    pub fn verifier(&self) -> Verifier<'_> {
        Verifier { authorities: &self.user_ca, revocations: &self.revocations }
    }

    /// What was revoked.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }
}
