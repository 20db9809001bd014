//! When each source is read: at the start, every `refresh` since, and whenever the configuration was read anew.

use super::{Trouble, reader::Reader, take};
use crate::{authority::Authority, config::SourceSettings};
use dayfly_core::target::Target;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// A source, and what reading it came to.
type Read = (SourceSettings, Result<Vec<Target>, Trouble>);

/// Reads every source again and again. Each in its own time: one that is slow holds no other up. Dropping this ends what is being run.
pub async fn keep_reading(authority: &Authority, reader: Arc<dyn Reader>) {
    loop {
        let sources = Arc::clone(&authority.sources.held.lock().await.settings);
        let mut readings: JoinSet<Read> = JoinSet::new();
        for source in sources.iter() {
            readings.spawn(read(Arc::clone(&reader), source.clone(), Duration::ZERO));
        }
        loop {
            tokio::select! {
                () = authority.sources.changed.notified() => break,
                Some(read) = readings.join_next() => take_one(authority, &reader, &mut readings, read).await,
            }
        }
    }
}

async fn read(reader: Arc<dyn Reader>, source: SourceSettings, after: Duration) -> Read {
    tokio::time::sleep(after).await;
    let read = reader.read(&source).await;
    (source, read)
}

async fn take_one(
    authority: &Authority,
    reader: &Arc<dyn Reader>,
    readings: &mut JoinSet<Read>,
    read_now: Result<Read, tokio::task::JoinError>,
) {
    let (source, answer) = match read_now {
        Ok(read) => read,
        Err(error) => return tracing::error!(%error, "a source of the inventory is not read any more: reload the configuration"),
    };
    if let Err(error) = take(authority, &source, answer).await {
        tracing::error!(source = %source.name, %error, "what a source of the inventory said cannot be kept, and is not in force");
    }
    let refresh = source.refresh;
    readings.spawn(read(Arc::clone(reader), source, refresh));
}
