//! Sends what waits, batch by batch, for as long as it takes.

use super::{Command, Spool};
use crate::authority::{Authority, AuthorityError};
use dayfly_api::bastion::{EventBatch, NumberedEvent};
use std::{sync::Arc, time::Duration};

/// The most events of one batch.
const LARGEST_BATCH: usize = 200;

/// The most bytes of one batch, about. The CA takes a megabyte.
const LARGEST_BATCH_BYTES: usize = 512 * 1024;

/// How long to wait before the CA is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Sends for ever.
pub async fn send(spool: Arc<Spool>, authority: Arc<dyn Authority>) {
    let mut is_away = false;
    loop {
        let batch = next_batch(&spool).await;
        match authority.report(&batch).await {
            Ok(last) => {
                if std::mem::take(&mut is_away) {
                    tracing::info!("the CA takes events again");
                }
                forget(&spool, last).await;
            }
            Err(AuthorityError::Refused(refusal)) => {
                tracing::error!(reason = %refusal.reason, message = refusal.message, "the CA refuses events");
                correct(&spool, &*authority, &batch).await;
            }
            Err(error @ AuthorityError::Unavailable { .. }) => {
                if !std::mem::replace(&mut is_away, true) {
                    tracing::warn!(%error, "events wait for the CA");
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Waits until something waits.
async fn next_batch(spool: &Spool) -> EventBatch {
    loop {
        let arrived = spool.shared.arrived.notified();
        let events = batch(spool);
        if !events.is_empty() {
            return EventBatch { events };
        }
        arrived.await;
    }
}

fn batch(spool: &Spool) -> Vec<NumberedEvent> {
    let state = spool.shared.lock();
    let mut bytes = 0;
    let small = state.pending.iter().take(LARGEST_BATCH).take_while(|numbered| {
        let first = bytes == 0;
        bytes += numbered.event.canonical_bytes().map_or(0, |bytes| bytes.len()) + 64;
        first || bytes < LARGEST_BATCH_BYTES
    });
    small.cloned().collect()
}

async fn forget(spool: &Spool, last: u64) {
    spool.command(Command::Acknowledged(last));
    spool.flush().await;
}

/// The CA may be at another number than was thought, after it or this bastion was restored from a backup. If it is not that, the first event is at fault.
async fn correct(spool: &Spool, authority: &dyn Authority, batch: &EventBatch) {
    let expected = batch.events.first().map_or(0, |first| first.number.saturating_sub(1));
    match authority.report(&EventBatch { events: Vec::new() }).await {
        Ok(last) if last != expected => {
            tracing::warn!(last, expected, "the CA is at another number: what waits is numbered anew");
            spool.command(Command::Renumber(last));
        }
        Ok(_) if batch.events.len() > 1 => {
            // One of them is at fault: the first goes alone, to see whether it is that one.
            let Some(first) = batch.events.first().cloned() else { return };
            match authority.report(&EventBatch { events: vec![first] }).await {
                Ok(last) => spool.command(Command::Acknowledged(last)),
                Err(AuthorityError::Refused(_)) => spool.command(Command::Skip),
                Err(AuthorityError::Unavailable { .. }) => tokio::time::sleep(RETRY).await,
            }
        }
        Ok(last) => {
            spool.command(Command::Skip);
            spool.command(Command::Renumber(last));
        }
        Err(_) => tokio::time::sleep(RETRY).await,
    }
    spool.flush().await;
}
