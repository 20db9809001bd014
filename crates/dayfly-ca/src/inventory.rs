//! The inventory's sources: read in the background, judged, kept in the store, and put in force with everything else as one rule book.
//!
//! | Part | What it is |
//! |---|---|
//! | `trouble` | why an answer cannot be used |
//! | `judge` | what a source may say |
//! | `compose` | the document's targets and each source's → one rule book |
//! | [`reader`] | the port that reads a source, and its adapters: a directory, a program |
//! | [`refresh`] | when each is read |
//!
//! A source that cannot be read, says what it may not say, or lists a host that is listed elsewhere changes nothing: what it said last stays in force, over a
//! restart of the CA too. Nothing here is ever done for a request. Facts of the events: `source`, `targets`, `added`, `removed`, `changed`; of a failure `kind`.

mod compose;
mod judge;
pub mod reader;
pub mod refresh;
#[cfg(test)]
mod tests;
mod trouble;

pub use compose::{Answers, Composed, compose};
pub use judge::Taken;
pub use trouble::Trouble;

use crate::{
    authority::Authority,
    config::{RuleBook, SourceSettings},
    failure::Failure,
    store::{
        Change, Store, StoreError,
        inventory::{SourceAnswer, SourceRecord, SourceTrouble},
    },
};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    name::SourceName,
    target::Target,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{Mutex, Notify};

/// What the rule book in force is composed of.
#[derive(Default)]
pub struct Sources {
    held: Mutex<Held>,
    changed: Notify,
    is_failing: AtomicBool,
}

