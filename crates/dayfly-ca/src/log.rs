//! The log as others read it: pages, its signed head, and an export that is verified without us.

use crate::{
    authority::with_signer,
    failure::Failure,
    store::{Position, Row, Store, StoreError},
};
use dayfly_api::log::{HEAD_NAMESPACE, LogPage, LogRow, SignedHead};
use dayfly_core::{
    log_link::{GENESIS, head_message},
    signature::sign_sshsig,
    signed_request::hex,
    signer::Signer,
};
use serde::Serialize;
use ssh_key::LineEnding;
use std::{io::Write, sync::Arc};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The most bytes of events in one page: rows beyond them come with the next. A single row may be larger.
pub const LARGEST_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The rows that an export reads at a time.
const EXPORT_ROWS: u32 = 500;

/// An export that broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log could not be read or signed.
    #[error(transparent)]
    Log(#[from] Failure),
    /// The log has a gap.
    #[error("row {0} is missing from the store: restore it from a backup")]
    Gap(u64),
    /// It could not be written out.
    #[error("the export could not be written: {0}")]
    Write(#[from] std::io::Error),
}

/// At most `limit` rows after `after`, and at least one if there is one.
pub async fn page(store: &dyn Store, after: u64, limit: u32) -> Result<LogPage, StoreError> {
    let mut bytes = 0;
    let rows = store.rows(after, limit).await?;
    let within = rows.into_iter().enumerate().take_while(|(index, row)| {
        bytes += row.event.len();
        *index == 0 || bytes <= LARGEST_PAGE_BYTES
    });
    Ok(LogPage { rows: within.map(|(_, row)| written(row)).collect::<Result<_, _>>()? })
}

/// The newest row, signed at `now`. An empty log has a head too: number 0.
pub async fn signed_head(store: &dyn Store, key: &Arc<dyn Signer>, now: OffsetDateTime) -> Result<SignedHead, Failure> {
    let head = store.head().await?.unwrap_or(Position { seq: 0, hash: GENESIS });
    with_signer(key, move |key| sign(head, key, now)).await?
}

/// Writes the log as it is now: a [`LogRow`] a line, and the [`SignedHead`] that covers them as the last. Rows that come meanwhile are left out.
pub async fn export(store: &dyn Store, key: &Arc<dyn Signer>, now: OffsetDateTime, out: &mut dyn Write) -> Result<SignedHead, ExportError> {
    let head = signed_head(store, key, now).await?;
    let mut after = 0;
    while after < head.seq {
        let rows = store.rows(after, EXPORT_ROWS).await.map_err(Failure::Store)?;
        if rows.is_empty() {
            return Err(ExportError::Gap(after.saturating_add(1)));
        }
        for row in rows.into_iter().take_while(|row| row.position.seq <= head.seq) {
            after = row.position.seq;
            line(out, &written(row).map_err(Failure::Store)?)?;
        }
    }
    line(out, &head)?;
    Ok(head)
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn sign(head: Position, key: &dyn Signer, now: OffsetDateTime) -> Result<SignedHead, Failure> {
    let internal = |error: String| Failure::Internal(format!("the log's head could not be written: {error}"));
    let time = now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).map_err(|error| internal(error.to_string()))?;
    let signature = sign_sshsig(key, HEAD_NAMESPACE, &head_message(head.seq, &head.hash, &time))?;
    let signature = signature.to_pem(LineEnding::LF).map_err(|error| internal(error.to_string()))?;
    Ok(SignedHead { seq: head.seq, hash: hex(&head.hash), time, signature })
}

/// Canonical bytes are JSON, and so text.
fn written(row: Row) -> Result<LogRow, StoreError> {
    let Position { seq, hash } = row.position;
    let event = String::from_utf8(row.event)
        .map_err(|error| StoreError::Unavailable(format!("row {seq} of the log is no text: restore it from a backup ({error})")))?;
    Ok(LogRow { seq, event, hash: hex(&hash) })
}

#[cfg(test)]
mod tests;
