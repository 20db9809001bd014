//! Roles: what a certificate may contain. Written in the CA's TOML file; who may have one is policy's business.

use crate::{
    address::Network,
    forward::{DestinationPattern, ListenPattern},
    name::{RoleName, ScopeName},
    principal::PrincipalTemplate,
    time_zone::TimeZone,
    validity::Ttl,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

mod forwarding;
mod limits;
mod logins;
mod set;
mod span;

pub use limits::SessionLimits;
pub use logins::logins;
pub use set::{RoleError, Roles};
pub use span::{SessionSpan, SessionSpanError};

/// What a certificate may contain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name, unique.
    pub name: RoleName,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// The principals: `ACCOUNT@{target}`, `ACCOUNT@{group}`, or a literal.
    pub principals: Vec<PrincipalTemplate>,
    /// The targets and target groups that it covers.
    pub targets: BTreeSet<ScopeName>,
    /// The longest life of a certificate. Also what a request gets that names none.
    #[serde(default = "default_ttl")]
    pub max_ttl: Ttl,
    /// The one command that a session may run, whatever was asked for.
    #[serde(default)]
    pub force_command: Option<ForceCommand>,
    /// The addresses that a certificate may be used from. Empty: any.
    #[serde(default)]
    pub source_address: Vec<SourceAddress>,
    /// The extensions that a certificate carries. Default: none.
    #[serde(default)]
    pub extensions: BTreeSet<Extension>,
    /// Whether only keys in hardware are certified: FIDO keys, which prove by a touch that somebody is there.
    #[serde(default)]
    pub require_hardware_key: bool,
    /// Whether the key must ask for a PIN or a fingerprint, at issue and at each login. For `passthrough` targets only.
    #[serde(default)]
    pub verify_required: bool,
    /// Where the hours are meant that policies speak of. `None`: UTC.
    #[serde(default)]
    pub time_zone: Option<TimeZone>,
    /// What a recorded session may do.
    #[serde(default)]
    pub session: SessionRules,
}

fn default_ttl() -> Ttl {
    Ttl::DEFAULT
}

/// Where a certificate may be used from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SourceAddress {
    /// The address that the certificate was asked for from.
    Client,
    /// The addresses that the bastions dial from. Needed beside the others for `passthrough` targets, whose `sshd` sees the bastion.
    Bastion,
    /// A network.
    Network(Network),
}

impl TryFrom<String> for SourceAddress {
    type Error = crate::address::NetworkError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "client" => Ok(Self::Client),
            "bastion" => Ok(Self::Bastion),
            network => Ok(Self::Network(network.parse()?)),
        }
    }
}

/// A `force-command`: not empty, one line, at most 4096 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ForceCommand(String);

/// A command that cannot be forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a forced command must be one line of 1 to 4096 bytes without control characters")]
pub struct ForceCommandError;

impl ForceCommand {
    /// Takes a command line.
    pub fn new(text: impl Into<String>) -> Result<Self, ForceCommandError> {
        let text = text.into();
        let good = !text.trim().is_empty() && text.len() <= 4096 && !text.chars().any(char::is_control);
        if good { Ok(Self(text)) } else { Err(ForceCommandError) }
    }

    /// The command line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ForceCommand {
    type Error = ForceCommandError;
    fn try_from(text: String) -> Result<Self, ForceCommandError> {
        Self::new(text)
    }
}

impl From<ForceCommand> for String {
    fn from(command: ForceCommand) -> String {
        command.0
    }
}

/// The standard extensions of a user certificate (OpenSSH PROTOCOL.certkeys), all off unless a role lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extension {
    /// Forward the agent.
    PermitAgentForwarding,
    /// Forward ports.
    PermitPortForwarding,
    /// Get a terminal.
    PermitPty,
    /// Run `~/.ssh/rc`.
    PermitUserRc,
    /// Forward X11.
    #[serde(rename = "permit-X11-forwarding")]
    PermitX11Forwarding,
    /// Do without the touch of a FIDO key.
    NoTouchRequired,
}

impl Extension {
    /// Every extension there is.
    pub const ALL: [Extension; 6] = [
        Self::NoTouchRequired,
        Self::PermitX11Forwarding,
        Self::PermitAgentForwarding,
        Self::PermitPortForwarding,
        Self::PermitPty,
        Self::PermitUserRc,
    ];

    /// Its name in a certificate.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PermitAgentForwarding => "permit-agent-forwarding",
            Self::PermitPortForwarding => "permit-port-forwarding",
            Self::PermitPty => "permit-pty",
            Self::PermitUserRc => "permit-user-rc",
            Self::PermitX11Forwarding => "permit-X11-forwarding",
            Self::NoTouchRequired => "no-touch-required",
        }
    }

    /// The extension of that name, if it is a standard one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extension| extension.as_str() == name)
    }
}

/// What may be started in a recorded session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// A login shell.
    Shell,
    /// One command.
    Exec,
    /// The `sftp` subsystem, which `scp` uses too.
    Sftp,
}

