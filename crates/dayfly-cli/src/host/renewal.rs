//! Everything that keeps a host, in order: ask the CA, compare, write, check, reload, report.

use super::{
    certificate::{Needed, read_keys},
    contents, krl,
    place::Place,
    plan::{Change, File, Plan},
    record::Record,
    sshd::Reload,
    timer::Systemd,
};
use crate::{
    certificate::now,
    error::{Failure, Kind},
};
use dayfly_api::host::{HeldKrl, HostCertificateRenewal, HostReport, HostSetup};
use dayfly_client::{Client, KeySigner, RequestSigner};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use ssh_key::Certificate;
use std::{collections::BTreeSet, os::fd::OwnedFd};

/// A host that is enrolled, and how it is kept.
pub struct Renewal<'a> {
    /// Where its files are.
    pub place: &'a Place,
    /// Its enrolment, as it will be written.
    pub record: Record,
    /// Calls to the CA, signed by the host key.
    pub client: &'a Client,
    /// The host key.
    pub key: &'a KeySigner,
    /// The timer to install with it.
    pub systemd: Option<&'a Systemd>,
}

/// What a renewal came to, or would.
#[derive(Debug)]
pub struct Renewed {
    /// What was changed.
    pub changes: Vec<Change>,
    /// The certificate that is there now; none before the host is enrolled.
    pub certificate: Option<Certificate>,
    /// Whether that is a new one.
    pub is_new_certificate: bool,
    /// The number of the revocation list.
    pub krl_number: u64,
    /// Whether `sshd` was told to read its configuration anew.
    pub reloaded: bool,
}

impl Renewal<'_> {
    /// What would be changed. Nothing is, and the CA certifies nothing.
    pub async fn preview(&mut self, setup: &HostSetup) -> Result<Renewed, Failure> {
        self.record.stale_after_seconds = setup.stale_after_seconds;
        let (list, krl_number) = self.revocation_list().await?;
        let certificate = self.certificate_that_will_do(setup, false)?;
        let line = certificate.as_ref().and_then(|_| self.certificate_line());
        let is_new_certificate = certificate.is_none();
        let plan = self.plan(setup, &list, line.as_deref())?;
        Ok(Renewed { changes: plan.changes().to_vec(), certificate, is_new_certificate, krl_number, reloaded: false })
    }

    /// Puts everything right. With `new_certificate` the CA is asked for one whether the old one will do or not; `given` is one that it just gave.
    pub async fn run(&mut self, setup: &HostSetup, new_certificate: bool, given: Option<String>) -> Result<Renewed, Failure> {
        let _alone = lock(self.place)?;
        let (list, krl_number) = self.revocation_list().await?;
        self.record.stale_after_seconds = setup.stale_after_seconds;
        let kept = match &given {
            Some(_) => None,
            None => self.certificate_that_will_do(setup, new_certificate)?,
        };
        let is_new_certificate = kept.is_none();
        let line = match (given, &kept) {
            (Some(line), _) => line,
            (None, Some(_)) => self.certificate_line().unwrap_or_default(),
            (None, None) => self.client.renew_host(&HostCertificateRenewal { names: self.record.names.clone() }).await?.certificate,
        };
        let certificate = self.with_needed(setup, |needed| needed.check(&line))?;
        let plan = self.plan(setup, &list, Some(&line))?;
        // Whom to trust, whom to let in and what was revoked is read at every login; the drop-in and the certificate are read once.
        let is_read_once = plan.touches(&self.place.drop_in()) || plan.touches(&self.place.certificate());
        let reload = is_read_once && self.record.sshd.reload != Reload::None;
        let drop_in = contents::drop_in(setup, self.place);
        let sshd = &self.record.sshd;
        plan.apply(|| {
            sshd.check()?;
            sshd.obeys(&self.place.drop_in(), &drop_in)?;
            if reload { sshd.reload() } else { Ok(()) }
        })?;
        if let Some(systemd) = self.systemd {
            systemd.start()?;
        }
        if setup.logins.is_some() {
            krl::note_current(self.place)
                .map_err(|error| Failure::new(Kind::Failed, "the revocation list cannot be written").because(error))?;
        }
        self.report(setup, &list, krl_number).await?;
        Ok(Renewed { changes: plan.changes().to_vec(), certificate: Some(certificate), is_new_certificate, krl_number, reloaded: reload })
    }

    async fn report(&self, setup: &HostSetup, list: &[u8], number: u64) -> Result<(), Failure> {
        let krl = setup.logins.as_ref().map(|_| HeldKrl { number, digest: krl::digest(list) });
        self.client.report_host(&HostReport { krl, trusted: contents::trusted(setup)? }).await?;
        Ok(())
    }

    /// In the order in which they are written: what the drop-in names is there before the drop-in is.
    fn plan(&self, setup: &HostSetup, list: &[u8], certificate: Option<&str>) -> Result<Plan, Failure> {
        let mut files = Vec::new();
        if setup.logins.is_some() {
            files.push(File::public(self.place.revoked_keys(), list));
        }
        files.extend(contents::files(setup, self.place)?);
        files.push(File::public(self.place.record(), self.record.text()?));
        files.extend(certificate.map(|line| File::public(self.place.certificate(), format!("{}\n", line.trim_end()))));
        if let Some(systemd) = self.systemd {
            files.extend(systemd.units(self.place)?);
        }
        files.push(File::public(self.place.drop_in(), contents::drop_in(setup, self.place)));
        Plan::new(files, &[self.place.principals()])
    }

    /// The list that the CA serves, and its number.
    async fn revocation_list(&self) -> Result<(Vec<u8>, u64), Failure> {
        let list = self.client.krl().await?;
        let held = std::fs::read(self.place.revoked_keys()).ok();
        let number = krl::check(&list, held.as_deref())?;
        Ok((list, number))
    }

    fn certificate_that_will_do(&self, setup: &HostSetup, none_will: bool) -> Result<Option<Certificate>, Failure> {
        let line = self.certificate_line().filter(|_| !none_will);
        line.map_or(Ok(None), |line| self.with_needed(setup, |needed| Ok(needed.still_good(&line, now()))))
    }

    fn certificate_line(&self) -> Option<String> {
        std::fs::read_to_string(self.place.certificate()).ok()
    }

    fn with_needed<T>(&self, setup: &HostSetup, ask: impl FnOnce(Needed<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let names: &BTreeSet<_> = self.record.names.as_ref().unwrap_or(&setup.names);
        let host_ca = read_keys(&setup.host_ca)?;
        ask(Needed { key: RequestSigner::public_key(self.key), names, host_ca: &host_ca })
    }
}

/// One at a time: the timer and a person might both be at it. Held until it is dropped.
fn lock(place: &Place) -> Result<OwnedFd, Failure> {
    let failed = |error: rustix::io::Errno| {
        Failure::new(Kind::Failed, format!("{} cannot be worked on", place.directory().display()))
            .because(error)
            .remedy("run as root; name the directory of sshd's configuration with --sshd-config-dir DIR")
    };
    let directory = open(place.directory(), OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    flock(&directory, FlockOperation::LockExclusive).map_err(failed)?;
    Ok(directory)
}
