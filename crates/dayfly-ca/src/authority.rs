//! What every pipeline works with: the CA's name, keys, store, clock and rules.

use crate::{
    config::{HostRules, RotationRules, RuleBook},
    device::Devices,
    failure::Failure,
    inventory::Sources,
    revocations::CurrentRevocations,
    signer::Keyring,
    store::{Change, Store, StoreError},
    trust::LatestList,
};
use arc_swap::ArcSwap;
use dayfly_core::{
    address::Network,
    audit::{AuditEvent, Event, Outcome, Reporter},
    certificate::{RevokedBy, SignedCertificate, UnsignedCertificate},
    clock::Clock,
    context::Context,
    policy::Rules,
    reason::Refusal,
    role::{Role, SourceAddress},
    signature::fingerprint,
    signer::Signer,
};
use ssh_key::public::KeyData;
use std::{net::IpAddr, sync::Arc};
use tokio::task::JoinError;

/// The largest serial: what every JSON reader holds exactly.
const LARGEST_SERIAL: u64 = (1 << 53) - 1;

/// What every pipeline works with.
pub struct Authority {
    /// The CA's origin as callers write it, `https://host[:port]`. Whatever is signed for the CA is bound to it.
    pub origin: String,
    /// Its keys.
    pub keyring: Keyring,
    /// What it remembers, and the log.
    pub store: Arc<dyn Store>,
    /// What it knows of devices.
    pub devices: Arc<Devices>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is asked of hosts.
    pub hosts: HostRules,
    /// How keys give way to others.
    pub rotation: RotationRules,
    /// What is revoked now.
    pub revocations: Arc<CurrentRevocations>,
    /// The key revocation list that was made last.
    pub latest_list: LatestList,
    /// Who may have what, where. Replaced as a whole when the configuration is read anew, and when a source of the inventory says something else.
    pub rules: ArcSwap<RuleBook>,
    /// What the rules are composed of.
    pub sources: Sources,
}

impl Authority {
    /// An event that the CA itself reports, now.
    pub fn event(&self, event: Event, outcome: Outcome) -> AuditEvent {
        AuditEvent::new(self.clock.now(), event, outcome, Reporter::Ca)
    }

    /// A refusal that the CA itself reports, now.
    pub fn refused(&self, event: Event, refusal: &Refusal) -> AuditEvent {
        AuditEvent::refused(self.clock.now(), event, Reporter::Ca, refusal)
    }

    /// What is known of `source` now, for a decision.
    pub fn context(&self, source: IpAddr) -> Context {
        self.rules.load().context(self.clock.now(), source)
    }

    /// Signs, and tells the log if that fails. `about` adds what the certificate was for.
    pub(crate) async fn sign_or_log(
        &self,
        unsigned: UnsignedCertificate,
        signer: &Arc<dyn Signer>,
        about: impl FnOnce(AuditEvent) -> AuditEvent,
    ) -> Result<SignedCertificate, Failure> {
        let serial = unsigned.serial();
        match sign(self, unsigned, signer).await {
            Err(failure @ (Failure::Mint(_) | Failure::Internal(_))) => {
                let event = self.event(Event::CertificateFailed, Outcome::Failed).serial(serial).detail(&failure.to_string());
                self.store.commit(Change::None, about(event)).await?;
                Err(failure)
            }
            answer => answer,
        }
    }

    /// Refuses a key that was revoked.
    pub async fn check_key(&self, key: &KeyData) -> Result<(), Failure> {
        if self.revocations.current().await?.cover_key(key) {
            return Err(Failure::Refused(RevokedBy::Key(fingerprint(key)).refusal()));
        }
        Ok(())
    }

    /// The addresses that the bastions dial from, asked for only where `role` binds its certificates to them.
    pub async fn bastion_networks(&self, role: Option<&Role>) -> Result<Vec<Network>, StoreError> {
        if !role.is_some_and(|role| role.source_address.contains(&SourceAddress::Bastion)) {
            return Ok(Vec::new());
        }
        let bastions = self.store.bastions().await?;
        Ok(bastions.into_iter().filter(|bastion| !bastion.disabled).flat_map(|bastion| bastion.dials_from).collect())
    }
}

/// The rule book as a decision takes it.
pub(crate) fn rules<'a>(book: &'a RuleBook, bastion_networks: &'a [Network]) -> Rules<'a> {
    Rules { policy: &book.policy, roles: &book.roles, inventory: &book.inventory, bastion_networks }
}

/// A serial that nobody can foresee. Whether it is new the store tells.
pub(crate) fn random_serial() -> u64 {
    rand::random_range(1..=LARGEST_SERIAL)
}

/// A certificate's nonce.
pub(crate) fn random_nonce() -> [u8; 32] {
    rand::random()
}

/// Signs, and verifies what came back. A key that was revoked is not asked at all.
pub(crate) async fn sign(
    authority: &Authority,
    unsigned: UnsignedCertificate,
    signer: &Arc<dyn Signer>,
) -> Result<SignedCertificate, Failure> {
    let key = signer.public_key();
    if authority.revocations.current().await?.cover_key(key) {
        return Err(Failure::Refused(RevokedBy::Authority(fingerprint(key)).refusal()));
    }
    Ok(with_signer(signer, move |signer| unsigned.sign(signer)).await??)
}

/// Does what needs a key. One that takes its time is asked on a thread where nobody else waits.
pub(crate) async fn with_signer<T: Send + 'static>(
    signer: &Arc<dyn Signer>,
    work: impl FnOnce(&dyn Signer) -> T + Send + 'static,
) -> Result<T, JoinError> {
    if signer.is_quick() {
        return Ok(work(signer.as_ref()));
    }
    let signer = Arc::clone(signer);
    tokio::task::spawn_blocking(move || work(signer.as_ref())).await
}
