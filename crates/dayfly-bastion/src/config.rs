//! `bastion.toml` → a checked [`Config`]. Every mistake is named with its place and what to write instead.

mod duration;
mod limits;
mod recording;

pub use limits::{Limits, Penalties};
pub use recording::RecordingConfig;

use dayfly_client::Pin;
use dayfly_core::{address::Network, name::BastionName};
use serde::Deserialize;
use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Everything that the bastion is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name at the CA.
    pub name: BastionName,
    /// Where it listens, at one address at least. Port 0: any free one.
    pub listen: Vec<SocketAddr>,
    /// The proxies in front of it: their connections begin with a header that names the client, and nobody else's do.
    pub proxies: Vec<Network>,
    /// The CA's origin: `https://host[:port]`.
    pub ca_url: String,
    /// The CA's TLS key. None: what the platform trusts.
    pub ca_pin: Option<Pin>,
    /// The enrolled key, which signs calls and recordings.
    pub enrolled_key: PathBuf,
    /// The host key that clients see.
    pub host_key: PathBuf,
    /// Where it keeps what must survive a restart.
    pub state: PathBuf,
    /// Where recordings go.
    pub recordings: PathBuf,
    /// What is shown before the login: a file.
    pub banner: Option<PathBuf>,
    /// What is shown when a terminal opens: a file.
    pub message_of_the_day: Option<PathBuf>,
    /// What clients may use up.
    pub limits: Limits,
    /// How recordings are kept.
    pub recording: RecordingConfig,
    /// What failing costs.
    pub penalties: Penalties,
    /// What operators see.
    pub metrics: Metrics,
}

/// What operators see, and when the bastion calls itself not ready.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Where metrics, health and readiness are served, in plain HTTP. None: nowhere.
    pub listen: Option<SocketAddr>,
    /// How old the inventory may be.
    #[serde(with = "duration")]
    pub inventory_stale_after: Duration,
    /// How much room the recordings' disk must have, in bytes.
    pub disk_reserve_bytes: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: None, inventory_stale_after: Duration::from_secs(60), disk_reserve_bytes: 256 * 1024 * 1024 }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It says something that it may not, at a place that the message names.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong there.
        message: String,
    },
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: BastionName,
    listen: OneOrMore,
    #[serde(default)]
    proxy_protocol_from: Vec<Network>,
    enrolled_key: PathBuf,
    host_key: PathBuf,
    state: PathBuf,
    recordings: PathBuf,
    #[serde(default)]
    banner: Option<PathBuf>,
    #[serde(default)]
    message_of_the_day: Option<PathBuf>,
    ca: Ca,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    recording: recording::Section,
    #[serde(default)]
    penalties: Penalties,
    #[serde(default)]
    metrics: Metrics,
}

/// An address, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "listen must be an address with a port, such as \"0.0.0.0:2222\", or a list of them")]
enum OneOrMore {
    One(SocketAddr),
    More(Vec<SocketAddr>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ca {
    url: String,
    #[serde(default)]
    pin: Option<String>,
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, directory).map_err(|message| ConfigError::Malformed { path: path.to_owned(), message })
    }

