//! `dayfly-ca user`: enrol, disable and list people and machines.

use super::{enrolled_key, event, list, open_store, wait};
use crate::store::{Change, Person, PersonKey, Store};
use anyhow::bail;
use clap::{Args, Subcommand};
use dayfly_core::{
    audit::Event,
    identity::Subject,
    name::{GroupName, SubjectName},
};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
};

/// What to do with people and machines.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Enrol somebody with an SSH key
    Add(Add),
    /// End somebody's access: no new certificates, no new sessions. The name stays theirs
    Disable(Disable),
    /// Take somebody's second factors away: they lost them, and enrol others. Make sure that it is they who ask
    ResetFactors(ResetFactors),
    /// List everybody
    List(List),
}

/// Whom to enrol.
#[derive(Debug, Args)]
pub struct Add {
    /// The name, as certificates, policies and the log write it
    name: SubjectName,
    /// The public key that proves who they are
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A group that policies speak of; repeat it for more
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<GroupName>,
    /// It is a machine, written `machine:NAME`
    #[arg(long)]
    machine: bool,
}

/// Whom to disable.
#[derive(Debug, Args)]
pub struct Disable {
    /// The name; `machine:NAME` for a machine
    name: Subject,
}

/// Whose second factors to take away.
#[derive(Debug, Args)]
pub struct ResetFactors {
    /// The name
    name: Subject,
}

/// How to list.
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON, an array
    #[arg(long)]
    json: bool,
}

impl User {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => add.run(config, out),
            Self::Disable(disable) => disable.run(config, out),
            Self::ResetFactors(reset) => reset.run(config, out),
            Self::List(list) => list.run(config, out),
        }
    }
}

impl Add {
    fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let name = self.name.clone();
        let subject = if self.machine { Subject::Machine(name) } else { Subject::Person(name) };
        let groups: BTreeSet<GroupName> = self.groups.iter().cloned().collect();
        let key = enrolled_key::read(&self.key)?;
        let about = event(Event::UserAdded).subject(&subject).fact("key", &key.fingerprint).fact("groups", list(&groups));
        let told = format!("{subject} is enrolled with {}, groups: {}", key.fingerprint, list(&groups));
        let key = Some(PersonKey { fingerprint: key.fingerprint, line: key.line });
        let person = Person { subject, key, account: None, groups, disabled: false };
        wait(open_store(config)?.commit(Change::AddPerson(person), about))??;
        Ok(writeln!(out, "{told}")?)
    }
}

impl Disable {
    fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let store = open_store(config)?;
        match wait(store.person(&self.name))?? {
            None => bail!("there is no {}: `dayfly-ca user list` lists everybody", self.name),
            Some(person) if person.disabled => return Ok(writeln!(out, "{} was disabled already", self.name)?),
            Some(_) => {}
        }
        let about = event(Event::UserDisabled).subject(&self.name);
        wait(store.commit(Change::DisablePerson(self.name.clone()), about))??;
        Ok(writeln!(out, "{} is disabled: no new certificates, no new sessions", self.name)?)
    }
}

impl ResetFactors {
    fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let store = open_store(config)?;
        if wait(store.authenticator(&self.name))??.is_none() && wait(store.credentials(&self.name))??.is_empty() {
            bail!("{} has no second factor", self.name);
        }
        let about = event(Event::FactorsReset).subject(&self.name);
        wait(store.commit(Change::RemoveFactors(self.name.clone()), about))??;
        Ok(writeln!(out, "{} has no second factor any more, and may enrol one: dayfly factor add", self.name)?)
    }
}

/// A person as `--json` prints them.
#[derive(Serialize)]
struct Listed<'a> {
    subject: &'a Subject,
    groups: &'a BTreeSet<GroupName>,
    key: Option<&'a str>,
    public_key: Option<&'a str>,
    /// The provider, its id of them, and how it calls them.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer_subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<&'a str>,
    disabled: bool,
}

impl List {
    fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let people = wait(open_store(config)?.people())??;
        if self.json {
            let listed: Vec<_> = people.iter().map(Listed::from).collect();
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&listed)?)?);
        }
        for person in &people {
            let ended = if person.disabled { ", disabled" } else { "" };
            writeln!(out, "{}  {}  groups: {}{ended}", person.subject, known_by(person), list(&person.groups))?;
        }
        Ok(())
    }
}

/// By what the CA knows somebody. What a provider calls them may hold anything.
fn known_by(person: &Person) -> String {
    match (&person.key, &person.account) {
        (Some(key), _) => key.fingerprint.clone(),
        (None, Some(account)) => match &account.shown {
            Some(shown) => format!("{} ({})", account.issuer, shown.escape_debug()),
            None => account.issuer.clone(),
        },
        (None, None) => "no key".to_owned(),
    }
}

impl<'a> From<&'a Person> for Listed<'a> {
    fn from(person: &'a Person) -> Self {
        Self {
            subject: &person.subject,
            groups: &person.groups,
            key: person.key.as_ref().map(|key| key.fingerprint.as_str()),
            public_key: person.key.as_ref().map(|key| key.line.as_str()),
            issuer: person.account.as_ref().map(|account| account.issuer.as_str()),
            issuer_subject: person.account.as_ref().map(|account| account.subject.as_str()),
            shown: person.account.as_ref().and_then(|account| account.shown.as_deref()),
            disabled: person.disabled,
        }
    }
}
