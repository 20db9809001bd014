//! `dayfly-ca host` and `dayfly-ca hosts`: enrol, disable and watch hosts.

mod add;
mod list;

pub use add::{Add, Token};
pub use list::List;

use super::{event, open_store, wait};
use crate::store::{Change, Store, host};
use anyhow::bail;
use clap::{Args, Subcommand};
use dayfly_core::{audit::Event, name::HostName};
use std::{io::Write, path::Path};

/// What to do with hosts.
#[derive(Debug, Subcommand)]
pub enum Host {
    /// Name a host, and print the token with which it enrols its host key, once
    Add(Add),
    /// Print a new token for a host, whose key is replaced when it is used. A disabled host comes back with it
    Token(Token),
    /// End a host's enrolment: no new certificates. The one that it has lives to its end
    Disable(Disable),
    /// The same as `dayfly-ca hosts`
    List(List),
}

/// Which host to disable.
#[derive(Debug, Args)]
pub struct Disable {
    /// Its name, as `dayfly-ca hosts` shows it
    name: HostName,
}

impl Host {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => add.run(config, out),
            Self::Token(token) => token.run(config, out),
            Self::Disable(disable) => disable.run(config, out),
            Self::List(list) => list.run(config, out),
        }
    }
}

impl Disable {
    fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let store = open_store(config)?;
        if find(&store, &self.name)?.disabled {
            return Ok(writeln!(out, "{} was disabled already", self.name)?);
        }
        let about = event(Event::HostDisabled).fact("host", &self.name);
        wait(store.commit(Change::DisableHost(self.name.clone()), about))??;
        Ok(writeln!(out, "{} is disabled: it gets no new certificate, and the one that it has lives to its end", self.name)?)
    }
}

fn find(store: &dyn Store, name: &HostName) -> anyhow::Result<host::Host> {
    match wait(store.hosts())??.into_iter().find(|host| host.name == *name) {
        Some(host) => Ok(host),
        None => bail!("there is no host {name}: `dayfly-ca hosts` lists them all"),
    }
}
