//! `dayfly device`: this machine as a device of yours.

use super::{Context, login::waiting};
use crate::{
    certificate::{in_words, now},
    connection::Connection,
    device::{self, ThisDevice, posture},
    error::{Failure, Kind},
    output::{Lines, Report},
};
use clap::Subcommand;
use dayfly_api::device::{DeviceEnrollment, DeviceState, KnownDevice, NamedDevice, ReportedPosture};
use dayfly_core::name::{DeviceId, MAX_LENGTH};
use serde::Serialize;
use std::{io, path::PathBuf};

/// A subcommand of `dayfly device`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enrol this machine: it gets a key of its own, which signs your requests beside yours
    Enroll(Enroll),
    /// List your devices: which are enrolled, which wait, which one this is
    List,
    /// Tell the CA now what this machine is like; otherwise `dayfly cert` does, when it is news
    Report(ReportNow),
    /// End the enrolment of a device of yours: this one, or one that you lost
    Remove(Remove),
}

/// Arguments of `dayfly device enroll`.
#[derive(Debug, clap::Args)]
pub struct Enroll {
    /// What to call it; by default, as the machine is called
    #[arg(value_name = "NAME")]
    id: Option<DeviceId>,

    /// The key of FILE instead of a new one. FILE.pub names a key that the ssh-agent holds, also one of a TPM or token: ssh-add -s LIBRARY
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Arguments of `dayfly device report`.
#[derive(Debug, clap::Args)]
pub struct ReportNow {
    /// Show what would be told, and tell nothing
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `dayfly device remove`.
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// Which; by default, this one
    #[arg(value_name = "NAME")]
    id: Option<DeviceId>,

    /// Only forget here that this machine is a device, whatever the CA says of it
    #[arg(long, conflicts_with = "id")]
    here: bool,
}

#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    known: KnownDevice,
    /// Whether it is this machine.
    this: bool,
}

#[derive(Serialize)]
struct Listed {
    devices: Vec<One>,
}

#[derive(Serialize)]
struct Told {
    posture: ReportedPosture,
}

