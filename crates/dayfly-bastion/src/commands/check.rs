//! `dayfly-bastion check`: everything that a start would stumble over, told at once.

use crate::{
    assemble,
    authority::{Authority, Snapshot},
    config::Config,
    files,
    settings::Settings,
};
use anyhow::bail;
use clap::Args;
use serde::Serialize;
use std::{fs, io::Write, path::Path};

/// What `check --help` ends with.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  no mistake was found
  1  mistakes were found; each is told with its remedy
  2  the command line is wrong
  3  the configuration cannot be read";

/// How to check, and how to tell.
#[derive(Debug, Args)]
pub struct Check {
    /// Do not ask the CA
    #[arg(long)]
    offline: bool,
    /// Print JSON: an object with the array `mistakes`
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    mistakes: &'a [String],
}

impl Check {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let config = Config::load(config)?;
        let mut mistakes = check_files(&config);
        if !self.offline && mistakes.is_empty() {
            mistakes.extend(ask_ca(&config)?);
        }
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&Report { mistakes: &mistakes })?)?;
        } else {
            mistakes.iter().try_for_each(|mistake| writeln!(out, "{mistake}"))?;
        }
        match mistakes.len() {
            0 if self.json => Ok(()),
            0 => Ok(writeln!(out, "no mistakes")?),
            1 => bail!("1 mistake"),
            many => bail!("{many} mistakes"),
        }
    }
}

fn check_files(config: &Config) -> Vec<String> {
    let mut mistakes = Vec::new();
    if let Err(error) = files::read_private_key(&config.enrolled_key) {
        mistakes.push(format!("enrolled_key {}: {error}; `dayfly-bastion key` makes one", config.enrolled_key.display()));
    }
    if config.host_key.exists()
        && let Err(error) = files::read_private_key(&config.host_key)
    {
        mistakes.push(format!("host_key {}: {error}", config.host_key.display()));
    }
    if let Err(error) = Settings::of(config) {
        mistakes.push(error.to_string());
    }
    for (key, directory) in [("state", &config.state), ("recordings", &config.recordings)] {
        if let Err(error) = try_write(directory) {
            mistakes.push(format!("{key} {}: {error}; make a directory that belongs to the bastion's user", directory.display()));
        }
    }
    mistakes
}

/// Whether a file can be made there, and leaves none.
fn try_write(directory: &Path) -> std::io::Result<()> {
    files::make_private_directory(directory)?;
    let probe = directory.join(".check");
    files::write_private(&probe, b"")?;
    fs::remove_file(probe)
}

fn ask_ca(config: &Config) -> anyhow::Result<Vec<String>> {
    let key = files::read_private_key(&config.enrolled_key)?;
    let authority = assemble::authority(config, key)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(match runtime.block_on(authority.inventory()) {
        Err(error) => vec![format!("ca {}: {error}", config.ca_url)],
        Ok(inventory) => Snapshot::new(&config.name, inventory).err().map(|error| error.to_string()).into_iter().collect(),
    })
}
