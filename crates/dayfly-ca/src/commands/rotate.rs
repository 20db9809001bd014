//! `dayfly-ca rotate`: has an authority's key give way to a new one. The CA that serves does it; this says that it shall, and shows how far it is.

mod status;

pub use status::Status;

use super::{event, list, open_store, told_with_remedy, wait};
use crate::{
    config::{self, Custody, Keys, settings::Settings},
    rotate::{self, Prepared},
    signer::{
        Keyring,
        away::AwaySigner,
        generate,
        keyring::{latest, place_in_words},
        open,
        secrets::Secrets,
    },
    store::{Store, rotation::RotationRecord, sqlite::SqliteStore},
};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use dayfly_core::{
    audit::{AuditEvent, Event},
    rotation::{Purpose, Stage},
    signature::fingerprint,
    signer::Signer,
};
use ssh_key::public::KeyData;
use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What `rotate --help` ends with.
pub const NOTES: &str = "\
A rotation goes by itself from here, as long as the CA serves:
  prepared    the new key exists
  published   both keys are trusted; the old one signs, until everybody who trusts it was seen with the new one
  switched    the new key signs; the old one is trusted until its last certificate has ended
  retired     the new key alone is trusted

Who has to be seen:
  user         every bastion, and every passthrough target
  session      every recorded target
  host         the bastions whose targets it certifies; people count as told after [rotation] people_told_after
  inner-host   people, likewise
Targets are seen if they were enrolled as hosts (dayfly host enroll). --despite NAME leaves one behind that is not: it locks people out there.

The new key is a file beside the old one, encrypted if that is; or the one that [keys.next] in ca.toml names, in an agent or on a token.

Exit codes:
  0  done
  1  failed; the text on standard error tells the cause and the next step
  2  the command line is wrong
  3  the configuration, or a file that it names, is wrong";

/// The longest that any certificate lives, in seconds: a host's, 90 days.
const LONGEST_LIFE: u64 = 90 * 24 * 60 * 60;

/// Whose key, or how far all are.
#[derive(Debug, Subcommand)]
pub enum Rotate {
    /// The key that signs people's and machines' certificates
    User(Turn),
    /// The key that signs session certificates
    Session(Turn),
    /// The key that signs host certificates
    Host(Turn),
    /// The key that signs what a bastion shows in the place of a recorded target
    InnerHost(Turn),
    /// Show how far each rotation is, and what it waits for
    Status(Status),
}

/// What to do with a rotation.
#[derive(Debug, Args)]
pub struct Turn {
    /// Leave this one behind if it was not seen with the new key: bastion:NAME, target:NAME or people, as `rotate status` names them; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "abandon")]
    despite: Vec<String>,
    /// Give up the rotation that is under way: the old key stays. Not once the new one signs
    #[arg(long)]
    abandon: bool,
    /// The old key is lost: the new one signs at once. Nobody vouches for it, and whoever was not told of it is locked out: hosts and bastions for minutes,
    /// people until they log in again with --accept-new-keys
    #[arg(long, conflicts_with_all = ["abandon", "despite"])]
    without_old_key: bool,
    /// Print JSON, an object, as `rotate status --json` prints an array of
    #[arg(long)]
    json: bool,
}

impl Rotate {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::User(turn) => turn.run(Purpose::User, config, out),
            Self::Session(turn) => turn.run(Purpose::Session, config, out),
            Self::Host(turn) => turn.run(Purpose::Host, config, out),
            Self::InnerHost(turn) => turn.run(Purpose::InnerHost, config, out),
            Self::Status(status) => status.run(config, out),
        }
    }
}

impl Turn {
    fn run(&self, purpose: Purpose, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let settings = settings(config)?;
        let store = open_store(config)?;
        let rotations = wait(store.rotations())??;
        let under_way = latest(&rotations, purpose).filter(|record| !record.rotation.is_over());
        let despite: BTreeSet<String> = self.despite.iter().cloned().collect();
        check_names(config, &despite)?;
        match under_way {
            Some(record) if self.abandon => {
                wait(rotate::abandon(&store, record, event(Event::RotationAbandoned)))?.map_err(told_with_remedy)?;
                let place = place_in_words(&settings.keys, purpose, record);
                if !self.json {
                    writeln!(out, "the rotation of the {purpose} CA is abandoned, and its key stays. The other one: {place}")?;
                    writeln!(
                        out,
                        "Take it out of what was set up by hand. If others may have it: dayfly-ca revoke ca {}",
                        fingerprint(&record.new_key)
                    )?;
                }
            }
            None if self.abandon => bail!("no rotation of the {purpose} CA is under way: `dayfly-ca rotate status` shows them"),
            Some(_) if self.without_old_key => bail!("a rotation of the {purpose} CA is under way: abandon it first"),
            Some(record) if !despite.is_empty() => {
                wait(rotate::despite(&store, record, despite, event(Event::RotationDespite)))??;
            }
            Some(_) => {}
            None => {
                let record = if self.without_old_key {
                    begin_anew(&settings, &store, &rotations, purpose)?
                } else {
                    begin(&settings, &store, &rotations, purpose, despite)?
                };
                if !self.json {
                    let place = place_in_words(&settings.keys, purpose, &record);
                    writeln!(out, "the {purpose} CA is to have the key {}: {place}", fingerprint(&record.new_key))?;
                    writeln!(out, "The CA that serves goes on from here. `dayfly-ca rotate status` shows what it waits for.")?;
                    return Ok(());
                }
            }
        }
        status::show(config, &store, Some(purpose), self.json, out)
    }
}

fn settings(config: &Path) -> anyhow::Result<Settings> {
    let examined = config::examine(config);
    examined.settings.ok_or_else(|| examined.mistakes.into())
}

