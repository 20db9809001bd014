//! What changed at the CA: targets, trust and revocations, fetched again and again; and certificates that want renewing.

use crate::{
    authority::{Authority, AuthorityError, Snapshot, cache::InventoryCache},
    bastion::Bastion,
    host_identity::HostIdentity,
};
use dayfly_api::bastion::Inventory;
use dayfly_core::{name::BastionName, target::Mode};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

/// How often certificates are looked at.
const CERTIFICATES: Duration = Duration::from_secs(60);

/// How often the CA is told what it was told before.
const TELL_AGAIN: Duration = Duration::from_secs(10 * 60);

/// Keeps the snapshot fresh.
pub struct InventoryWatch {
    authority: Arc<dyn Authority>,
    name: BastionName,
    cache: InventoryCache,
    snapshot: watch::Sender<Arc<Snapshot>>,
    last: Inventory,
    freshness: Freshness,
    /// The keys that the CA knows to be trusted here.
    told: Option<BTreeSet<String>>,
}

/// When the CA last told what may be served. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Freshness(Arc<Mutex<Option<Instant>>>);

impl Freshness {
    /// How long ago; none if it has not since the start.
    pub fn age(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|answered| answered.elapsed())
    }

    /// It did so now.
    pub fn answered(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Why there is no inventory to begin with.
#[derive(Debug, thiserror::Error)]
pub enum NoInventory {
    /// The CA cannot be asked, and nothing is cached.
    #[error("{0}; and there is no inventory from earlier to go on with")]
    Unavailable(AuthorityError),
    /// What the CA or the cache says cannot be used.
    #[error(transparent)]
    Unusable(#[from] crate::authority::SnapshotError),
}

impl InventoryWatch {
    /// Begins with the CA's answer, or with the last one if the CA is away.
    pub async fn begin(authority: Arc<dyn Authority>, name: BastionName, cache: InventoryCache) -> Result<Self, NoInventory> {
        let freshness = Freshness::default();
        let last = match authority.inventory().await {
            Ok(inventory) => {
                freshness.answered();
                inventory
            }
            Err(error) => match cache.load() {
                Ok(Some(inventory)) => {
                    tracing::warn!(%error, "starting with the inventory of earlier: no session starts until the CA can be asked");
                    inventory
                }
                Ok(None) => return Err(NoInventory::Unavailable(error)),
                Err(unreadable) => {
                    tracing::warn!(%unreadable, "the cached inventory cannot be read");
                    return Err(NoInventory::Unavailable(error));
                }
            },
        };
        let snapshot = Snapshot::new(&name, last.clone())?;
        let watch = Self { authority, name, cache, snapshot: watch::Sender::new(Arc::new(snapshot)), last, freshness, told: None };
        watch.keep();
        Ok(watch)
    }

    /// What the CA last told, for as long as this runs.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// When the CA last answered, for as long as this runs.
    pub fn freshness(&self) -> Freshness {
        self.freshness.clone()
    }

    /// Asks again every `interval`, and whenever `now` is notified, for ever.
    pub async fn run(mut self, interval: Duration, now: Arc<Notify>) {
        let mut is_away = false;
        let mut last_told = Instant::now();
        self.tell().await;
        loop {
            let _ = tokio::time::timeout(interval, now.notified()).await;
            match self.refresh().await {
                Ok(()) if std::mem::take(&mut is_away) => tracing::info!("the CA answers again"),
                Ok(()) => {}
                Err(error) if !std::mem::replace(&mut is_away, true) => {
                    tracing::warn!(error, "targets and revocations cannot be refreshed")
                }
                Err(_) => {}
            }
            // Now and then once more: the CA may have been set back to what it knew yesterday.
            if last_told.elapsed() >= TELL_AGAIN {
                (self.told, last_told) = (None, Instant::now());
            }
            self.tell().await;
        }
    }

    /// Tells the CA which keys are trusted here, once what it last told is in force: a key of which every bastion has said so may sign.
    async fn tell(&mut self) {
        let trusted = self.snapshot.borrow().trusted();
        if self.told.as_ref() == Some(&trusted) {
            return;
        }
        match self.authority.report_trust(&trusted).await {
            Ok(()) => self.told = Some(trusted),
            // It is told again with the next refresh.
            Err(error) => tracing::warn!(%error, "the CA could not be told which keys are trusted here: a rotation of them waits for that"),
        }
    }

    /// Takes over what changed. What cannot be used changes nothing.
    async fn refresh(&mut self) -> Result<(), String> {
        let inventory = self.authority.inventory().await.map_err(|error| error.to_string())?;
        if inventory == self.last {
            self.freshness.answered();
            return Ok(());
        }
        let snapshot = Snapshot::new(&self.name, inventory.clone()).map_err(|error| error.to_string())?;
        self.freshness.answered();
        self.last = inventory;
        self.keep();
        self.snapshot.send_replace(Arc::new(snapshot));
        tracing::info!(targets = self.last.targets.len(), "the inventory changed");
        Ok(())
    }

    fn keep(&self) {
        if let Err(error) = self.cache.store(&self.last) {
            tracing::warn!(%error, "the inventory cannot be kept for when the CA is away");
        }
    }
}

/// Renews the bastion's own certificate and those that answer for targets, in time, for ever.
pub async fn renew_certificates(bastion: Arc<Bastion>, host: HostIdentity) {
    let mut snapshot = bastion.snapshot.clone();
    loop {
        let current = snapshot.borrow_and_update().clone();
        host.renew_if_due(current.revocations()).await;
        bastion.inner_hosts.forget_revoked(current.revocations());
        let recorded: Vec<_> =
            current.inventory().iter().filter(|target| target.mode == Mode::Record).map(|target| target.name.clone()).collect();
        for target in recorded {
            // What fails is traced where it fails, and tried again by whoever wants to log in.
            let _ = bastion.inner_hosts.config(&target).await;
        }
        tokio::select! {
            () = tokio::time::sleep(CERTIFICATES) => {}
            changed = snapshot.changed() => if changed.is_err() { return },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::authority::double::AuthorityDouble;
    use dayfly_core::{signature::fingerprint, signer::Signer};
    use std::sync::atomic::Ordering;

    async fn begin(ca: &Arc<AuthorityDouble>, state: &std::path::Path) -> Result<InventoryWatch, NoInventory> {
        InventoryWatch::begin(ca.clone(), ca.bastion.clone(), InventoryCache::new(state)).await
    }

    #[tokio::test]
    async fn a_bastion_goes_on_with_the_last_inventory_while_the_ca_is_away() {
        let state = tempfile::tempdir().unwrap();
        let ca = Arc::new(AuthorityDouble::new(Vec::new()));
        ca.away.store(true, Ordering::SeqCst);
        assert!(matches!(begin(&ca, state.path()).await, Err(NoInventory::Unavailable(_))));
        ca.away.store(false, Ordering::SeqCst);
        begin(&ca, state.path()).await.unwrap();
        ca.away.store(true, Ordering::SeqCst);
        let mut watch = begin(&ca, state.path()).await.unwrap();
        assert!(watch.refresh().await.is_err());
        assert_eq!(watch.freshness().age(), None, "what was kept says nothing of now");
        ca.away.store(false, Ordering::SeqCst);
        watch.refresh().await.unwrap();
        assert!(watch.freshness().age().is_some());
    }

    #[tokio::test]
    async fn the_ca_is_told_which_keys_are_trusted_as_soon_as_it_can_be() {
        let state = tempfile::tempdir().unwrap();
        let ca = Arc::new(AuthorityDouble::new(Vec::new()));
        let mut watch = begin(&ca, state.path()).await.unwrap();
        ca.away.store(true, Ordering::SeqCst);
        watch.tell().await;
        assert_eq!(*ca.trusted.lock().unwrap(), None);
        ca.away.store(false, Ordering::SeqCst);
        watch.tell().await;
        assert_eq!(ca.trusted.lock().unwrap().take(), Some(BTreeSet::from([fingerprint(ca.user_ca.public_key())])));
        // The same again is not told.
        watch.tell().await;
        assert_eq!(*ca.trusted.lock().unwrap(), None);
    }

    #[tokio::test]
    async fn an_inventory_for_another_bastion_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let ca = Arc::new(AuthorityDouble::new(Vec::new()));
        let other = InventoryWatch::begin(ca, "other".parse().unwrap(), InventoryCache::new(state.path())).await;
        assert!(matches!(other, Err(NoInventory::Unusable(_))));
    }
}
