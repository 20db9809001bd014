//! What the bastion shows of itself: its host key, with a certificate of the CA that is renewed in time.

use crate::{authority::Authority, files, serving::server_config};
use dayfly_core::{certificate::Revocations, clock::Clock};
use russh::server::Config;
use ssh_key::{Certificate, PrivateKey, public::KeyData};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

/// The host key and its certificate.
pub struct HostIdentity {
    authority: Arc<dyn Authority>,
    clock: Arc<dyn Clock>,
    key: PrivateKey,
    cache: PathBuf,
    shown: watch::Sender<Shown>,
}

/// What connections to come will see.
#[derive(Clone)]
struct Shown {
    config: Arc<Config>,
    after: u64,
    before: u64,
    signed_by: KeyData,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
#[error("there is no host certificate, and nobody's ssh would accept the bastion without one: {0}")]
pub struct NoHostCertificate(String);

impl HostIdentity {
    /// Begins with a certificate of the CA, or with the one in `state` if that is still good.
    pub async fn begin(
        authority: Arc<dyn Authority>,
        clock: Arc<dyn Clock>,
        key: PrivateKey,
        state: &Path,
    ) -> Result<Self, NoHostCertificate> {
        let cache = state.join("host_key-cert.pub");
        let shown = match authority.host_certificate(&key).await {
            Ok(certificate) => {
                keep(&cache, &certificate);
                show(&key, certificate)
            }
            Err(error) => match cached(&cache, &key, clock.unix_seconds()) {
                Some(certificate) => show(&key, certificate),
                None => return Err(NoHostCertificate(error.to_string())),
            },
        };
        Ok(Self { authority, clock, key, cache, shown: watch::Sender::new(shown) })
    }

    /// The SSH configuration for a connection that comes now.
    pub fn current(&self) -> CurrentIdentity {
        CurrentIdentity(self.shown.subscribe())
    }

    /// Asks for a new certificate once less than a third of the old one's life is left, or the key that signed it was revoked.
    pub async fn renew_if_due(&self, revocations: &Revocations) {
        let (after, before, is_revoked) = {
            let shown = self.shown.borrow();
            (shown.after, shown.before, revocations.cover_key(&shown.signed_by))
        };
        let left = before.saturating_sub(self.clock.unix_seconds());
        if left > before.saturating_sub(after) / 3 && !is_revoked {
            return;
        }
        match self.authority.host_certificate(&self.key).await {
            Ok(certificate) => {
                keep(&self.cache, &certificate);
                self.shown.send_replace(show(&self.key, certificate));
                tracing::info!("the host certificate was renewed");
            }
            Err(error) => tracing::warn!(%error, left, "the host certificate cannot be renewed; seconds left"),
        }
    }
}

/// What connections to come will see, now and later.
#[derive(Clone)]
pub struct CurrentIdentity(watch::Receiver<Shown>);

impl CurrentIdentity {
    /// The SSH configuration for a connection that comes now.
    pub fn config(&self) -> Arc<Config> {
        self.0.borrow().config.clone()
    }
}

fn show(key: &PrivateKey, certificate: Certificate) -> Shown {
    let (after, before) = (certificate.valid_after(), certificate.valid_before());
    let signed_by = certificate.signature_key().clone();
    Shown { config: Arc::new(server_config(key.clone(), Some(certificate))), after, before, signed_by }
}

fn keep(cache: &Path, certificate: &Certificate) {
    let line = certificate.to_openssh().map_err(io::Error::other);
    if let Err(error) = line.and_then(|line| files::write_private(cache, line.as_bytes())) {
        tracing::warn!(%error, "the host certificate cannot be kept for when the CA is away");
    }
}

fn cached(cache: &Path, key: &PrivateKey, now: u64) -> Option<Certificate> {
    let certificate = dayfly_core::certificate::parse(&std::fs::read_to_string(cache).ok()?).ok()?;
    (certificate.public_key() == key.public_key().key_data() && now < certificate.valid_before()).then_some(certificate)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::authority::double::{self, AuthorityDouble};
    use dayfly_core::{certificate::Revoked, clock::FixedClock, signature::fingerprint, signer::Signer};
    use std::sync::atomic::Ordering;

    #[tokio::test]
    async fn a_certificate_is_kept_for_a_start_without_the_ca_and_renewed_before_its_end() {
        let state = tempfile::tempdir().unwrap();
        let ca = Arc::new(AuthorityDouble::new(Vec::new()));
        let clock = Arc::new(FixedClock::at(i64::try_from(double::unix_now()).unwrap()));
        let key = double::fresh_key();
        let begin = async || HostIdentity::begin(ca.clone(), clock.clone(), key.clone(), state.path()).await;
        ca.away.store(true, Ordering::SeqCst);
        assert!(begin().await.is_err());
        ca.away.store(false, Ordering::SeqCst);
        begin().await.unwrap();
        ca.away.store(true, Ordering::SeqCst);
        let identity = begin().await.unwrap();
        let first = identity.current().config().certificates[0].serial();
        ca.away.store(false, Ordering::SeqCst);
        identity.renew_if_due(&Revocations::default()).await;
        assert_eq!(identity.current().config().certificates[0].serial(), first);
        let mut revocations = Revocations::default();
        revocations.add(&Revoked::Ca(fingerprint(ca.host_ca.public_key())), 0);
        identity.renew_if_due(&revocations).await;
        let second = identity.current().config().certificates[0].serial();
        assert_ne!(second, first, "the key that signed it was revoked");
        clock.advance(60_000);
        identity.renew_if_due(&Revocations::default()).await;
        assert_ne!(identity.current().config().certificates[0].serial(), second);
    }
}