/// Finds or makes the new key, and puts down that it shall take the old one's place.
fn begin(
    settings: &Settings,
    store: &SqliteStore,
    rotations: &[RotationRecord],
    purpose: Purpose,
    despite: BTreeSet<String>,
) -> anyhow::Result<RotationRecord> {
    let secrets = Secrets::of_this_process();
    // Opening them all asks for the passphrase, and makes sure that it is theirs.
    let keyring = Keyring::load(&settings.keys, &secrets, rotations)?;
    let old_key = keyring.signer(purpose).public_key().clone();
    let in_use = keyring.every_key();
    let about = event(Event::RotationPrepared);
    let (new_key, file) = new_key(settings, rotations, purpose, &secrets, &about.time.date().to_string())?;
    let prepared = Prepared { purpose, old_key, new_key, file, despite, stage: Stage::Prepared };
    put_down(store, prepared, &in_use, about)
}

/// The same where the key that signs is lost: nobody can vouch for the new one.
fn begin_anew(settings: &Settings, store: &SqliteStore, rotations: &[RotationRecord], purpose: Purpose) -> anyhow::Result<RotationRecord> {
    let Some(latest) = latest(rotations, purpose) else {
        bail!("no rotation remembers the {purpose} CA's key: name another one as {} in ca.toml", settings.keys.of(purpose).purpose)
    };
    let secrets = Secrets::of_this_process();
    // What is lost is in the way of nothing but itself.
    let away = AwaySigner::new(latest.signing_key().clone(), "it is lost");
    let keyring = Keyring::load_without(&settings.keys, &secrets, rotations, purpose, &Arc::new(away))?;
    let about = event(Event::RotationSwitched).fact("without_old_key", true);
    let (new_key, file) = new_key(settings, rotations, purpose, &secrets, &about.time.date().to_string())?;
    let now = u64::try_from(about.time.unix_timestamp()).unwrap_or_default();
    let last_end = wait(store.last_end(purpose))??.max(now.saturating_add(LONGEST_LIFE));
    let (old_key, stage) = (latest.signing_key().clone(), Stage::Switched { last_end });
    put_down(store, Prepared { purpose, old_key, new_key, file, despite: BTreeSet::new(), stage }, &keyring.every_key(), about)
}

/// The key that `[keys.next]` names, or a new file.
fn new_key(
    settings: &Settings,
    rotations: &[RotationRecord],
    purpose: Purpose,
    secrets: &Secrets,
    date: &str,
) -> anyhow::Result<(KeyData, Option<PathBuf>)> {
    match settings.keys.next.get(&purpose) {
        Some(next) => Ok((proven(open(next, secrets)?)?, None)),
        None => make(settings, rotations, purpose, secrets, date).map(|(key, file)| (key, Some(file))),
    }
}

fn put_down(store: &SqliteStore, prepared: Prepared, in_use: &[KeyData], about: AuditEvent) -> anyhow::Result<RotationRecord> {
    let made = prepared.file.clone();
    wait(rotate::prepare(store, prepared, in_use, about))?.map_err(|failure| {
        let error = told_with_remedy(failure);
        match made {
            Some(file) => error.context(format!("{} was made and is of no use", file.display())),
            None => error,
        }
    })
}

/// A key that cannot sign is found out before anybody is told of it.
fn proven(signer: Arc<dyn Signer>) -> anyhow::Result<KeyData> {
    dayfly_core::signature::sign_verified(signer.as_ref(), b"dayfly rotation: does this key sign?")?;
    Ok(signer.public_key().clone())
}

/// A new file beside the one that signs now.
fn make(
    settings: &Settings,
    rotations: &[RotationRecord],
    purpose: Purpose,
    secrets: &Secrets,
    date: &str,
) -> anyhow::Result<(KeyData, PathBuf)> {
    // The CA that serves may have been started elsewhere, so that the path that it is given has to be whole.
    let first = std::path::absolute(first_file(&settings.keys, purpose)?)?;
    let current = latest(rotations, purpose).filter(|record| record.rotation.new_key_signs()).and_then(|record| record.file.as_ref());
    // Where that one is lost, the log's key tells how this CA protects its own.
    let protected_like = [current.unwrap_or(&first).as_path(), settings.keys.log.place()].into_iter().find(|path| path.exists());
    let protected_like = protected_like.with_context(|| format!("{} is not there, and neither is the log's key", first.display()))?;
    let made = generate::beside(&first, protected_like, secrets, &format!("dayfly {purpose} CA"), date);
    made.with_context(|| format!("no key could be made beside {}", first.display()))
}

fn first_file(keys: &Keys, purpose: Purpose) -> anyhow::Result<&PathBuf> {
    let key = keys.of(purpose);
    match &key.custody {
        Custody::File(path) => Ok(path),
        Custody::Agent(_) | Custody::Token(_) => {
            let remedy = format!("make a new key there, and name it as [keys.next] {}", key.purpose);
            Err(key.mistake("it is no file, so no key can be made beside it", remedy).into())
        }
    }
}

/// A name that nobody has would wait for ever beside the one that was meant.
fn check_names(config: &Path, names: &BTreeSet<String>) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let book = crate::commands::rules(config)?;
    let bastions = wait(open_store(config)?.bastions())??;
    let known: BTreeSet<String> = bastions
        .iter()
        .map(|bastion| format!("bastion:{}", bastion.name))
        .chain(book.inventory.iter().map(|target| format!("target:{}", target.name)))
        .chain(["people".to_owned()])
        .collect();
    match names.difference(&known).next() {
        Some(unknown) => bail!("there is no {unknown}: name one of {}", list(&known)),
        None => Ok(()),
    }
}
