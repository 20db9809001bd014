//! Explaining a certificate or public key: what it says, and whether the CA that the person is logged in to signed it.

use super::{in_words, verdict};
use crate::{
    login::keys,
    output::{Lines, Report},
};
use dayfly_api::trust::Trust;
use dayfly_core::{certificate::KeyId, signature::fingerprint};
use serde::Serialize;
use ssh_key::{Certificate, PublicKey, certificate::OptionsMap, public::KeyData};
use std::{collections::BTreeMap, io};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

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
    /// `user certificate`, `host certificate` or `public key`.
    pub kind: &'static str,
    /// The key's algorithm.
    pub algorithm: String,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
    /// What stands beside the key.
    pub comment: String,
    /// What the certificate says.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateDescription>,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateDescription {
    /// Its serial.
    pub serial: u64,
    /// What it says of itself.
    pub key_id: String,
    /// Whose it is, if the key id is one of Dayfly's.
    pub subject: Option<String>,
    /// Under which role, likewise.
    pub role: Option<String>,
    /// By which grant, likewise.
    pub grant: Option<String>,
    /// Its first second, in Unix seconds.
    pub valid_after: u64,
    /// The first second after it, in Unix seconds.
    pub valid_before: u64,
    /// Both, in words.
    pub validity: String,
    /// The names that it is good for.
    pub principals: Vec<String>,
    /// What whoever accepts it must enforce.
    pub critical_options: BTreeMap<String, String>,
    /// What it permits.
    pub extensions: BTreeMap<String, String>,
    /// The fingerprint of the key that signed it.
    pub signed_by: String,
    /// Whose key that is, as far as is known here.
    pub signer: String,
    /// The verifier's answer: none if it is good, or not a certificate of our people.
    pub refusal: Option<String>,
}

impl Description {
    /// Explains a public key.
    pub fn of_key(key: &PublicKey) -> Self {
        Self::of(key.key_data(), "public key", key.comment().to_string())
    }

    /// Explains a certificate, as of `now` in Unix seconds.
    pub fn of_certificate(certificate: &Certificate, trusted: Option<&Trusted<'_>>, now: u64) -> Self {
        let kind = if certificate.cert_type().is_host() { "host certificate" } else { "user certificate" };
        let key_id = certificate.key_id().parse::<KeyId>().ok();
        let (signer, refusal) = signer(certificate, trusted, now);
        let said = CertificateDescription {
            serial: certificate.serial(),
            key_id: certificate.key_id().to_owned(),
            subject: key_id.as_ref().map(|id| id.subject.to_string()),
            role: key_id.as_ref().map(|id| id.role.to_string()),
            grant: key_id.as_ref().map(|id| id.grant.to_string()),
            valid_after: certificate.valid_after(),
            valid_before: certificate.valid_before(),
            validity: validity(certificate.valid_after(), certificate.valid_before(), now),
            principals: certificate.valid_principals().to_vec(),
            critical_options: options(certificate.critical_options()),
            extensions: options(certificate.extensions()),
            signed_by: fingerprint(certificate.signature_key()),
            signer,
            refusal,
        };
        Self { certificate: Some(said), ..Self::of(certificate.public_key(), kind, certificate.comment().to_owned()) }
    }

    fn of(key: &KeyData, kind: &'static str, comment: String) -> Self {
        Self { kind, algorithm: key.algorithm().to_string(), fingerprint: fingerprint(key), comment, certificate: None }
    }
}

