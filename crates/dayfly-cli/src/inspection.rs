//! Explaining certificates, keys, revocation lists, and the lines of `authorized_keys` and `known_hosts`: what they say, what follows from it, and what is unusual.
//!
//! Whatever was written by others is data here. It becomes harmless to a terminal on its way out ([`crate::output`]).

mod certificate;
mod entry;
mod file;
mod oddities;
mod permissions;
mod revocation_list;
mod window;

pub use certificate::CertificateDescription;
pub use entry::EntryDescription;
pub use file::{Findings, findings};
pub use revocation_list::{ListDescription, Revocations};

use crate::output::{Lines, Report};
use dayfly_api::trust::Trust;
use dayfly_core::signature::fingerprint;
use serde::Serialize;
use ssh_key::{Certificate, PrivateKey, PublicKey, public::KeyData};
use std::io;

/// Who the person trusts, and where.
pub struct Trusted<'a> {
    /// The CA's address.
    pub url: &'a str,
    /// Its keys.
    pub trust: &'a Trust,
}

/// What is known of one key or certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The line of the file, from 1; none where the file is one key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// `user certificate`, `host certificate`, `public key` or `private key`.
    pub kind: &'static str,
    /// The key's algorithm.
    pub algorithm: String,
    /// The bits of an RSA key's modulus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
    /// What stands beside the key.
    pub comment: String,
    /// How a private key is protected. The key itself is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<String>,
    /// What the certificate says.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateDescription>,
    /// What its line in a file of OpenSSH's says.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryDescription>,
    /// What a reader should stop at, a sentence each.
    pub unusual: Vec<String>,
}

impl Description {
    /// Explains a public key.
    pub fn of_key(key: &PublicKey) -> Self {
        Self::of(key.key_data(), "public key", key.comment().to_string())
    }

    /// Explains a private key by its public half and its protection.
    pub fn of_private_key(key: &PrivateKey) -> Self {
        let protection = match (key.is_encrypted(), key.cipher()) {
            (false, _) => "none: whoever can read this file has the key".to_owned(),
            (true, cipher) => format!("a passphrase ({cipher})"),
        };
        // The comment of a key with a passphrase is within what is encrypted.
        let described = Self::of(key.public_key().key_data(), "private key", key.public_key().comment().to_string());
        Self { protection: Some(protection), ..described }
    }

    /// Explains a certificate, as of `now` in Unix seconds.
    pub fn of_certificate(certificate: &Certificate, trusted: Option<&Trusted<'_>>, revocations: &Revocations, now: u64) -> Self {
        let kind = if certificate.cert_type().is_host() { "host certificate" } else { "user certificate" };
        let said = CertificateDescription::new(certificate, trusted, revocations, now);
        let mut description = Self::of(certificate.public_key(), kind, certificate.comment().to_owned());
        description.unusual.extend(oddities::of_certificate(certificate, now));
        Self { certificate: Some(said), ..description }
    }

    /// The same, as the entry of a file.
    fn within(self, entry: Option<EntryDescription>, line: usize) -> Self {
        let unusual = self.unusual.into_iter().chain(entry.iter().flat_map(|entry| entry.unusual.clone())).collect();
        Self { entry, unusual, line: Some(line), ..self }
    }

    fn of(key: &KeyData, kind: &'static str, comment: String) -> Self {
        Self {
            line: None,
            kind,
            algorithm: key.algorithm().to_string(),
            bits: key.rsa().map(|rsa| rsa.key_size()),
            fingerprint: fingerprint(key),
            comment,
            protection: None,
            certificate: None,
            entry: None,
            unusual: oddities::of_key(key, "the key").into_iter().collect(),
        }
    }
}

impl Report for Description {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.field("kind", self.kind)?;
        let bits = self.bits.map(|bits| format!(", {bits} bits")).unwrap_or_default();
        lines.field("key", &format!("{} {}{bits}", self.algorithm, self.fingerprint))?;
        if !self.comment.is_empty() {
            lines.field("comment", &self.comment)?;
        }
        if let Some(protection) = &self.protection {
            lines.field("protected by", protection)?;
        }
        if let Some(said) = &self.certificate {
            said.text(lines)?;
        }
        if let Some(entry) = &self.entry {
            entry.text(lines)?;
        }
        listed(lines, "unusual", &self.unusual)
    }
}

/// A list under one name, a line each; nothing for an empty one.
fn listed<T: AsRef<str>>(lines: &mut Lines<'_>, name: &str, values: &[T]) -> io::Result<()> {
    values.iter().zip(std::iter::once(name).chain(std::iter::repeat(""))).try_for_each(|(value, name)| lines.field(name, value.as_ref()))
}

#[cfg(test)]
mod tests;
