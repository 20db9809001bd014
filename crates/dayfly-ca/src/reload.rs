//! Reading the configuration anew while the CA serves: rules and TLS files are replaced together or not at all.
//!
//! Addresses, store, keys and limits stay what they were when the CA started.

use crate::{
    authority::Authority,
    config::{Config, RuleBook, SourceSettings},
    failure::Failure,
    inventory,
    mistake::Mistakes,
    serve::tls,
    store::Change,
};
use arc_swap::ArcSwap;
use dayfly_core::audit::{Event, Outcome};
use std::{path::Path, sync::Arc};
use tokio_rustls::TlsAcceptor;

/// Reads `path` anew. What is wrong with it, or with a file that it names, goes to the log and leaves everything as it was.
pub async fn reload(authority: &Authority, tls: &ArcSwap<TlsAcceptor>, path: &Path) {
    let (outcome, detail) = match replace(authority, tls, path).await {
        Ok(()) => (Outcome::Done, "roles, targets, policies and the TLS certificate were read anew".to_owned()),
        Err(why) => (Outcome::Failed, format!("the configuration stays as it was: {why}")),
    };
    match outcome {
        Outcome::Done => tracing::info!(path = %path.display(), "{detail}"),
        _ => tracing::error!(path = %path.display(), "{detail}"),
    }
    let event = authority.event(Event::ConfigurationReloaded, outcome).detail(&detail);
    if let Err(error) = authority.store.commit(Change::None, event).await {
        tracing::error!(%error, "the reading of the configuration could not be logged");
    }
}

async fn replace(authority: &Authority, tls: &ArcSwap<TlsAcceptor>, path: &Path) -> Result<(), String> {
    let read = read(path.to_owned()).await.map_err(|failure| failure.to_string())?;
    let Read { rules, sources, acceptor } = read.map_err(|mistakes| mistakes.to_string())?;
    let replaced = inventory::replace(authority, rules, sources).await.map_err(|failure| failure.to_string())?;
    replaced.map_err(|trouble| trouble.to_string())?;
    tls.store(Arc::new(acceptor));
    Ok(())
}

/// What is replaced.
struct Read {
    rules: RuleBook,
    sources: Vec<SourceSettings>,
    acceptor: TlsAcceptor,
}

/// Policies take a while to check, so that is done beside the requests.
async fn read(path: std::path::PathBuf) -> Result<Result<Read, Mistakes>, Failure> {
    let read = move || {
        let Config { rules, sources, tls, .. } = Config::load(&path)?;
        Ok(Read { rules, sources, acceptor: tls::acceptor(&tls)? })
    };
    Ok(tokio::task::spawn_blocking(read).await?)
}

#[cfg(test)]
mod tests;
