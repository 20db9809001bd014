//! What a bastion is told: the targets that it may serve, whom to trust, and what was revoked.

use crate::{authority::Authority, failure::Failure, store::Bastion};
use dayfly_api::bastion::Inventory;
use ssh_key::PublicKey;

/// The inventory of this bastion now. The same state gives the same value.
pub async fn inventory(authority: &Authority, bastion: &Bastion) -> Result<Inventory, Failure> {
    let revocations = authority.revocations.current().await?.as_ref().clone();
    let user_ca = PublicKey::from(authority.keyring.user_ca.public_key().clone());
    let user_ca = user_ca.to_openssh().map_err(|error| Failure::Internal(error.to_string()))?;
    let book = authority.rules.load();
    let is_served = |target: &&dayfly_core::target::Target| bastion.targets.iter().any(|scope| target.is_within(scope));
    Ok(Inventory {
        bastion: bastion.name.clone(),
        targets: book.inventory.iter().filter(is_served).cloned().collect(),
        user_ca: vec![user_ca],
        revocations,
    })
}