/// Whose key signed it, and what the verifier says if that signs for people.
fn signer(certificate: &Certificate, trusted: Option<&Trusted<'_>>, now: u64) -> (String, Option<String>) {
    let Some(Trusted { url, trust }) = trusted else {
        return ("not known here: you are not logged in".to_owned(), None);
    };
    let purposes = [
        ("user CA", &trust.user_ca),
        ("session CA", &trust.session_ca),
        ("host CA", &trust.host_ca),
        ("inner-host CA", &trust.inner_host_ca),
    ];
    let signs = purposes.into_iter().find(|(_, lines)| keys(lines).contains(certificate.signature_key()));
    let Some((purpose, lines)) = signs else {
        return (format!("not the CA that you are logged in to, {url}"), None);
    };
    let is_for_hosts = matches!(purpose, "host CA" | "inner-host CA");
    let refusal = match (is_for_hosts, certificate.cert_type().is_host()) {
        (false, false) => verdict(certificate, &keys(lines), now).err().map(|refusal| format!("{} ({})", refusal.message, refusal.reason)),
        (true, true) => certificate.verify_signature().err().map(|_| "its signature does not fit its contents".to_owned()),
        _ => Some(format!("the {purpose} does not sign certificates of this kind")),
    };
    (format!("the {purpose} of {url}"), refusal)
}

/// When it is valid, in words: OpenSSH's half-open interval.
fn validity(after: u64, before: u64, now: u64) -> String {
    let window = match (after, before) {
        (0, u64::MAX) => "always".to_owned(),
        (after, u64::MAX) => format!("from {} for ever", time(after)),
        (after, before) => format!("from {} to {}", time(after), time(before)),
    };
    let state = if before <= after {
        "never".to_owned()
    } else if now < after {
        format!("begins in {}", in_words(after.saturating_sub(now)))
    } else if now >= before {
        format!("ended {} ago", in_words(now.saturating_sub(before)))
    } else if before == u64::MAX {
        return window;
    } else {
        format!("{} left", in_words(before.saturating_sub(now)))
    };
    format!("{window}: {state}")
}

/// RFC 3339, or the number where that cannot be written.
fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("second {seconds}"))
}

fn options(options: &OptionsMap) -> BTreeMap<String, String> {
    options.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Report for Description {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.field("kind", self.kind)?;
        lines.field("key", &format!("{} {}", self.algorithm, self.fingerprint))?;
        if !self.comment.is_empty() {
            lines.field("comment", &self.comment)?;
        }
        let Some(said) = &self.certificate else { return Ok(()) };
        lines.field("serial", &said.serial.to_string())?;
        lines.field("key id", &said.key_id)?;
        lines.field("valid", &said.validity)?;
        match said.principals.as_slice() {
            [] => lines.field("principals", "none: it admits nobody, and older OpenSSH took it for everybody")?,
            names => lines.field("principals", &names.join(", "))?,
        }
        listed(lines, "must enforce", &said.critical_options)?;
        listed(lines, "permits", &said.extensions)?;
        lines.field("signed by", &format!("{}, {}", said.signed_by, said.signer))?;
        match &said.refusal {
            Some(refusal) => lines.field("refused", refusal),
            None => Ok(()),
        }
    }
}

fn listed(lines: &mut Lines<'_>, name: &str, options: &BTreeMap<String, String>) -> io::Result<()> {
    let one = |(name, value): (&String, &String)| if value.is_empty() { name.clone() } else { format!("{name} {value:?}") };
    let shown: Vec<String> = options.iter().map(one).collect();
    lines.field(name, if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_told_in_words_at_its_boundaries() {
        let window = "from 1970-01-01T00:16:40Z to 1970-01-01T00:21:40Z";
        assert_eq!(validity(1000, 1300, 990), format!("{window}: begins in 10s"));
        assert_eq!(validity(1000, 1300, 1000), format!("{window}: 5m left"));
        assert_eq!(validity(1000, 1300, 1299), format!("{window}: 1s left"));
        assert_eq!(validity(1000, 1300, 1300), format!("{window}: ended 0s ago"));
        assert_eq!(validity(0, u64::MAX, 5), "always");
        assert!(validity(5, 5, 5).ends_with("never"));
        assert!(validity(u64::MAX - 1, u64::MAX, 5).contains("second 18446744073709551614"));
    }
}
