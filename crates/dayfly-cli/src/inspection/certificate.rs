//! What a certificate says, and whether the CA that the person is logged in to signed it.

use super::{Revocations, Trusted, listed, permissions, window};
use crate::{certificate::verdict, login::keys, output::Lines};
use dayfly_core::{
    certificate::{KeyId, signature_fits},
    signature::fingerprint,
};
use serde::Serialize;
use ssh_key::{Certificate, certificate::OptionsMap};
use std::{collections::BTreeMap, io};

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
    /// In a session certificate: for which session.
    pub session: Option<String>,
    /// In a session certificate: through which bastion.
    pub bastion: Option<String>,
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
    /// What its holder may do with it, in words.
    pub allows: Vec<String>,
    /// What its holder may not do with it, in words.
    pub forbids: Vec<String>,
    /// The fingerprint of the key that signed it.
    pub signed_by: String,
    /// The algorithm of the signature.
    pub signature_algorithm: String,
    /// Whose key that is, as far as is known here.
    pub signer: String,
    /// The verifier's answer: none if it is good, or not a certificate of our people.
    pub refusal: Option<String>,
    /// Whether it was revoked, as far as is known here.
    pub revoked: String,
}

impl CertificateDescription {
    /// Reads `certificate` as of `now`, in Unix seconds.
    pub fn new(certificate: &Certificate, trusted: Option<&Trusted<'_>>, revocations: &Revocations, now: u64) -> Self {
        let key_id = certificate.key_id().parse::<KeyId>().ok();
        let session = key_id.as_ref().and_then(|id| id.session.as_ref());
        let (signer, refusal) = signer(certificate, trusted, now);
        let permissions = permissions::of_certificate(certificate);
        Self {
            serial: certificate.serial(),
            key_id: certificate.key_id().to_owned(),
            subject: key_id.as_ref().map(|id| id.subject.to_string()),
            role: key_id.as_ref().map(|id| id.role.to_string()),
            grant: key_id.as_ref().map(|id| id.grant.to_string()),
            session: session.map(|reference| reference.session.to_string()),
            bastion: session.map(|reference| reference.bastion.to_string()),
            valid_after: certificate.valid_after(),
            valid_before: certificate.valid_before(),
            validity: window::validity(certificate.valid_after(), certificate.valid_before(), now),
            principals: certificate.valid_principals().to_vec(),
            critical_options: options(certificate.critical_options()),
            extensions: options(certificate.extensions()),
            allows: permissions.allows,
            forbids: permissions.forbids,
            signed_by: fingerprint(certificate.signature_key()),
            signature_algorithm: certificate.signature().algorithm().to_string(),
            signer,
            refusal,
            revoked: revocations.verdict(certificate, trusted, now),
        }
    }

    pub(super) fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.field("serial", &self.serial.to_string())?;
        lines.field("key id", &self.key_id)?;
        lines.field("valid", &self.validity)?;
        listed(lines, "allows", &self.allows)?;
        listed(lines, "does not allow", &self.forbids)?;
        named(lines, "must enforce", &self.critical_options)?;
        named(lines, "extensions", &self.extensions)?;
        lines.field("signed by", &format!("{} ({}), {}", self.signed_by, self.signature_algorithm, self.signer))?;
        lines.field("revoked", &self.revoked)?;
        match &self.refusal {
            Some(refusal) => lines.field("refused", refusal),
            None => Ok(()),
        }
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
        (true, true) => signature_fits(certificate).err().map(|refusal| refusal.message),
        _ => Some(format!("the {purpose} does not sign certificates of this kind")),
    };
    (format!("the {purpose} of {url}"), refusal)
}

fn options(options: &OptionsMap) -> BTreeMap<String, String> {
    options.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn named(lines: &mut Lines<'_>, name: &str, options: &BTreeMap<String, String>) -> io::Result<()> {
    let one = |(name, value): (&String, &String)| if value.is_empty() { name.clone() } else { format!("{name} {value:?}") };
    let shown: Vec<String> = options.iter().map(one).collect();
    lines.field(name, if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }.as_str())
}
