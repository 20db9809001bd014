//! Where everything is on a host.

use std::path::{Path, PathBuf};

/// The directory of `sshd`'s configuration where nobody says otherwise. The committed drop-ins and units are written for it.
pub const USUAL: &str = "/etc/ssh";

/// The directory of `sshd`'s configuration, and what is ours in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(PathBuf);

impl Place {
    /// At this directory, made absolute: `sshd` reads the paths from wherever it is started.
    pub fn new(directory: &Path) -> std::io::Result<Self> {
        Ok(Self(std::path::absolute(directory)?))
    }

    /// The directory itself.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// What is ours alone.
    pub fn own(&self) -> PathBuf {
        self.0.join("dayfly")
    }

    /// The one file that `sshd` finds by itself.
    pub fn drop_in(&self) -> PathBuf {
        self.0.join("sshd_config.d/00-dayfly.conf")
    }

    /// A file for each account.
    pub fn principals(&self) -> PathBuf {
        self.own().join("principals")
    }

    /// The CA keys that logins are taken from.
    pub fn trusted_ca(&self) -> PathBuf {
        self.own().join("trusted_ca.pub")
    }

    /// The key revocation list.
    pub fn revoked_keys(&self) -> PathBuf {
        self.own().join("revoked_keys")
    }

    /// The host certificate.
    pub fn certificate(&self) -> PathBuf {
        self.own().join("host_key-cert.pub")
    }

    /// What a renewal has to know.
    pub fn record(&self) -> PathBuf {
        self.own().join("host.json")
    }
}
