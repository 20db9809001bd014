//! The port that reads a source, and what reads directories and programs.

mod command;

use super::Trouble;
use crate::config::{Place, SourceSettings, directory};
use command::Limits;
use dayfly_core::target::Target;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

/// What reading a source comes to.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Vec<Target>, Trouble>> + Send + 'a>>;

/// Reads sources.
pub trait Reader: Send + Sync {
    /// Reads one, once, within its limits.
    fn read<'a>(&'a self, source: &'a SourceSettings) -> Reading<'a>;
}

/// Reads directories, and runs programs.
#[derive(Debug, Default)]
pub struct SystemReader {
    /// One reading of a directory at a time: a file system that hangs takes one thread, and no more.
    turns: Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

impl Reader for SystemReader {
    fn read<'a>(&'a self, source: &'a SourceSettings) -> Reading<'a> {
        Box::pin(async move {
            match &source.place {
                Place::Directory(path) => within(source, self.read_directory(path, source.max_bytes)).await,
                Place::Command(program, arguments) => {
                    let limits = Limits { timeout: source.timeout, max_bytes: source.max_bytes };
                    parse(&command::run(program, arguments, limits).await?)
                }
            }
        })
    }
}

/// What a program prints.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Printed {
    targets: Vec<Target>,
}

fn parse(bytes: &[u8]) -> Result<Vec<Target>, Trouble> {
    match serde_json::from_slice(bytes) {
        Ok(Printed { targets }) => Ok(targets),
        Err(error) => Err(Trouble::bad(&[format!("its answer is not what docs/inventory.md describes: {error}")])),
    }
}

impl SystemReader {
    async fn read_directory(&self, path: &Path, max_bytes: u64) -> Result<Vec<Target>, Trouble> {
        let path = path.to_owned();
        let turn = Arc::clone(self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(path.clone()).or_default());
        let turn = turn.lock_owned().await;
        let read = tokio::task::spawn_blocking(move || {
            let read = directory::read(&path, max_bytes);
            drop(turn);
            read
        });
        Ok(read.await.map_err(|error| Trouble::Unreadable(error.to_string()))??)
    }
}

async fn within(source: &SourceSettings, read: impl Future<Output = Result<Vec<Target>, Trouble>>) -> Result<Vec<Target>, Trouble> {
    tokio::time::timeout(source.timeout, read).await.unwrap_or(Err(Trouble::TimedOut(source.timeout)))
}

#[cfg(test)]
mod tests;
