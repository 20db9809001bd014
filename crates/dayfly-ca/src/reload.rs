//! Reading the configuration anew while the CA serves: rules and TLS files are replaced together or not at all.
//!
//! Addresses, store, keys and limits stay what they were when the CA started.

use crate::{
    authority::Authority,
    config::{Config, RuleBook},
    failure::Failure,
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
    let (outcome, detail) = match read(path.to_owned()).await {
        Ok(Ok((rules, acceptor))) => {
            authority.rules.store(Arc::new(rules));
            tls.store(Arc::new(acceptor));
            (Outcome::Done, "roles, targets, policies and the TLS certificate were read anew".to_owned())
        }
        Ok(Err(mistakes)) => (Outcome::Failed, format!("the configuration stays as it was: {mistakes}")),
        Err(failure) => (Outcome::Failed, format!("the configuration stays as it was: {failure}")),
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

/// Policies take a while to check, so that is done beside the requests.
async fn read(path: std::path::PathBuf) -> Result<Result<(RuleBook, TlsAcceptor), Mistakes>, Failure> {
    let read = move || {
        let Config { rules, tls, .. } = Config::load(&path)?;
        Ok((rules, tls::acceptor(&tls)?))
    };
    Ok(tokio::task::spawn_blocking(read).await?)
}

#[cfg(test)]
mod tests;
