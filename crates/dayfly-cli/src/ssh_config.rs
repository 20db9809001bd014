//! What OpenSSH is told: a `Host` block for each bastion and target (ssh_config(5)), and which authority each name belongs to (sshd(8)).
//!
//! Everything in it is a name by type, an address that was looked at, or a key that was parsed. Nothing begins with `-`, and nothing holds a quote, a
//! `%`-token or a line end, since `ssh` expands and executes what stands in its configuration.

pub mod files;
mod known_hosts;

pub use known_hosts::{MADE_BY, known_hosts};

use dayfly_api::person::{BastionAddress, Destination, Destinations};
use dayfly_core::name::{BastionName, TargetName};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// What cannot be written into a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshConfigError {
    /// A path that would be read as something else.
    #[error("{0:?} holds a quote, a percent sign or a control character, which ssh would not take as part of a path")]
    Path(PathBuf),
    /// An address that is none.
    #[error("the CA gives bastion {bastion} the address {address:?}, which is not host:port")]
    Address {
        /// The bastion.
        bastion: BastionName,
        /// What it gives.
        address: String,
    },
    /// A line for known_hosts that is none.
    #[error("the CA gives a line for known_hosts that is not understood: {0:?}")]
    KnownHosts(String),
}

/// Where the files are that the configuration names.
#[derive(Debug, Clone)]
pub struct Places {
    /// The file with the authorities' keys.
    pub known_hosts: PathBuf,
    /// Where the keys are.
    pub keys: Keys,
}

/// Where the keys are that log in, each named after its target.
#[derive(Debug, Clone)]
pub enum Keys {
    /// `TARGET` and `TARGET-cert.pub` in this directory.
    Files(PathBuf),
    /// In the ssh-agent, which holds many: `TARGET-cert.pub` in this directory tells which.
    Agent(PathBuf),
}

/// The `Host` blocks. `login` is the name that bastions log.
///
/// One certificate opens both hops, and the bastion demands that, so each target has a way of its own through the bastion.
pub fn ssh_config(destinations: &Destinations, login: &str, places: &Places) -> Result<String, SshConfigError> {
    let known_hosts = quoted(&places.known_hosts)?;
    let mut text = String::from("# Made by: dayfly ssh-config. Include it at the top of ~/.ssh/config.\n");
    for target in &destinations.targets {
        let Some(bastion) = destinations.bastions.iter().find(|bastion| target.bastions.contains(&bastion.name)) else {
            let _ = write!(text, "\n# {}: no bastion serves it.\n", target.name);
            continue;
        };
        let common = common(&target.name, &known_hosts, places)?;
        let hop = hop(&bastion.name, &target.name);
        let _ = write!(text, "\nHost {}\n{}{common}", target.name, target_lines(target, &hop));
        let _ = write!(text, "\nHost {hop}\n    User {login}\n{}{common}", bastion_lines(bastion)?);
    }
    Ok(text)
}

/// The name of the way to a target through a bastion. No name of a host or target holds a `+`.
fn hop(bastion: &BastionName, target: &TargetName) -> String {
    format!("{bastion}+{target}")
}

fn target_lines(target: &Destination, hop: &str) -> String {
    // Where the roles name one account, it need not be typed.
    let user = match target.accounts.as_slice() {
        [account] => format!("    User {account}\n"),
        _ => String::new(),
    };
    format!("    HostName {name}\n    Port 22\n    HostKeyAlias {name}\n    ProxyJump {hop}\n{user}", name = target.name)
}

fn bastion_lines(bastion: &BastionAddress) -> Result<String, SshConfigError> {
    let name = &bastion.name;
    let (host, port) = match &bastion.address {
        None => (name.to_string(), 22),
        Some(address) => {
            host_and_port(address).ok_or_else(|| SshConfigError::Address { bastion: name.clone(), address: address.clone() })?
        }
    };
    Ok(format!("    HostName {host}\n    Port {port}\n    HostKeyAlias {name}\n"))
}

/// What holds for both hops: which key, and whom to trust.
fn common(target: &TargetName, known_hosts: &str, places: &Places) -> Result<String, SshConfigError> {
    let keys = match &places.keys {
        Keys::Files(directory) => {
            let key = quoted(&directory.join(target.as_str()))?;
            let certificate = quoted(&directory.join(format!("{target}-cert.pub")))?;
            format!("    IdentityFile {key}\n    CertificateFile {certificate}\n")
        }
        // A certificate that only the agent can sign with is an identity to `ssh`; as a CertificateFile it would need a key in a file.
        Keys::Agent(directory) => format!("    IdentityFile {}\n", quoted(&directory.join(format!("{target}-cert.pub")))?),
    };
    Ok(format!(
        "{keys}    IdentitiesOnly yes\n    UserKnownHostsFile {known_hosts}\n    GlobalKnownHostsFile none\n    \
         StrictHostKeyChecking yes\n    UpdateHostKeys no\n"
    ))
}

/// `host:port`, `[address]:port` or `host`, if it is one.
fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
        None => (address, 22),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bare {
        Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_host_name(host),
    };
    is_host.then(|| (bare.unwrap_or(host).to_owned(), port))
}

/// A host name or an IPv4 address: letters, digits, dots and hyphens, and no hyphen first.
pub(crate) fn is_host_name(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !text.is_empty() && text.len() <= 253 && !text.starts_with(['-', '.']) && text.bytes().all(is_good)
}

fn quoted(path: &Path) -> Result<String, SshConfigError> {
    let bad = || SshConfigError::Path(path.to_owned());
    let text = path.to_str().ok_or_else(bad)?;
    // `ssh` expands %-tokens, ${VARIABLES} and a leading ~, and knows no way to write a quote inside quotes.
    let is_bad = |c: char| c.is_control() || matches!(c, '"' | '%' | '$' | '\\');
    if text.is_empty() || text.starts_with(['~', '-']) || text.chars().any(is_bad) { Err(bad()) } else { Ok(format!("\"{text}\"")) }
}

#[cfg(test)]
mod tests;
