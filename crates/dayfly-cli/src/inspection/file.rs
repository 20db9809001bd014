//! Every key and certificate of a file, whatever stands around them.

use super::{Description, EntryDescription, ListDescription, Revocations, Trusted, entry};
use crate::certificate::now;
use dayfly_core::certificate::{self, krl::Krl};
use ssh_key::{PrivateKey, PublicKey, public::KeyData};
use std::path::Path;

/// What begins a key's line: the names of algorithms.
const ALGORITHMS: [&str; 4] = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];

/// How revocation lists begin (OpenSSH PROTOCOL.krl).
const REVOCATION_LIST: &[u8] = b"SSHKRL\n\0";

/// What a file holds.
#[derive(Debug, Default)]
pub struct Findings {
    /// What could be read, in the file's order.
    pub found: Vec<Description>,
    /// The revocation list that it is.
    pub list: Option<ListDescription>,
    /// What could not, a sentence each.
    pub unreadable: Vec<String>,
}

/// Reads `bytes` as a private key, or line by line. `path` hints at what the lines are: `known_hosts` or `authorized_keys`.
pub fn findings(path: &Path, bytes: &[u8], trusted: Option<&Trusted<'_>>, revocations: &Revocations) -> Findings {
    if let Ok(key) = PrivateKey::from_openssh(bytes) {
        return Findings { found: vec![Description::of_private_key(&key)], ..Findings::default() };
    }
    let mut findings = Findings::default();
    if bytes.starts_with(REVOCATION_LIST) {
        match Krl::parse(bytes) {
            Ok(krl) => findings.list = Some(ListDescription::new(&krl, trusted, now())),
            Err(error) => findings.unreadable.push(error.to_string()),
        }
        return findings;
    }
    let text = String::from_utf8_lossy(bytes);
    if text.trim_start().starts_with("-----BEGIN") {
        findings
            .unreadable
            .push("it is a private key in a form that is not read here, or damaged: ssh-keygen -p -f FILE rewrites it".to_owned());
        return findings;
    }
    for (number, line) in text.lines().enumerate() {
        let number = number.saturating_add(1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((before, key)) = parts(line) else { continue };
        match describe(key, trusted, revocations) {
            Ok(description) => findings.found.push(description.within(entry_of(path, before), number)),
            Err(cause) => findings.unreadable.push(format!("line {number}: {cause}")),
        }
    }
    findings
}

fn entry_of(path: &Path, before: &str) -> Option<EntryDescription> {
    let is_named = |part: &str| path.file_name().is_some_and(|name| name.to_string_lossy().contains(part));
    let is_about_hosts =
        before.starts_with('@') || is_named("known_hosts") || (!is_named("authorized_keys") && !entry::are_options(before));
    match (before, is_about_hosts) {
        ("", _) if is_named("authorized_keys") => Some(EntryDescription::of_options("", now())),
        ("", _) => None,
        (before, true) => Some(EntryDescription::of_hosts(before)),
        (before, false) => Some(EntryDescription::of_options(before, now())),
    }
}

/// What stands before the name of an algorithm, and the line from there on. Within quotes there are no keys.
fn parts(line: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut escaped = false;
    let mut at_word = true;
    for (index, c) in line.char_indices() {
        let rest = line.get(index..).unwrap_or_default();
        if at_word && !quoted && ALGORITHMS.iter().any(|name| rest.starts_with(name)) {
            return Some((line.get(..index).unwrap_or_default().trim_end(), rest));
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        at_word = matches!(c, ' ' | '\t');
    }
    None
}

fn describe(line: &str, trusted: Option<&Trusted<'_>>, revocations: &Revocations) -> Result<Description, String> {
    let algorithm = line.split([' ', '\t']).next().unwrap_or_default();
    if algorithm.contains("-cert-v") {
        let certificate = certificate::parse(line).map_err(|refusal| refusal.message)?;
        return Ok(Description::of_certificate(&certificate, trusted, revocations, now()));
    }
    let key = PublicKey::from_openssh(line).map_err(|error| error.to_string())?;
    // The library calls a certificate by its key's type, and takes one under a bare key's name.
    if matches!(key.key_data(), KeyData::Certificate(_)) {
        return Err(format!("it says {algorithm} and holds a certificate"));
    }
    Ok(Description::of_key(&key))
}
