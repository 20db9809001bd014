//! What a bastion is told: the targets that it may serve, whom to trust, and what was revoked.

use crate::{
    authority::Authority,
    failure::Failure,
    store::Bastion,
    trust::{ca_keys, targets},
};
use dayfly_api::bastion::Inventory;
use dayfly_core::{rotation::Purpose, target::Target};

/// The inventory of this bastion now. The same state gives the same value.
pub async fn inventory(authority: &Authority, bastion: &Bastion) -> Result<Inventory, Failure> {
    let revocations = authority.revocations.current().await?.as_ref().clone();
    let book = authority.rules.load_full();
    let is_served = |target: &Target| bastion.targets.iter().any(|scope| target.is_within(scope));
    Ok(Inventory {
        bastion: bastion.name.clone(),
        targets: targets(authority, &book.inventory, is_served).await?,
        user_ca: ca_keys(authority, Purpose::User).await?,
        revocations,
    })
}
