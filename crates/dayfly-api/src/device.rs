//! Devices: enrolling one, and what it reports of itself.

use dayfly_core::{
    device::{Posture, Version},
    identity::Subject,
    name::DeviceId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Enrols the device whose key signs the request beside the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceEnrollment {
    /// What it is to be called, once among all devices.
    #[schema(value_type = String)]
    pub id: DeviceId,
    /// What it tells of itself.
    pub posture: ReportedPosture,
}

/// What a device tells of itself. What it does not tell is left out, which is not the same as "no".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportedPosture {
    /// Whether its disk is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_encrypted: Option<bool>,
    /// Its operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<OperatingSystem>,
    /// The version of that: one to three numbers with dots between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub os_version: Option<Version>,
    /// Whether its screen locks by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen_lock: Option<bool>,
    /// Whether its firewall is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall: Option<bool>,
}

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperatingSystem {
    /// Linux, of any make.
    Linux,
    /// Apple's.
    Macos,
    /// Microsoft's.
    Windows,
}

impl OperatingSystem {
    /// Its name, as policies see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Macos => "macos",
            Self::Windows => "windows",
        }
    }
}

impl ReportedPosture {
    /// As it is kept: told at `at`, in Unix seconds.
    pub fn told_at(self, at: u64) -> Posture {
        Posture {
            reported_at: at,
            disk_encrypted: self.disk_encrypted,
            os: self.os.map(|os| os.as_str().to_owned()),
            os_version: self.os_version,
            screen_lock: self.screen_lock,
            firewall: self.firewall,
        }
    }
}

/// A device, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedDevice {
    /// What it is called.
    #[schema(value_type = String)]
    pub id: DeviceId,
}

/// How far a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// It waits to be approved.
    Waiting,
    /// It is enrolled.
    Enrolled,
    /// Its enrolment has ended.
    Disabled,
}

impl DeviceState {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Enrolled => "enrolled",
            Self::Disabled => "disabled",
        }
    }
}

/// What the CA knows of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownDevice {
    /// What it is called.
    #[schema(value_type = String)]
    pub id: DeviceId,
    /// Whose it is.
    #[schema(value_type = String)]
    pub owner: Subject,
    /// `SHA256:…` of its key.
    pub key: String,
    /// How far it is.
    pub state: DeviceState,
    /// When it was added, in Unix seconds.
    pub added_at: u64,
    /// When it was last seen, in Unix seconds.
    pub seen_at: u64,
}

/// The caller's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Devices {
    /// Each of them, by id.
    pub devices: Vec<KnownDevice>,
}
