//! The lines for `known_hosts`, read from the CA's answer and written anew from what was understood.

use super::{SshConfigError, is_host_name};
use ssh_key::PublicKey;

/// What says that the key is an authority's, and not the host's own.
const CERT_AUTHORITY: &str = "@cert-authority";

/// The file's first line.
pub const MADE_BY: &str = "# Made by: dayfly ssh-config.";

/// The file's text. Each line names hosts one by one: a pattern would make an authority good for names that are not its own.
pub fn known_hosts(lines: &[String]) -> Result<String, SshConfigError> {
    let mut text = format!("{MADE_BY}\n");
    for line in lines {
        text.push_str(&rewritten(line).ok_or_else(|| SshConfigError::KnownHosts(line.chars().take(200).collect()))?);
        text.push('\n');
    }
    Ok(text)
}

fn rewritten(line: &str) -> Option<String> {
    let (marker, rest) = match line.strip_prefix(CERT_AUTHORITY).and_then(|rest| rest.strip_prefix(' ')) {
        Some(rest) => (format!("{CERT_AUTHORITY} "), rest),
        None => (String::new(), line),
    };
    let (names, key) = rest.split_once(' ')?;
    if !names.split(',').all(is_listed_name) {
        return None;
    }
    let mut key = PublicKey::from_openssh(key).ok()?;
    key.set_comment("");
    Some(format!("{marker}{names} {}", key.to_openssh().ok()?.trim_end()))
}

/// A host, or `[host]:port`.
fn is_listed_name(name: &str) -> bool {
    match name.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some((host, port)) => is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0),
        None => is_host(name),
    }
}

fn is_host(text: &str) -> bool {
    is_host_name(text) || text.parse::<std::net::Ipv6Addr>().is_ok()
}