impl Sources {
    /// Whether the last reading of any source came to nothing.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    fn tell(&self, held: &Held) {
        self.is_failing.store(!held.failing.is_empty(), Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Held {
    /// The rules as the document has them; `None` where no document was read.
    written: Option<Arc<RuleBook>>,
    settings: Arc<Vec<SourceSettings>>,
    answers: Answers,
    /// The sources whose last answer cannot be used beside the others.
    aside: BTreeSet<SourceName>,
    /// The sources whose last reading came to nothing.
    failing: BTreeSet<SourceName>,
}

/// Composes what is in force at a start: the document's rules, and what each source said last.
pub async fn begin(store: &dyn Store, written: RuleBook, settings: Vec<SourceSettings>) -> Result<(RuleBook, Sources), Failure> {
    let (answers, taken) = (kept(&store.inventory_sources().await?, &settings), Taken::of(store).await?);
    let (written, settings) = (Arc::new(written), Arc::new(settings));
    let composed = compose_beside(&written, &settings, &answers, taken).await?;
    for (source, trouble) in &composed.aside {
        tracing::error!(%source, "what a source of the inventory said last cannot be used: {trouble}");
    }
    let aside: BTreeSet<SourceName> = composed.aside.into_keys().collect();
    let held = Held { written: Some(written), settings, answers, failing: aside.clone(), aside };
    let sources = Sources::default();
    sources.tell(&held);
    *sources.held.lock().await = held;
    Ok((composed.book, sources))
}

/// What would be in force beside these rules, for whoever looks at a CA from outside.
pub async fn in_force(store: &dyn Store, written: &RuleBook, settings: &[SourceSettings]) -> Result<Composed, StoreError> {
    let answers = kept(&store.inventory_sources().await?, settings);
    Ok(compose(written, settings, &answers, &Taken::of(store).await?))
}

/// Puts other rules in force, with what each of their sources said last, and has every source read anew. Rules that list a host which a source in force lists
/// already are refused: the source's other targets would go with it.
pub async fn replace(authority: &Authority, written: RuleBook, settings: Vec<SourceSettings>) -> Result<Result<(), Trouble>, Failure> {
    let sources = &authority.sources;
    let mut held = sources.held.lock().await;
    let (answers, taken) = (kept(&authority.store.inventory_sources().await?, &settings), Taken::of(authority.store.as_ref()).await?);
    let (written, settings) = (Arc::new(written), Arc::new(settings));
    let composed = compose_beside(&written, &settings, &answers, taken).await?;
    if let Some((source, trouble)) = composed.aside.iter().find(|(source, trouble)| held.loses(source, trouble)) {
        return Ok(Err(Trouble::Double(format!("source {source} lists it as well: {trouble}"))));
    }
    for (source, trouble) in &composed.aside {
        tracing::error!(%source, "what a source of the inventory said last cannot be used: {trouble}");
    }
    let aside: BTreeSet<SourceName> = composed.aside.into_keys().collect();
    *held = Held { written: Some(written), settings, answers, failing: aside.clone(), aside };
    sources.tell(&held);
    authority.rules.store(Arc::new(composed.book));
    sources.changed.notify_one();
    Ok(Ok(()))
}

/// Takes what reading a source came to: an answer is in the log and in the store before it is in force, and a failure changes nothing else.
pub async fn take(authority: &Authority, source: &SourceSettings, read: Result<Vec<Target>, Trouble>) -> Result<(), Failure> {
    let mut held = authority.sources.held.lock().await;
    // The configuration that asked for it may have been replaced meanwhile.
    let Some(written) = held.written.clone().filter(|_| held.settings.contains(source)) else { return Ok(()) };
    let (name, at, place) = (source.name.clone(), authority.clock.unix_seconds(), source.place.to_string());
    let judged = match read {
        Ok(targets) => try_beside(authority, &held, &written, &name, targets).await?,
        Err(trouble) => Err(trouble),
    };
    match judged {
        Ok(Fitting { answers, book, aside }) => {
            let targets = answers.get(&name).map(|targets| targets.as_ref().clone()).unwrap_or_default();
            let event = refreshed(authority, &name, held.answers.get(&name).map_or(&[], |targets| targets.as_slice()), &targets);
            let answer = SourceAnswer { name: name.clone(), place, targets, at };
            authority.store.commit(Change::KeepSource(Box::new(answer)), event).await?;
            held.failing.remove(&name);
            held.failing.extend(aside.iter().cloned());
            (held.answers, held.aside) = (answers, aside);
            authority.rules.store(Arc::new(book));
        }
        Err(trouble) => {
            held.failing.insert(name.clone());
            let (kind, detail) = (trouble.kind().to_owned(), trouble.to_string());
            fail(authority, SourceTrouble { name, place, kind, detail, at }).await?;
        }
    }
    authority.sources.tell(&held);
    Ok(())
}

/// An answer that fits, and what is in force with it.
struct Fitting {
    answers: Answers,
    book: RuleBook,
    aside: BTreeSet<SourceName>,
}

impl Held {
    /// Whether a source that is in force now would be lost to a double.
    fn loses(&self, source: &SourceName, trouble: &Trouble) -> bool {
        matches!(trouble, Trouble::Double(_)) && self.answers.contains_key(source) && !self.aside.contains(source)
    }
}

/// What would be in force with this answer, unless it cannot be used, or lists what another source lists: whoever came first stays.
async fn try_beside(
    authority: &Authority,
    held: &Held,
    written: &Arc<RuleBook>,
    name: &SourceName,
    targets: Vec<Target>,
) -> Result<Result<Fitting, Trouble>, Failure> {
    let taken = Taken::of(authority.store.as_ref()).await?;
    let mut answers = held.answers.clone();
    answers.insert(name.clone(), Arc::new(targets));
    let mut composed = compose_beside(written, &held.settings, &answers, taken).await?;
    if let Some(trouble) = composed.aside.remove(name) {
        return Ok(Err(trouble));
    }
    if let Some((other, trouble)) = composed.aside.iter().find(|(other, trouble)| held.loses(other, trouble)) {
        return Ok(Err(Trouble::Double(format!("beside source {other}: {trouble}"))));
    }
    Ok(Ok(Fitting { answers, book: composed.book, aside: composed.aside.into_keys().collect() }))
}

async fn fail(authority: &Authority, trouble: SourceTrouble) -> Result<(), Failure> {
    tracing::warn!(source = %trouble.name, kind = trouble.kind, "a source of the inventory gave no answer that can be used: {}", trouble.detail);
    let event = authority.event(Event::InventoryFailed, Outcome::Failed).fact("source", &trouble.name).fact("kind", &trouble.kind);
    let event = event.detail(&trouble.detail);
    authority.store.commit(Change::FailSource(Box::new(trouble)), event).await?;
    Ok(())
}

fn refreshed(authority: &Authority, source: &SourceName, before: &[Target], now: &[Target]) -> AuditEvent {
    let by_name =
        |targets: &[Target]| -> BTreeMap<String, Target> { targets.iter().map(|one| (one.name.to_string(), one.clone())).collect() };
    let (before, now) = (by_name(before), by_name(now));
    let names = |wanted: &dyn Fn(&str) -> bool, of: &BTreeMap<String, Target>| {
        of.keys().filter(|name| wanted(name)).cloned().collect::<Vec<_>>().join(",")
    };
    let mut event = authority.event(Event::InventoryRefreshed, Outcome::Done).fact("source", source).fact("targets", now.len());
    let differs = |name: &str| before.get(name).is_some_and(|earlier| now.get(name).is_some_and(|later| later != earlier));
    for (fact, names) in [
        ("added", names(&|name| !before.contains_key(name), &now)),
        ("removed", names(&|name| !now.contains_key(name), &before)),
        ("changed", names(&differs, &now)),
    ] {
        if !names.is_empty() {
            event = event.fact(fact, names);
        }
    }
    event
}

/// What each source that is configured said last, at the place that is configured.
fn kept(records: &[SourceRecord], settings: &[SourceSettings]) -> Answers {
    let known = |record: &SourceRecord| settings.iter().any(|one| one.name == record.name && one.place.to_string() == record.place);
    let usable = records.iter().filter(|record| known(record));
    usable.filter_map(|record| Some((record.name.clone(), Arc::new(record.targets.clone()?)))).collect()
}

/// Thousands of keys take a while to read, so that is done beside the requests.
async fn compose_beside(
    written: &Arc<RuleBook>,
    settings: &Arc<Vec<SourceSettings>>,
    answers: &Answers,
    taken: Taken,
) -> Result<Composed, Failure> {
    let (written, settings, answers) = (Arc::clone(written), Arc::clone(settings), answers.clone());
    Ok(tokio::task::spawn_blocking(move || compose(&written, &settings, &answers, &taken)).await?)
}