/// What a recorded session may do, beside what its certificate's extensions say. A terminal needs `permit-pty`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionRules {
    /// What may be started. Default: shell, command and sftp, as `sshd` would with a certificate without extensions.
    pub allow: BTreeSet<Start>,
    /// Environment variables that a client may set: names, or a prefix and `*`. Default: `LANG`, `LC_*`.
    pub environment: BTreeSet<EnvironmentPattern>,
    /// Where connections may be forwarded to from the target (`ssh -L`, `-D`, `-W`), if `permit-port-forwarding` is among the extensions. Default: nowhere.
    pub forward_to: BTreeSet<DestinationPattern>,
    /// Where the target may listen for connections that are forwarded to the client (`ssh -R`), if `permit-port-forwarding` is among the extensions.
    /// Default: nowhere.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub listen_on: BTreeSet<ListenPattern>,
    /// Whether programs at the target may use the client's agent (`ssh -A`), if `permit-agent-forwarding` is among the extensions. Default: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forward_agent: bool,
    /// Whether what is typed is recorded too. Default: no.
    pub record_input: bool,
    /// How long a session may last, if that is less than what the bastion gives. Default: what the bastion gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<SessionSpan>,
    /// How long nothing may happen in a session, if that is less than what the bastion gives. Default: what the bastion gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<SessionSpan>,
    /// Whether a recorded session ends with the certificate that it began with. Default: no, it finishes. Passthrough sessions always end with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub end_with_certificate: bool,
    /// Whether policy is asked again while a session runs, and ends it once it says no. Default: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continuous: bool,
}

impl Default for SessionRules {
    fn default() -> Self {
        let pattern = |text: &str| EnvironmentPattern(text.to_owned());
        Self {
            allow: BTreeSet::from([Start::Shell, Start::Exec, Start::Sftp]),
            environment: BTreeSet::from([pattern("LANG"), pattern("LC_*")]),
            forward_to: BTreeSet::new(),
            listen_on: BTreeSet::new(),
            forward_agent: false,
            record_input: false,
            max_duration: None,
            max_idle: None,
            end_with_certificate: false,
            continuous: false,
        }
    }
}

impl SessionRules {
    /// Whether a client may set the environment variable `name`.
    pub fn allows_environment(&self, name: &str) -> bool {
        self.environment.iter().any(|pattern| pattern.matches(name))
    }
}

/// The name of an environment variable, or a prefix followed by `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvironmentPattern(String);

/// Text that is no environment pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an environment variable's name, or a prefix followed by one '*'")]
pub struct EnvironmentPatternError(String);

impl EnvironmentPattern {
    fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix) && is_variable(name),
            None => name == self.0,
        }
    }

    /// What both match, if that is anything.
    fn meet(&self, other: &Self) -> Option<Self> {
        match (self.0.strip_suffix('*'), other.0.strip_suffix('*')) {
            (Some(one), Some(two)) if one.starts_with(two) => Some(self.clone()),
            (Some(one), Some(two)) if two.starts_with(one) => Some(other.clone()),
            (Some(_), Some(_)) => None,
            (None, _) => other.matches(&self.0).then(|| self.clone()),
            (Some(_), None) => self.matches(&other.0).then(|| other.clone()),
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

impl TryFrom<String> for EnvironmentPattern {
    type Error = EnvironmentPatternError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let stem = text.strip_suffix('*').unwrap_or(&text);
        if is_variable(stem) { Ok(Self(text)) } else { Err(EnvironmentPatternError(text.chars().take(64).collect())) }
    }
}

impl From<EnvironmentPattern> for String {
    fn from(pattern: EnvironmentPattern) -> String {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_role_that_says_little_allows_little() {
        let role: Role = toml::from_str("name = \"web\"\nprincipals = [\"deploy@{target}\"]\ntargets = [\"web1\"]").unwrap();
        assert_eq!(role.max_ttl, Ttl::DEFAULT);
        assert!(role.extensions.is_empty() && role.force_command.is_none() && !role.session.record_input);
    }

    #[test]
    fn an_unknown_key_or_extension_is_an_error() {
        for text in [
            "max_tll = \"5m\"",
            "extensions = [\"permit-everything\"]",
            "max_ttl = \"25h\"",
            "source_address = [\"anywhere\"]",
            "time_zone = \"Berlin\"",
            "session = { max_idle = \"0s\" }",
            "session = { max_duration = \"1y\" }",
        ] {
            let toml = format!("name = \"web\"\nprincipals = [\"deploy@{{target}}\"]\ntargets = [\"web1\"]\n{text}");
            assert!(toml::from_str::<Role>(&toml).is_err(), "{text}");
        }
    }

    #[test]
    fn environment_patterns_match_names_only() {
        let rules = SessionRules::default();
        assert!(rules.allows_environment("LANG") && rules.allows_environment("LC_ALL"));
        for name in ["LD_PRELOAD", "LANGUAGE", "LC_ALL=x\nLD_PRELOAD", "", "LC_\0"] {
            assert!(!rules.allows_environment(name), "{name:?}");
        }
        assert!(EnvironmentPattern::try_from("*".to_owned()).is_err());
    }

    #[test]
    fn extensions_have_openssh_names() {
        for extension in Extension::ALL {
            let json = serde_json::to_string(&extension).unwrap();
            assert_eq!(json, format!("\"{}\"", extension.as_str()));
            assert_eq!(Extension::named(extension.as_str()), Some(extension));
        }
    }
}
