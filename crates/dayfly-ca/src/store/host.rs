//! What is remembered of hosts: their names, token, key, latest certificate and what they were last seen to hold.

use dayfly_core::{
    certified_name::CertifiedName,
    name::{HostName, TargetName},
};
use std::collections::BTreeSet;

/// A host that may enrol, or has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name at the CA.
    pub name: HostName,
    /// The names that its certificate may hold.
    pub names: BTreeSet<CertifiedName>,
    /// The target that it is, if it is one.
    pub target: Option<TargetName>,
    /// Its newest token.
    pub token: HostToken,
    /// Its host key, once it has enrolled.
    pub key: Option<HostKey>,
    /// Its newest certificate.
    pub certificate: Option<HostCertificateHeld>,
    /// What it told last.
    pub report: Option<HostReportHeld>,
    /// Whether its enrolment has ended.
    pub disabled: bool,
}

/// A one-time token, of which nothing but this is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostToken {
    /// SHA-256 of the token. It is 256 random bits, so that nothing slower is needed.
    pub digest: [u8; 32],
    /// When it ends, in Unix seconds.
    pub expires_at: u64,
    /// Whether it was used.
    pub is_used: bool,
}

/// An enrolled host key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// `SHA256:…`.
    pub fingerprint: String,
    /// One OpenSSH line.
    pub line: String,
}

/// A host's newest certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCertificateHeld {
    /// Its serial.
    pub serial: u64,
    /// When it ends, in Unix seconds.
    pub ends_at: u64,
}

/// What a host told last. Who asks which hosts hold a key asks here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReportHeld {
    /// When, by the CA's clock, in Unix seconds.
    pub seen_at: u64,
    /// The number and the digest of the revocation list that it holds.
    pub krl: Option<(u64, String)>,
    /// When it was last seen to hold the list that the CA served then, in Unix seconds.
    pub current_at: Option<u64>,
    /// `SHA256:…` of every CA key that it takes logins from.
    pub trusted: BTreeSet<String>,
}

/// That a certificate was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificateNote {
    /// For which host.
    pub host: HostName,
    /// Which.
    pub certificate: HostCertificateHeld,
}

/// That a host told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReportNote {
    /// Which host.
    pub host: HostName,
    /// When, by the CA's clock, in Unix seconds.
    pub at: u64,
    /// The number and the digest of the revocation list that it holds.
    pub krl: Option<(u64, String)>,
    /// Whether that is the one that the CA serves.
    pub is_current: bool,
    /// `SHA256:…` of every CA key that it takes logins from.
    pub trusted: BTreeSet<String>,
}

#[cfg(test)]
impl HostReportNote {
    /// Whether it tells what `earlier` did not.
    pub(super) fn is_news(&self, earlier: Option<&HostReportHeld>) -> bool {
        earlier.is_none_or(|earlier| earlier.krl != self.krl || earlier.trusted != self.trusted)
    }
}
