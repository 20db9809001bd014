//! `dayfly-bastion key`: the key that the bastion is enrolled by.

use crate::{config::Config, files};
use anyhow::Context;
use clap::Args;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Which key.
#[derive(Debug, Args)]
pub struct Key {
    /// The key's file, instead of the one in the configuration: for before there is a configuration
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Key {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let path = match &self.file {
            Some(path) => path.clone(),
            None => Config::load(config)?.enrolled_key,
        };
        let key = files::read_or_make_private_key(&path).with_context(|| format!("the key {} cannot be used", path.display()))?;
        Ok(writeln!(out, "{}", key.public_key().to_openssh()?)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let key = Key { file: Some(directory.path().join("bastion_key")) };
        let print = || {
            let mut out = Vec::new();
            key.run(Path::new("nowhere.toml"), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let first = print();
        assert!(first.starts_with("ssh-ed25519 ") && first.ends_with('\n'));
        assert_eq!(print(), first);
    }
}
