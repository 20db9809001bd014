//! The part of the configuration that SIGHUP reads anew: limits, penalties, and what people are shown.

use crate::config::{Config, Limits, Penalties};
use std::{io, path::Path, sync::Arc};
use tokio::sync::watch;

/// The largest text that people are shown, in bytes.
const LARGEST_TEXT: usize = 16 * 1024;

/// What is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// What clients may use up.
    pub limits: Limits,
    /// What failing costs.
    pub penalties: Penalties,
    /// What is shown before the login, with line ends for a terminal.
    pub banner: Option<String>,
    /// What is shown when a terminal opens, with line ends for a terminal.
    pub message_of_the_day: Option<String>,
}

/// Whoever follows them has what is in force now.
pub type CurrentSettings = watch::Receiver<Arc<Settings>>;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// A file that it names cannot be read.
    #[error("{key} {path}: {source}")]
    Text {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

impl Settings {
    /// Those of a configuration, with the files that it names.
    pub fn of(config: &Config) -> Result<Self, SettingsError> {
        Ok(Self {
            limits: config.limits.clone(),
            penalties: config.penalties.clone(),
            banner: read("banner", config.banner.as_deref())?,
            message_of_the_day: read("message_of_the_day", config.message_of_the_day.as_deref())?,
        })
    }
}

/// Reads the configuration again, and puts what it can into force. A file that cannot be used changes nothing. What needs a restart is named.
pub fn reload(path: &Path, began_with: &Config, current: &watch::Sender<Arc<Settings>>) -> Result<(), SettingsError> {
    let config = Config::load(path)?;
    let settings = Settings::of(&config)?;
    let later: Vec<&str> = [
        ("name", config.name == began_with.name),
        ("listen", config.listen == began_with.listen),
        ("proxy_protocol_from", config.proxies == began_with.proxies),
        ("enrolled_key", config.enrolled_key == began_with.enrolled_key),
        ("host_key", config.host_key == began_with.host_key),
        ("state", config.state == began_with.state),
        ("recordings", config.recordings == began_with.recordings),
        ("ca", config.ca_url == began_with.ca_url && config.ca_pin == began_with.ca_pin),
        ("metrics", config.metrics == began_with.metrics),
        ("recording", config.recording == began_with.recording),
        ("limits.refresh", config.limits.refresh == began_with.limits.refresh),
    ]
    .into_iter()
    .filter_map(|(key, same)| (!same).then_some(key))
    .collect();
    if !later.is_empty() {
        tracing::warn!(keys = later.join(", "), "these have changed, and need a restart");
    }
    let changed = current.send_if_modified(|now| {
        let changes = **now != settings;
        *now = Arc::new(settings);
        changes
    });
    tracing::info!(changed, "the configuration was read again");
    Ok(())
}

fn read(key: &'static str, path: Option<&Path>) -> Result<Option<String>, SettingsError> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::read_to_string(path).and_then(|text| match text.len() {
        0..=LARGEST_TEXT => Ok(text),
        length => Err(io::Error::other(format!("{length} bytes are more than {LARGEST_TEXT}"))),
    });
    let text = text.map_err(|source| SettingsError::Text { key, path: path.display().to_string(), source })?;
    Ok(Some(for_terminal(&text)))
}

/// Ends lines as a terminal wants them, in cooked and raw mode alike. Control characters have no place in a text for people.
fn for_terminal(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    text.lines().map(|line| line.chars().map(shown).collect::<String>() + "\r\n").collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CONFIG: &str = "name = \"gate\"\nlisten = \"127.0.0.1:0\"\nenrolled_key = \"key\"\nhost_key = \"host\"\nstate = \"state\"\nrecordings = \"r\"\nbanner = \"banner\"\n[ca]\nurl = \"https://ca.example\"\n";

    #[test]
    fn what_can_be_read_again_is_and_a_bad_file_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bastion.toml");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write(CONFIG);
        std::fs::write(directory.path().join("banner"), "hello\nyou\u{1b}[2J\n").unwrap();
        let config = Config::load(&path).unwrap();
        let sender = watch::Sender::new(Arc::new(Settings::of(&config).unwrap()));
        assert_eq!(sender.borrow().banner.as_deref(), Some("hello\r\nyou\u{fffd}[2J\r\n"));
        write(&format!("{CONFIG}[limits]\nmax_sessions = 7\n"));
        reload(&path, &config, &sender).unwrap();
        assert_eq!(sender.borrow().limits.max_sessions, 7);
        for bad in ["[limits]\nmax_sessions = 0\n", "[limits]\nmax_session = 1\n", "[penalties]\nlongest = \"1s\"\n", "listen"] {
            write(&format!("{CONFIG}{bad}"));
            assert!(reload(&path, &config, &sender).is_err(), "{bad}");
            assert_eq!(sender.borrow().limits.max_sessions, 7, "{bad}");
        }
        write(CONFIG);
        std::fs::remove_file(directory.path().join("banner")).unwrap();
        assert!(reload(&path, &config, &sender).unwrap_err().to_string().starts_with("banner "));
        std::fs::write(directory.path().join("banner"), "x".repeat(LARGEST_TEXT + 1)).unwrap();
        assert!(reload(&path, &config, &sender).is_err());
    }
}
