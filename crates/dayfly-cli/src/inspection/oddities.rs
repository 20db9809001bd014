//! What a reader should stop at, in a key or a certificate: a sentence each.

use crate::certificate::in_words;
use dayfly_core::{
    certificate::{FORCE_COMMAND, GRANT_EXTENSION, SOURCE_ADDRESS, VERIFY_REQUIRED, signature_fits},
    principal::{MAX_PRINCIPALS, Principal},
    role::Extension,
    signature::strength,
    validity::LONGEST_TTL_SECONDS,
};
use ssh_key::{Algorithm, Certificate, public::KeyData};
use std::collections::BTreeSet;

/// As many random bytes as collisions in a signature's hash cannot be sought with.
const SHORTEST_NONCE: usize = 16;

/// The longest life of a host certificate that passes without a word, in seconds: a little over a year.
const LONG_FOR_A_HOST: u64 = 400 * 24 * 60 * 60;

/// What is wrong with a key. `whose` begins the sentence.
pub(super) fn of_key(key: &KeyData, whose: &str) -> Option<String> {
    strength(key).err().map(|refusal| format!("{whose} is not to be trusted: {}", refusal.message))
}

/// What is wrong with, or odd about, a certificate, apart from its holder's key.
pub(super) fn of_certificate(certificate: &Certificate, now: u64) -> Vec<String> {
    let mut unusual = Vec::new();
    unusual.extend(signer(certificate));
    unusual.extend(window(certificate, now));
    unusual.extend(names(certificate));
    unusual.extend(options(certificate));
    if certificate.serial() == 0 {
        unusual.push("it has no serial, so that no list of serials can revoke it".to_owned());
    }
    if certificate.nonce().len() < SHORTEST_NONCE {
        unusual.push(format!("its nonce has {} bytes, fewer than {SHORTEST_NONCE}", certificate.nonce().len()));
    }
    unusual
}

fn signer(certificate: &Certificate) -> Vec<String> {
    let key = certificate.signature_key();
    let mut unusual: Vec<String> = of_key(key, "the key that signed it").into_iter().collect();
    if matches!(key, KeyData::Certificate(_)) {
        unusual.push("a certificate stands in the place of the key that signed it: nobody accepts that".to_owned());
    } else if key == certificate.public_key() {
        unusual.push("its holder signed it".to_owned());
    }
    if matches!(certificate.signature().algorithm(), Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
        unusual.push("it was signed with SHA-1: nobody should accept it".to_owned());
    } else if signature_fits(certificate).is_err() {
        unusual.push("its signature does not fit what it says: it was changed or damaged, or never signed".to_owned());
    }
    unusual
}

fn window(certificate: &Certificate, now: u64) -> Option<String> {
    let (after, before) = (certificate.valid_after(), certificate.valid_before());
    let length = before.saturating_sub(after);
    let longest = if certificate.cert_type().is_host() { LONG_FOR_A_HOST } else { LONGEST_TTL_SECONDS };
    if before <= after {
        Some("it is valid at no time".to_owned())
    } else if i64::try_from(before).is_err() {
        Some("it never expires".to_owned())
    } else if length > longest.saturating_add(60 * 60) {
        Some(format!("it is valid for long: {}", in_words(length)))
    } else if now < after && after.saturating_sub(now) > longest {
        Some("it begins far in the future".to_owned())
    } else {
        None
    }
}

fn names(certificate: &Certificate) -> Vec<String> {
    let names = certificate.valid_principals();
    let is_host = certificate.cert_type().is_host();
    let mut unusual = Vec::new();
    match (names.len(), is_host) {
        (0, true) => unusual.push("it names no host, and OpenSSH takes that for every host".to_owned()),
        (0, false) => unusual.push("it names nobody, and OpenSSH before 10.3 takes that for everybody".to_owned()),
        (many, _) if many > MAX_PRINCIPALS => unusual.push(format!("it holds {many} names; OpenSSH reads {MAX_PRINCIPALS}")),
        _ => {}
    }
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        unusual.push("it holds a name twice".to_owned());
    }
    for name in names {
        let says = |what: &str| Some(format!("the name {:?} {what}", shortened(name)));
        unusual.extend(if name.is_empty() {
            Some("one of its names is empty".to_owned())
        } else if name.contains(['*', '?']) {
            says(if is_host { "is a pattern: OpenSSH matches many hosts with it" } else { "looks like a pattern" })
        } else if name.contains(',') {
            says("holds a comma, which some read as two names (CVE-2026-35414)")
        } else if name.chars().any(crate::output::neutral::is_active) {
            says("holds characters that cannot be seen")
        } else if !is_host && Principal::new(name.as_str()).is_err() {
            says("is none that Dayfly accepts")
        } else {
            None
        });
    }
    let key_id = certificate.key_id();
    if key_id.is_empty() {
        unusual.push("its key id is empty: a log of its use names nobody".to_owned());
    } else if key_id.chars().any(crate::output::neutral::is_active) {
        unusual.push("its key id holds characters that cannot be seen, or that a terminal obeys".to_owned());
    }
    unusual
}

fn options(certificate: &Certificate) -> Vec<String> {
    const LIMITS: [&str; 3] = [FORCE_COMMAND, SOURCE_ADDRESS, VERIFY_REQUIRED];
    let (critical, extensions) = (certificate.critical_options(), certificate.extensions());
    let mut unusual = Vec::new();
    if certificate.cert_type().is_host() && !(critical.is_empty() && extensions.is_empty()) {
        unusual.push("it is a host's and holds options, of which hosts have none".to_owned());
    }
    let unknown = critical.keys().filter(|name| !LIMITS.contains(&name.as_str()));
    unusual.extend(unknown.map(|name| format!("it demands {:?}, which OpenSSH does not know and refuses", shortened(name))));
    for (name, value) in extensions.iter() {
        if LIMITS.contains(&name.as_str()) {
            unusual.push(format!("the limit {name} stands among the extensions, where it limits nobody"));
        } else if Extension::named(name).is_some() && !value.is_empty() {
            unusual.push(format!("the extension {name} carries a value, for which sshd refuses it"));
        } else if Extension::named(name).is_none() && name != GRANT_EXTENSION {
            unusual.push(format!("the extension {:?} is none of OpenSSH's", shortened(name)));
        }
    }
    unusual
}

/// The beginning of a name, which may be long.
fn shortened(name: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = name.chars().take(SHOWN).collect();
    if name.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}
