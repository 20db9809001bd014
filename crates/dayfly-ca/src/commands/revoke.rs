//! `dayfly-ca revoke`: take back what was issued before it expires.

use super::{event, open_store, told_with_remedy, wait};
use crate::{
    config,
    revoke::{self, Prepared},
    signer::Keyring,
    signer::secrets::Secrets,
    store::{Certificate, Revocation, Store},
};
use anyhow::Context;
use clap::{Args, ValueEnum};
use dayfly_core::{audit::Event, certificate::Revoked, rotation::Purpose, signature::fingerprint};
use serde::Serialize;
use std::{io::Write, path::Path, str::FromStr};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What `revoke --help` ends with.
pub const NOTES: &str = "\
What each covers:
  serial   one certificate, a person's, a session's or a host's
  key-id   certificates with this very key id
  person   every certificate of theirs, and no new ones: until --until, or for good
  key      SHA256:… of a key: every certificate of it, every one that a request which it signed led to, and every further request
  role     certificates that were issued under the role until now. Future ones are not: change the role or the policy for that
  grant    the one certificate that the grant led to
  ca       SHA256:… of a CA's key, or user, session, host or inner-host: all that it signed, and it signs no more

A session ends, and its certificate is revoked, with the certificate that it was opened by. Bastions hear of it at once, hosts when they next fetch the
key revocation list (/v1/trust/krl). What has expired leaves the list by itself. A revocation is never taken back: get a new certificate instead.

Exit codes:
  0  done
  1  failed; the text on standard error tells the cause and the next step
  2  the command line is wrong
  3  the configuration, or a file that it names, is wrong";

/// What to revoke.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Of which kind
    kind: Kind,
    /// Which one
    value: String,
    /// Why, for the log and for whoever lists revocations
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// When it ends by itself: a time (2026-01-02T03:04:05Z) or a duration from now (8h). Default: when nothing that it covers can be alive any more
    #[arg(long, value_name = "TIME")]
    until: Option<Until>,
    /// Tell what would be revoked, and revoke nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON, an object
    #[arg(long)]
    json: bool,
}

/// What can be revoked.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Serial,
    KeyId,
    Person,
    Key,
    Role,
    Grant,
    Ca,
}

/// The end of a revocation.
#[derive(Debug, Clone, Copy)]
enum Until {
    Time(u64),
    FromNow(u64),
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
            return u64::try_from(time.unix_timestamp()).map(Self::Time).map_err(|_| "that time has long passed".to_owned());
        }
        let duration = humantime::parse_duration(text).map_err(|error| format!("write 2026-01-02T03:04:05Z or 8h ({error})"))?;
        Ok(Self::FromNow(duration.as_secs()))
    }
}

impl Revoke {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let store = open_store(config)?;
        let about = event(Event::Revoked);
        let now = u64::try_from(about.time.unix_timestamp()).context("this host's clock is set before 1970: correct it")?;
        let ends_at = self.until.map(|until| match until {
            Until::Time(time) => time,
            Until::FromNow(seconds) => now.saturating_add(seconds),
        });
        let by = format!("uid {}", rustix::process::getuid().as_raw());
        let revocation = Revocation { revoked: self.revoked(config)?, at: now, by, reason: self.reason.clone(), ends_at };
        let prepared = wait(revoke::prepare(&store, revocation))?.map_err(told_with_remedy)?;
        let told = self.told(&prepared)?;
        if !self.dry_run {
            wait(revoke::revoke(&store, prepared, about))??;
        }
        Ok(writeln!(out, "{told}")?)
    }

    fn revoked(&self, config: &Path) -> anyhow::Result<Revoked> {
        let kind = self.kind.to_possible_value().context("every kind has a name")?;
        if let (Kind::Ca, Ok(purpose)) = (self.kind, self.value.parse::<Purpose>()) {
            return Ok(Revoked::Ca(ca_fingerprint(config, purpose)?));
        }
        Ok(Revoked::parse(kind.get_name(), &self.value)?)
    }

    fn told(&self, prepared: &Prepared) -> anyhow::Result<String> {
        let Prepared { revocation, alive } = prepared;
        if self.json {
            let certificates = alive.iter().map(Covered::from).collect();
            let revocation = super::revocations::Listed::from(revocation);
            return Ok(serde_json::to_string_pretty(&Told { dry_run: self.dry_run, revocation, certificates })?);
        }
        let (kind, value, until) = (revocation.revoked.kind(), revocation.revoked.value(), revoke::until(revocation.ends_at));
        let verb = if self.dry_run { "would be" } else { "is" };
        let mut lines = vec![format!("{kind} {value} {verb} revoked, until: {until}. Certificates that are alive: {}", alive.len())];
        lines.extend(alive.iter().map(|certificate| {
            let role = certificate.role.as_ref().map_or("?", |role| role.as_str());
            format!("  {}  {}  role: {role}  ends: {}", certificate.serial, certificate.subject, revoke::until(Some(certificate.ends_at)))
        }));
        Ok(lines.join("\n"))
    }
}

fn ca_fingerprint(config: &Path, purpose: Purpose) -> anyhow::Result<String> {
    let examined = config::examine(config);
    let Some(settings) = examined.settings else { return Err(examined.mistakes.into()) };
    let rotations = wait(open_store(config)?.rotations())??;
    let keyring = Keyring::load(&settings.keys, &Secrets::of_this_process(), &rotations)?;
    Ok(fingerprint(keyring.signer(purpose).public_key()))
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    dry_run: bool,
    revocation: super::revocations::Listed,
    certificates: Vec<Covered<'a>>,
}

#[derive(Serialize)]
struct Covered<'a> {
    serial: u64,
    subject: String,
    role: Option<&'a str>,
    grant: Option<String>,
    ends_at: String,
}

impl<'a> From<&'a Certificate> for Covered<'a> {
    fn from(certificate: &'a Certificate) -> Self {
        Self {
            serial: certificate.serial,
            subject: certificate.subject.to_string(),
            role: certificate.role.as_ref().map(|role| role.as_str()),
            grant: certificate.grant.map(|grant| grant.to_string()),
            ends_at: revoke::until(Some(certificate.ends_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_duration() {
        assert!(matches!("2026-01-02T03:04:05Z".parse(), Ok(Until::Time(1_767_323_045))));
        assert!(matches!("8h".parse(), Ok(Until::FromNow(28_800))));
        for bad in ["", "tomorrow", "2026-01-02", "1960-01-01T00:00:00Z"] {
            assert!(bad.parse::<Until>().is_err(), "{bad}");
        }
    }
}