#[derive(Serialize)]
struct Forgotten {
    id: DeviceId,
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<(), Failure> {
    match command {
        Command::Enroll(enroll) => enrolled(&enroll, context).await,
        Command::List => list(context).await,
        Command::Report(report) => tell(&report, context).await,
        Command::Remove(remove) => removed(&remove, context).await,
    }
}

async fn enrolled(arguments: &Enroll, context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let _lock = connection.state.lock(|| waiting(context))?;
    let Connection { client, login, state, device, .. } = context.connect()?;
    if let Some(device) = device {
        return Err(Failure::new(Kind::Failed, format!("this machine is a device already: {}", device.id))
            .remedy("see dayfly device list; to begin anew: dayfly device remove, then dayfly device enroll NAME"));
    }
    let id = match &arguments.id {
        Some(id) => id.clone(),
        None => name_of_this_machine()?,
    };
    let key = device::new_key(arguments.key.as_deref(), &state, &login.url)?;
    let posture = posture::of_this_machine();
    let client = client.on_device(key.signer);
    let asked = DeviceEnrollment { id: id.clone(), posture: posture.clone() };
    // Before the answer, which may be lost: then the device is one all the same.
    ThisDevice { url: login.url.clone(), id, key: key.key, told: Some((now(), posture)) }.write(&state)?;
    let known = match client.enroll_device(&asked).await.map_err(Failure::from) {
        Ok(known) => known,
        Err(failure) => {
            if failure.kind == Kind::Refused {
                ThisDevice::forget(&state, &login.url)?;
            }
            return Err(failure);
        }
    };
    Ok(context.output.report(&One { known, this: true })?)
}

async fn list(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let this = connection.device.as_ref().map(|device| &device.id);
    let devices = connection.client.devices().await?.devices;
    let devices = devices.into_iter().map(|known| One { this: this == Some(&known.id), known }).collect();
    Ok(context.output.report(&Listed { devices })?)
}

async fn tell(arguments: &ReportNow, context: &Context<'_>) -> Result<(), Failure> {
    let posture = posture::of_this_machine();
    if !arguments.dry_run {
        let connection = context.connect()?;
        let mut device = connection.device.ok_or_else(no_device)?;
        connection.client.report_device(&posture).await?;
        device.told = Some((now(), posture.clone()));
        device.write(&connection.state)?;
    }
    Ok(context.output.report(&Told { posture })?)
}

async fn removed(arguments: &Remove, context: &Context<'_>) -> Result<(), Failure> {
    if arguments.here {
        let (state, login, _) = crate::login::current(&context.home)?;
        let _lock = state.lock(|| waiting(context))?;
        let device = ThisDevice::read(&state, &login.url)?.ok_or_else(no_device)?;
        ThisDevice::forget(&state, &login.url)?;
        return Ok(context.output.report(&Forgotten { id: device.id })?);
    }
    let connection = context.connect()?;
    let _lock = connection.state.lock(|| waiting(context))?;
    let this = connection.device.as_ref().map(|device| device.id.clone());
    let id = arguments.id.clone().or_else(|| this.clone()).ok_or_else(no_device)?;
    let known = connection.client.remove_device(&NamedDevice { id: id.clone() }).await?;
    let is_this = this == Some(id);
    if is_this {
        ThisDevice::forget(&connection.state, &connection.login.url)?;
    }
    Ok(context.output.report(&One { known, this: is_this })?)
}

fn no_device() -> Failure {
    Failure::new(Kind::Failed, "this machine is not a device of yours")
        .remedy("enrol it: dayfly device enroll NAME; or see: dayfly device list")
}

/// What the machine is called, in the letters that names may have.
fn name_of_this_machine() -> Result<DeviceId, Failure> {
    let host = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let first = host.split('.').next().unwrap_or_default();
    let name: String =
        first.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').skip_while(|c| *c == '-').take(MAX_LENGTH).collect();
    let nameless = |error| Failure::new(Kind::Usage, "this machine has no name that fits").because(error);
    name.parse().map_err(|error: dayfly_core::name::NameError| nameless(error).remedy("choose one: dayfly device enroll NAME"))
}

impl One {
    fn next(&self) -> Option<String> {
        (self.known.state == DeviceState::Waiting)
            .then(|| format!("have whoever administers the CA run: dayfly-ca device approve {} --key {}", self.known.id, self.known.key))
    }
}

impl Report for One {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.line(&format!("device {}: {}", self.known.id, self.known.state.as_str()))?;
        lines.field("key", &self.known.key)?;
        self.next().map_or(Ok(()), |next| lines.field("next", &next))
    }
}

impl Report for Listed {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        if self.devices.is_empty() {
            return lines.line("none; enrol this machine: dayfly device enroll NAME");
        }
        let heading = ["DEVICE", "STATE", "LAST SEEN", "KEY"].map(str::to_owned).to_vec();
        let row = |one: &One| {
            let name = if one.this { format!("{} (this one)", one.known.id) } else { one.known.id.to_string() };
            let seen = format!("{} ago", in_words(now().saturating_sub(one.known.seen_at)));
            vec![name, one.known.state.as_str().to_owned(), seen, one.known.key.clone()]
        };
        lines.table(&std::iter::once(heading).chain(self.devices.iter().map(row)).collect::<Vec<_>>())
    }
}

impl Report for Told {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let told = |told: Option<bool>| told.map_or("not told", |told| if told { "yes" } else { "no" });
        let posture = &self.posture;
        let version = posture.os_version.map(|version| format!(" {version}")).unwrap_or_default();
        lines.field("system", &format!("{}{version}", posture.os.map_or("not told", |os| os.as_str())))?;
        lines.field("disk encrypted", told(posture.disk_encrypted))?;
        lines.field("screen locks", told(posture.screen_lock))?;
        lines.field("firewall", told(posture.firewall))
    }
}

impl Report for Forgotten {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.line(&format!("forgotten here: {}. At the CA it is what it was: dayfly device remove {}", self.id, self.id))
    }
}
