//! The keys and certificates that answer for recorded targets: one key and one name each, kept on disk, renewed well before their end.

use crate::{
    authority::{Authority, AuthorityError},
    files,
    serving::server_config,
};
use dayfly_core::{
    certificate::Revocations,
    clock::Clock,
    name::TargetName,
    reason::{Reason, Refusal},
};
use russh::server::Config;
use ssh_key::{Certificate, PrivateKey, public::KeyData};
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A certificate is renewed when less than this is left of it, in seconds. It lives a day, so the CA may be away for hours.
const RENEW_BEFORE_END: u64 = 8 * 60 * 60;

/// Answers for targets.
pub struct InnerHosts {
    authority: Arc<dyn Authority>,
    clock: Arc<dyn Clock>,
    directory: PathBuf,
    hosts: Mutex<HashMap<TargetName, Arc<tokio::sync::Mutex<Option<Host>>>>>,
}

/// What answers for one target.
struct Host {
    config: Arc<Config>,
    ends_at: u64,
    signed_by: KeyData,
}

impl InnerHosts {
    /// Keeps keys and certificates in `directory`.
    pub fn new(authority: Arc<dyn Authority>, clock: Arc<dyn Clock>, directory: PathBuf) -> Self {
        Self { authority, clock, directory, hosts: Mutex::default() }
    }

    /// What answers for `target`. Asks the CA if there is nothing to answer with, or soon will not be.
    pub async fn config(&self, target: &TargetName) -> Result<Arc<Config>, Refusal> {
        let slot = self.hosts.lock().unwrap_or_else(PoisonError::into_inner).entry(target.clone()).or_default().clone();
        let mut slot = slot.lock().await;
        let now = self.clock.unix_seconds();
        if slot.is_none() {
            *slot = self.load(target, now);
        }
        match &*slot {
            Some(host) if now + RENEW_BEFORE_END < host.ends_at => return Ok(host.config.clone()),
            _ => {}
        }
        match self.renew(target).await {
            Ok(host) => Ok(slot.insert(host).config.clone()),
            Err(refusal) => match &*slot {
                // Still good for a while: the CA may come back in time.
                Some(host) if now < host.ends_at => Ok(host.config.clone()),
                _ => Err(refusal),
            },
        }
    }

    /// Has what a revoked key signed made anew when it is next asked for.
    pub fn forget_revoked(&self, revocations: &Revocations) {
        for slot in self.hosts.lock().unwrap_or_else(PoisonError::into_inner).values() {
            // Whoever holds it is renewing it just now.
            let Ok(mut slot) = slot.try_lock() else { continue };
            if let Some(host) = slot.as_mut().filter(|host| revocations.cover_key(&host.signed_by)) {
                host.ends_at = 0;
            }
        }
    }

    async fn renew(&self, target: &TargetName) -> Result<Host, Refusal> {
        let path = self.directory.join(target.as_str());
        // The target's own key, and never another target's: a key carries one name.
        let key = files::read_or_make_private_key(&path).map_err(|error| {
            tracing::error!(%target, %error, "the key that answers for a target cannot be kept");
            Refusal::new(Reason::TargetUnavailable, format!("the bastion cannot answer for {target} now"), "tell whoever runs the bastion")
        })?;
        let certificate = self.authority.inner_host_certificate(target, &key).await.map_err(|error| {
            tracing::warn!(%target, %error, "no certificate to answer for a target with");
            match error {
                AuthorityError::Refused(refusal) => refusal,
                unavailable @ AuthorityError::Unavailable { .. } => unavailable.refusal(),
            }
        })?;
        if let Err(error) = self.keep(target, &certificate) {
            tracing::warn!(%target, %error, "the certificate that answers for a target cannot be kept");
        }
        Ok(host(key, certificate))
    }

    fn load(&self, target: &TargetName, now: u64) -> Option<Host> {
        let certificate = std::fs::read_to_string(certificate_path(&self.directory, target)).ok()?;
        let certificate = dayfly_core::certificate::parse(&certificate).ok()?;
        let key = files::read_private_key(&self.directory.join(target.as_str())).ok()?;
        let is_good = certificate.public_key() == key.public_key().key_data()
            && certificate.valid_principals() == [target.to_string()]
            && now < certificate.valid_before();
        is_good.then(|| host(key, certificate))
    }

    fn keep(&self, target: &TargetName, certificate: &Certificate) -> io::Result<()> {
        let line = certificate.to_openssh().map_err(io::Error::other)?;
        files::write_private(&certificate_path(&self.directory, target), line.as_bytes())
    }
}

fn certificate_path(directory: &Path, target: &TargetName) -> PathBuf {
    directory.join(format!("{target}-cert.pub"))
}

fn host(key: PrivateKey, certificate: Certificate) -> Host {
    let (ends_at, signed_by) = (certificate.valid_before(), certificate.signature_key().clone());
    Host { config: Arc::new(server_config(key, Some(certificate))), ends_at, signed_by }
}
