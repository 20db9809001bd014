//! Key revocation lists: what one says, and what it says of a certificate.

use super::{Trusted, listed, window};
use crate::{
    login::keys,
    output::{Lines, Report},
};
use dayfly_core::{
    certificate::krl::{Krl, ListedBy, RevokedCertificates},
    signature::fingerprint,
};
use serde::Serialize;
use ssh_key::{
    Certificate,
    encoding::{
        Decode,
        base64::{Base64Unpadded, Encoding},
    },
    public::KeyData,
};
use std::io;

/// How many serials, key ids or keys are shown to people. Machines get them all.
const SHOWN: usize = 10;

/// What certificates are judged by.
pub enum Revocations {
    /// The list of the CA that the person is logged in to.
    OfTheCa(Krl),
    /// A list that was named.
    Named(Krl),
    /// None, and why.
    Unknown(String),
}

impl Revocations {
    /// Whether `certificate` is revoked, in words. The CA's list speaks of its own certificates, and of those that are alive.
    pub(super) fn verdict(&self, certificate: &Certificate, trusted: Option<&Trusted<'_>>, now: u64) -> String {
        let list = match self {
            Self::Unknown(why) => return format!("unknown: {why}"),
            Self::OfTheCa(_) if !trusted.is_some_and(|trusted| is_of(trusted, certificate)) => {
                return "unknown: another CA signed it, and nobody here has that one's list".to_owned();
            }
            Self::OfTheCa(list) | Self::Named(list) => list,
        };
        let number = list.number;
        match list.revokes(certificate) {
            Some(by) => format!("yes, {} (list {number})", words(by)),
            None if now >= certificate.valid_before() => format!("not on list {number}, which names none that have expired"),
            None => format!("no (list {number}, made {})", window::ago(list.generated_at, now)),
        }
    }
}

fn is_of(trusted: &Trusted<'_>, certificate: &Certificate) -> bool {
    let trust = trusted.trust;
    let lists = [&trust.user_ca, &trust.session_ca, &trust.host_ca, &trust.inner_host_ca];
    lists.into_iter().any(|lines| keys(lines).contains(certificate.signature_key()))
}

fn words(by: ListedBy) -> &'static str {
    match by {
        ListedBy::Key => "by its key",
        ListedBy::Authority => "by the key that signed it",
        ListedBy::KeyId => "by its key id",
        ListedBy::Serial => "by its serial",
    }
}

/// What a list says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListDescription {
    kind: &'static str,
    /// Its number, which rises with every change.
    pub number: u64,
    /// When it was made, in Unix seconds; 0 if it does not say.
    pub generated_at: u64,
    made: String,
    comment: String,
    /// By the CA that signed what is revoked.
    pub certificates: Vec<OfAuthority>,
    /// The fingerprints of revoked keys.
    pub keys: Vec<String>,
    unusual: Vec<String>,
}

/// What a list revokes of one CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfAuthority {
    /// The CA key's fingerprint, or `any CA`.
    pub signed_by: String,
    /// How many serials.
    pub serials: u64,
    /// Those serials: one, or the first and the last of a row.
    pub ranges: Vec<String>,
    /// Key ids.
    pub key_ids: Vec<String>,
}

impl ListDescription {
    /// Explains a list, as of `now` in Unix seconds.
    pub(super) fn new(krl: &Krl, trusted: Option<&Trusted<'_>>, now: u64) -> Self {
        let by_key = krl
            .keys()
            .map(|blob| KeyData::decode(&mut &*blob).map_or_else(|_| "a key that cannot be read".to_owned(), |key| fingerprint(&key)));
        let by_sha256 = krl.sha256_fingerprints().iter().map(|digest| format!("SHA256:{}", Base64Unpadded::encode_string(digest)));
        let by_sha1 = krl.sha1_fingerprints().iter().map(|digest| format!("SHA1:{}", Base64Unpadded::encode_string(digest)));
        let certificates: Vec<_> = krl.certificates().map(|(authority, revoked)| OfAuthority::new(authority, revoked, trusted)).collect();
        let mut unusual = Vec::new();
        if certificates.iter().any(|section| section.signed_by == ANY) {
            unusual.push("it revokes by serial or key id whoever signed: another CA may have given the same".to_owned());
        }
        if !krl.sha1_fingerprints().is_empty() {
            unusual.push("it names keys by SHA-1, for which a second key can be made".to_owned());
        }
        if krl.generated_at > now {
            unusual.push("it says that it was made in the future".to_owned());
        }
        Self {
            kind: "revocation list",
            number: krl.number,
            generated_at: krl.generated_at,
            made: if krl.generated_at == 0 { "it does not say when".to_owned() } else { window::ago(krl.generated_at, now) },
            comment: krl.comment.clone(),
            certificates,
            keys: by_key.chain(by_sha256).chain(by_sha1).collect(),
            unusual,
        }
    }
}

const ANY: &str = "any CA";

impl OfAuthority {
    fn new(authority: &[u8], revoked: &RevokedCertificates, trusted: Option<&Trusted<'_>>) -> Self {
        let signed_by = match KeyData::decode(&mut &*authority) {
            _ if authority.is_empty() => ANY.to_owned(),
            Ok(key) => format!("{}{}", fingerprint(&key), purpose(&key, trusted)),
            Err(_) => "a key that cannot be read".to_owned(),
        };
        let range = |(first, last): &(u64, u64)| if first == last { first.to_string() } else { format!("{first} to {last}") };
        Self {
            signed_by,
            serials: revoked.serials.len(),
            ranges: revoked.serials.runs().iter().map(range).collect(),
            key_ids: revoked.key_ids.iter().map(|key_id| String::from_utf8_lossy(key_id).into_owned()).collect(),
        }
    }
}

/// Which of the CA's keys it is.
fn purpose(key: &KeyData, trusted: Option<&Trusted<'_>>) -> String {
    let Some(Trusted { url, trust }) = trusted else { return String::new() };
    let purposes = [
        ("user CA", &trust.user_ca),
        ("session CA", &trust.session_ca),
        ("host CA", &trust.host_ca),
        ("inner-host CA", &trust.inner_host_ca),
    ];
    let found = purposes.into_iter().find(|(_, lines)| keys(lines).contains(key));
    found.map(|(name, _)| format!(", the {name} of {url}")).unwrap_or_default()
}

impl Report for ListDescription {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.field("kind", self.kind)?;
        lines.field("number", &self.number.to_string())?;
        lines.field("made", &self.made)?;
        if !self.comment.is_empty() {
            lines.field("comment", &self.comment)?;
        }
        if self.certificates.is_empty() && self.keys.is_empty() {
            return lines.field("revokes", "nothing");
        }
        for section in &self.certificates {
            lines.field("signed by", &section.signed_by)?;
            lines.field("  serials", &format!("{}: {}", section.serials, shortened(&section.ranges)))?;
            if !section.key_ids.is_empty() {
                lines.field("  key ids", &shortened(&section.key_ids))?;
            }
        }
        if !self.keys.is_empty() {
            lines.field("keys", &format!("{}: {}", self.keys.len(), shortened(&self.keys)))?;
        }
        listed(lines, "unusual", &self.unusual)
    }
}

fn shortened(values: &[String]) -> String {
    let shown: Vec<&str> = values.iter().take(SHOWN).map(String::as_str).collect();
    let rest = values.len().saturating_sub(SHOWN);
    if rest == 0 { shown.join(", ") } else { format!("{}, and {rest} more (--json shows all)", shown.join(", ")) }
}