    fn parse(text: &str, directory: &Path) -> Result<Self, String> {
        let document: Document = toml::from_str(text).map_err(|error| error.to_string())?;
        let pin = document.ca.pin.map(|pin| pin.parse()).transpose().map_err(|error| format!("ca.pin: {error}"))?;
        let ca_url = dayfly_client::client::canonical_origin(&document.ca.url).map_err(|error| format!("ca.url: {error}"))?;
        document.limits.check()?;
        document.penalties.check()?;
        let listen = match document.listen {
            OneOrMore::One(address) => vec![address],
            OneOrMore::More(addresses) => addresses,
        };
        if listen.is_empty() {
            return Err("listen: name an address".to_owned());
        }
        let in_place = |path: PathBuf| directory.join(path);
        Ok(Self {
            name: document.name,
            listen,
            proxies: document.proxy_protocol_from,
            ca_url,
            ca_pin: pin,
            enrolled_key: in_place(document.enrolled_key),
            host_key: in_place(document.host_key),
            state: in_place(document.state),
            recordings: in_place(document.recordings),
            limits: document.limits,
            penalties: document.penalties,
            metrics: document.metrics,
            recording: document.recording.check()?,
            banner: document.banner.map(in_place),
            message_of_the_day: document.message_of_the_day.map(in_place),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EXAMPLE: &str = include_str!("../../../bastion-config.example.toml");

    #[test]
    fn the_example_is_a_configuration_and_says_the_defaults() {
        let config = Config::parse(EXAMPLE, Path::new("/etc/dayfly")).unwrap();
        assert_eq!(config.recording, RecordingConfig::default(), "nobody's key is anybody's default");
        assert_eq!((config.limits, config.penalties), (Limits::default(), Penalties::default()));
        assert_eq!(config.metrics, Metrics { listen: Some("127.0.0.1:9464".parse().unwrap()), ..Metrics::default() });
        assert_eq!((config.banner, config.message_of_the_day, config.proxies.len()), (None, None, 0));
        assert_eq!(config.enrolled_key, Path::new("/etc/dayfly/bastion_key"));
        assert!(config.ca_pin.is_some());
    }

    #[test]
    fn every_key_of_the_configuration_is_in_the_example() {
        let recording = ["session_bytes", "person_bytes_per_hour"];
        let keys = ["name", "listen", "proxy_protocol_from", "enrolled_key", "host_key", "state", "recordings", "url", "pin"];
        let optional = ["# banner", "# message_of_the_day", "# unseen_input_key"];
        let limits = [
            "login_grace",
            "max_unauthenticated",
            "early_drop_from",
            "early_drop_percent",
            "max_unauthenticated_per_address",
            "max_connections",
            "max_sessions",
            "max_sessions_per_person",
            "max_sessions_per_target",
            "session_max",
            "session_idle",
            "warn_before",
            "drain",
            "refresh",
        ];
        let penalties = ["failed_login", "no_login", "grace_exceeded", "malformed", "enforced_from", "longest", "exempt"];
        let metrics = ["inventory_stale_after", "disk_reserve_bytes"];
        for key in keys.into_iter().chain(optional).chain(limits).chain(penalties).chain(metrics).chain(recording) {
            assert!(EXAMPLE.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
        }
    }

    #[test]
    fn one_address_or_several() {
        let listen = |line: &str| {
            let text = EXAMPLE.replace("listen = \"0.0.0.0:2222\"", line);
            Config::parse(&text, Path::new("")).map(|config| config.listen.len())
        };
        assert_eq!(listen("listen = [\"0.0.0.0:22\", \"[::]:22\"]").unwrap(), 2);
        assert_eq!(listen("listen = \"[::]:22\"").unwrap(), 1);
        assert!(listen("listen = []").unwrap_err().contains("listen: name an address"));
        assert!(listen("listen = \"everywhere\"").unwrap_err().contains("0.0.0.0:2222"));
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        for (wrong, place) in [
            ("name = \"bastion1\"", "name = \"Bastion 1\""),
            ("login_grace = \"1m\"", "login_grace = \"soon\""),
            ("max_connections = 4096", "max_connection = 4096"),
            ("session_idle = \"never\"", "session_idle = \"often\""),
            ("exempt = []", "exempt = [\"everybody\"]"),
            ("proxy_protocol_from = []", "proxy_protocol_from = [\"10.0.0.1/8\"]"),
        ] {
            assert!(EXAMPLE.contains(wrong), "{wrong}");
            let error = Config::parse(&EXAMPLE.replace(wrong, place), Path::new("")).unwrap_err();
            assert!(error.contains("line "), "{error}");
        }
        for (from, to, said) in [
            ("https://", "http://", "ca.url"),
            ("sha256//", "sha1//", "ca.pin"),
            ("= 4096", "= 0", "limits"),
            ("longest = \"10m\"", "longest = \"10s\"", "penalties"),
        ] {
            let error = Config::parse(&EXAMPLE.replacen(from, to, 1), Path::new("")).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
