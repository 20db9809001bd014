//! `dayfly ssh-config`.

use super::{Context, cert::IN_AGENT};
use crate::{
    error::{Failure, Kind},
    output::{Form, Lines, Report},
    ssh_config::{
        Keys, Places, SshConfigError,
        files::{KnownHostsFiles, write},
        known_hosts, ssh_config,
    },
};
use serde::Serialize;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The names of the files that `--write` makes in the state directory.
const CONFIG_FILE: &str = "ssh_config";
const KNOWN_HOSTS_FILE: &str = "known_hosts";

/// Arguments of `dayfly ssh-config`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Write the configuration here instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write the keys of the authorities here; by default known_hosts in dayfly's directory
    #[arg(long, value_name = "FILE")]
    known_hosts: Option<PathBuf>,

    /// Where `dayfly cert --out DIR/TARGET` writes; by default the certificates are in the ssh-agent
    #[arg(long, value_name = "DIR")]
    certs: Option<PathBuf>,

    /// Write both files into dayfly's directory, to be included from ~/.ssh/config
    #[arg(long, conflicts_with = "out")]
    write: bool,
}

#[derive(Serialize)]
struct Answer {
    config_file: Option<PathBuf>,
    known_hosts_file: PathBuf,
    config: String,
    known_hosts: String,
}

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let mut connection = context.connect()?;
    let home = absolute(connection.state.path())?;
    let places = Places {
        known_hosts: match &arguments.known_hosts {
            Some(path) => absolute(path)?,
            None => home.join(KNOWN_HOSTS_FILE),
        },
        keys: match &arguments.certs {
            Some(path) => Keys::Files(absolute(path)?),
            None => Keys::Agent(home.join(IN_AGENT)),
        },
    };
    for problem in connection.catch_up().await? {
        context.output.notice(&format!("dayfly: {problem}"))?;
    }
    let destinations = connection.client.destinations().await?;
    let login = connection.login.subject.name().as_str();
    let known_hosts = known_hosts(&connection.trust.known_hosts).map_err(unusable)?;
    let config = ssh_config(&destinations, login, &places).map_err(unusable)?;
    let config_file = if arguments.write { Some(home.join(CONFIG_FILE)) } else { arguments.out.as_deref().map(absolute).transpose()? };
    // The configuration is of no use without the keys that it names.
    write(&places.known_hosts, &known_hosts)?;
    if !KnownHostsFiles::remember(&connection.state, &places.known_hosts)? {
        let path = places.known_hosts.display();
        context
            .output
            .notice(&format!("dayfly: {path} is one file too many to be kept up to date: write it again when the CA has other keys"))?;
    }
    if let Some(path) = &config_file {
        write(path, &config)?;
    }
    let answer = Answer { config_file, known_hosts_file: places.known_hosts, config, known_hosts };
    match (context.output.form(), &answer.config_file) {
        (Form::Text, None) => context.output.document(&answer.config)?,
        _ => context.output.report(&answer)?,
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::new(Kind::Usage, format!("{} is not a path", path.display())).because(error))
}

fn unusable(error: SshConfigError) -> Failure {
    let remedy = match &error {
        SshConfigError::Path(_) => "name another place with --known-hosts, --certs or --home",
        SshConfigError::Address { .. } | SshConfigError::KnownHosts(_) => "tell whoever runs the CA",
    };
    Failure::new(Kind::Failed, "no safe configuration for ssh can be made").because(error).remedy(remedy)
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let Some(path) = &self.config_file else { return Ok(()) };
        lines.field("written", &format!("{}, {}", path.display(), self.known_hosts_file.display()))?;
        lines.field("next", &format!("put this first in ~/.ssh/config: Include \"{}\"", path.display()))
    }
}
