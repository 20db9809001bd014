//! The hosts of a line of `known_hosts`.

use super::EntryDescription;
use base64::{Engine, engine::general_purpose::STANDARD};

/// How a hashed name begins: HMAC-SHA1 with a salt.
const HASHED: &str = "|1|";

/// The bytes of its salt and of its hash.
const SHA1_BYTES: usize = 20;

pub(super) fn describe(before: &str) -> EntryDescription {
    let mut words = before.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    let marker = first.starts_with('@').then(|| first.to_owned());
    let names = if marker.is_some() { words.next().unwrap_or_default() } else { first };
    let hosts: Vec<String> = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let shown: Vec<String> = hosts.iter().map(|host| in_words(host)).collect();
    let all = if shown.is_empty() { "no host".to_owned() } else { shown.join(", ") };
    let mut unusual: Vec<String> = hosts.iter().filter_map(|host| oddity(host, marker.as_deref())).collect();
    let means = match marker.as_deref() {
        None => format!("this key is that of {all}"),
        Some("@cert-authority") => format!("whoever shows a certificate by this key may pass for {all}, if the certificate names it too"),
        Some("@revoked") => format!("this key, and certificates by it, are refused for {all}"),
        Some(other) => {
            unusual.push(format!("OpenSSH has no marker {other:?}, and reads over the line"));
            format!("nothing: the marker of this line for {all} is not known")
        }
    };
    if hosts.is_empty() {
        unusual.push("the line names no host".to_owned());
    }
    unusual.extend(words.next().map(|_| "there is something between the hosts and the key".to_owned()));
    EntryDescription { entry: "known_hosts", marker, hosts, means: vec![means], unusual, ..EntryDescription::default() }
}

fn in_words(host: &str) -> String {
    match host.strip_prefix('!') {
        Some(excluded) => format!("not {}", in_words(excluded)),
        None if host.starts_with(HASHED) => "a host whose name is hashed".to_owned(),
        None if host == "*" => "every host".to_owned(),
        None if host.contains(['*', '?']) => format!("every host like {host}"),
        None => match host.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
            Some((name, port)) => format!("{name} at port {port}"),
            None => host.to_owned(),
        },
    }
}

fn oddity(host: &str, marker: Option<&str>) -> Option<String> {
    if let Some(hashed) = host.strip_prefix(HASHED) {
        let sized = |part: &str| STANDARD.decode(part).is_ok_and(|bytes| bytes.len() == SHA1_BYTES);
        let is_whole = hashed.split_once('|').is_some_and(|(salt, hash)| sized(salt) && sized(hash));
        return (!is_whole).then(|| "a hashed name is damaged, and matches nothing".to_owned());
    }
    let pattern = host.trim_start_matches('!');
    match marker {
        Some("@cert-authority") if pattern == "*" => Some("this authority is trusted for every host there is".to_owned()),
        Some("@revoked") => None,
        Some(_) => None,
        None if pattern.contains(['*', '?']) => Some(format!("one key for many hosts: {pattern:?} is a pattern")),
        None => None,
    }
}
