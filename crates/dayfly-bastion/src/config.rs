//! `bastion.toml` → a checked [`Config`]. Every mistake is named with its place and what to write instead.

mod recording;

use dayfly_client::Pin;
use dayfly_core::name::BastionName;
pub use recording::RecordingConfig;
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
    /// Where it listens. Port 0: any free one.
    pub listen: SocketAddr,
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
    /// What clients may use up.
    pub limits: Limits,
    /// How recordings are kept.
    pub recording: RecordingConfig,
}

/// What clients may use up, so that no one of them can take the bastion from the others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How long a client may take to log in.
    #[serde(with = "duration")]
    pub login_grace: Duration,
    /// Connections in all that are not logged in yet.
    pub max_unauthenticated: usize,
    /// Connections of one address that are not logged in yet.
    pub max_unauthenticated_per_address: usize,
    /// Connections in all.
    pub max_connections: usize,
    /// How long sessions may go on after the bastion was asked to stop.
    #[serde(with = "duration")]
    pub drain: Duration,
    /// How often the CA is asked what changed.
    #[serde(with = "duration")]
    pub refresh: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login_grace: Duration::from_secs(60),
            max_unauthenticated: 256,
            max_unauthenticated_per_address: 32,
            max_connections: 4096,
            drain: Duration::from_secs(30),
            refresh: Duration::from_secs(5),
        }
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
    listen: SocketAddr,
    enrolled_key: PathBuf,
    host_key: PathBuf,
    state: PathBuf,
    recordings: PathBuf,
    ca: Ca,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    recording: recording::Section,
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
        let limits = document.limits;
        if limits.max_unauthenticated == 0 || limits.max_unauthenticated_per_address == 0 || limits.max_connections == 0 {
            return Err("limits: a limit of 0 would let nobody in".to_owned());
        }
        if limits.login_grace.is_zero() || limits.refresh.is_zero() {
            return Err("limits: login_grace and refresh must be longer than 0s".to_owned());
        }
        let in_place = |path: PathBuf| directory.join(path);
        Ok(Self {
            name: document.name,
            listen: document.listen,
            ca_url,
            ca_pin: pin,
            enrolled_key: in_place(document.enrolled_key),
            host_key: in_place(document.host_key),
            state: in_place(document.state),
            recordings: in_place(document.recordings),
            limits,
            recording: document.recording.check()?,
        })
    }
}

/// Durations as people write them: `30s`, `5m`.
mod duration {
    use serde::{Deserialize, Deserializer, de::Error};
    use std::time::Duration;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|error| D::Error::custom(format!("{text:?} is not a duration ({error}): write 30s or 5m")))
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
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.recording.bounds, RecordingConfig::default().bounds);
        assert!(config.recording.unseen_input_key.is_some());
        assert_eq!(config.enrolled_key, Path::new("/etc/dayfly/bastion_key"));
        assert!(config.ca_pin.is_some());
    }

    #[test]
    fn every_key_of_the_configuration_is_in_the_example() {
        let keys = ["name", "listen", "enrolled_key", "host_key", "state", "recordings", "url", "pin"];
        let limits = ["login_grace", "max_unauthenticated", "max_unauthenticated_per_address", "max_connections", "drain", "refresh"];
        let recording = ["session_bytes", "person_bytes_per_hour", "unseen_input_key"];
        for key in keys.into_iter().chain(limits).chain(recording) {
            assert!(EXAMPLE.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        for (wrong, place) in [
            ("name = \"bastion1\"", "name = \"Bastion 1\""),
            ("login_grace = \"1m\"", "login_grace = \"soon\""),
            ("max_connections = 4096", "max_connection = 4096"),
        ] {
            assert!(EXAMPLE.contains(wrong), "{wrong}");
            let error = Config::parse(&EXAMPLE.replace(wrong, place), Path::new("")).unwrap_err();
            assert!(error.contains("line "), "{error}");
        }
        for (from, to, said) in [("https://", "http://", "ca.url"), ("sha256//", "sha1//", "ca.pin"), ("= 4096", "= 0", "limits")] {
            let error = Config::parse(&EXAMPLE.replacen(from, to, 1), Path::new("")).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
