//! `dayfly-ca device`: list, approve and disable people's devices.

use super::{event, open_store, wait};
use crate::{
    device::known,
    store::{Change, Store, device::DeviceRecord},
};
use anyhow::bail;
use clap::{Args, Subcommand};
use dayfly_api::device::{DeviceState, KnownDevice};
use dayfly_core::{
    audit::{AuditEvent, Event},
    device::Posture,
    name::DeviceId,
};
use serde::Serialize;
use std::{io::Write, path::Path, time::Duration};
use time::OffsetDateTime;

/// What to do with devices.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List all devices: whose, how far, when last seen, and what they report of themselves
    List(List),
    /// Approve a device that waits. Its owner tells its key: dayfly device list
    Approve(Approve),
    /// End a device's enrolment: policies that ask for an enrolled device say no from now on. Its id stays taken
    Disable(Named),
}

/// How to list.
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON, an array
    #[arg(long)]
    json: bool,
    /// Only those that wait for approval
    #[arg(long)]
    waiting: bool,
}

/// Which device to approve.
#[derive(Debug, Args)]
pub struct Approve {
    /// Its id, as `dayfly-ca device list` shows it
    id: DeviceId,
    /// The key that its owner sees. A device with another key is refused, whatever it is called
    #[arg(long, value_name = "SHA256:…")]
    key: Option<String>,
}

/// Which device.
#[derive(Debug, Args)]
pub struct Named {
    /// Its id, as `dayfly-ca device list` shows it
    id: DeviceId,
}

/// A device as `--json` prints it. Times are Unix seconds.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    known: KnownDevice,
    approved_at: Option<u64>,
    self_reported: &'a Posture,
}

impl Device {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run(config, out),
            Self::Approve(asked) => approve(&asked.id, asked.key.as_deref(), config, out),
            Self::Disable(named) => disable(&named.id, config, out),
        }
    }
}

impl List {
    fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let devices = wait(open_store(config)?.devices())??;
        let listed = devices
            .iter()
            .map(|record| Listed { known: known(record), approved_at: record.approved_at, self_reported: &record.posture })
            .filter(|listed| !self.waiting || listed.known.state == DeviceState::Waiting);
        let listed: Vec<Listed<'_>> = listed.collect();
        if self.json {
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&listed)?)?);
        }
        let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
        Ok(listed.iter().try_for_each(|listed| writeln!(out, "{}", listed.told(now)))?)
    }
}

impl Listed<'_> {
    fn told(&self, now: u64) -> String {
        let KnownDevice { id, owner, key, state, seen_at, .. } = &self.known;
        let ago = humantime::format_duration(Duration::from_secs(now.saturating_sub(*seen_at)));
        let told = |told: Option<bool>| told.map_or("not told", |told| if told { "yes" } else { "no" });
        let posture = self.self_reported;
        let os = posture.os.as_deref().unwrap_or("not told");
        let version = posture.os_version.map(|version| format!(" {version}")).unwrap_or_default();
        format!(
            "{id}  {}  owner: {owner}  {key}  seen: {ago} ago  says of itself: os {os}{version}, disk encrypted: {}, screen locks: {}, firewall: {}",
            state.as_str(),
            told(posture.disk_encrypted),
            told(posture.screen_lock),
            told(posture.firewall),
        )
    }
}

fn approve(id: &DeviceId, key: Option<&str>, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = open_store(config)?;
    let record = find(&store, id)?;
    if key.is_some_and(|key| key != record.key_fingerprint) {
        bail!(
            "{id} of {} has another key, {}: somebody else took the name; have its owner enrol it under another",
            record.owner,
            record.key_fingerprint
        );
    }
    match known(&record).state {
        DeviceState::Enrolled => return Ok(writeln!(out, "{id} is enrolled already")?),
        DeviceState::Disabled => {
            bail!("the enrolment of {id} has ended for good: its owner enrols it anew under another id: dayfly device enroll NAME")
        }
        DeviceState::Waiting => {}
    }
    let about = about(Event::DeviceApproved, &record);
    let at = u64::try_from(about.time.unix_timestamp()).unwrap_or_default();
    wait(store.commit(Change::ApproveDevice { id: id.clone(), at }, about))??;
    Ok(writeln!(out, "{id} of {} is enrolled, by the key {}", record.owner, record.key_fingerprint)?)
}

fn disable(id: &DeviceId, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = open_store(config)?;
    let record = find(&store, id)?;
    if record.disabled {
        return Ok(writeln!(out, "{id} was disabled already")?);
    }
    wait(store.commit(Change::DisableDevice(id.clone()), about(Event::DeviceDisabled, &record)))??;
    Ok(writeln!(out, "{id} is disabled: it counts as enrolled nowhere, in certificates that are out neither")?)
}

fn about(what: Event, record: &DeviceRecord) -> AuditEvent {
    event(what).subject(&record.holder()).fact("device", &record.id).fact("key", &record.key_fingerprint)
}

fn find(store: &dyn Store, id: &DeviceId) -> anyhow::Result<DeviceRecord> {
    match wait(store.device(id))?? {
        Some(record) => Ok(record),
        None => bail!("there is no device {id}: `dayfly-ca device list` lists them all"),
    }
}
