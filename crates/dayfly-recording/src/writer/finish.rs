//! Ends a recording, whole or failed.

use crate::{
    digest::Sha256Digest,
    event::Event,
    manifest::{FORMAT, Manifest, Outcome},
    seal::seal,
    writer::{RecordingError, RecordingWriter},
};
use std::{fmt, path::PathBuf, time::Duration};
use time::{OffsetDateTime, UtcOffset};

/// A recording that was sealed: no file of it changes any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedRecording {
    /// Its directory.
    pub dir: PathBuf,
    /// What its manifest says.
    pub manifest: Manifest,
    /// SHA-256 over the bytes of `manifest.json`, for the audit log.
    pub manifest_sha256: Sha256Digest,
}

impl RecordingWriter {
    /// Ends the recording: closes the terminals, writes the `end` event, stores everything and seals it with a manifest signed by `sign`, which gets the exact
    /// bytes of `manifest.json` and returns an armored SSHSIG of [`crate::SIGNATURE_NAMESPACE`].
    ///
    /// A recording that has failed, before or only now, is sealed as [`Outcome::RecordingFailed`] with what reached its files, whatever `outcome` says, and
    /// [`RecordingError::SealedAsFailed`] tells so. Any other error means that it could not be sealed; [`crate::close_interrupted`] will.
    pub fn finish<E: fmt::Display>(
        mut self,
        elapsed: Duration,
        ended_at: OffsetDateTime,
        outcome: Outcome,
        reason: impl Into<String>,
        sign: impl FnOnce(&[u8]) -> Result<String, E>,
    ) -> Result<FinishedRecording, RecordingError> {
        let reason = reason.into();
        let ended = self.attempt(elapsed, |writer, elapsed| {
            let open: Vec<u32> = writer.terminals.keys().copied().collect();
            open.into_iter().try_for_each(|number| writer.end_terminal(elapsed, number))?;
            writer.append(elapsed, &Event::End { outcome, reason: reason.clone() })?;
            writer.store()
        });
        let Err(error) = ended else { return self.seal(ended_at, outcome, reason, sign) };
        let cause = self.failure.take().unwrap_or_else(|| error.to_string());
        match self.seal(ended_at, Outcome::RecordingFailed, cause.clone(), sign) {
            Ok(finished) => Err(RecordingError::SealedAsFailed { cause, finished: Box::new(finished) }),
            Err(_) => Err(error),
        }
    }

    fn seal<E: fmt::Display>(
        mut self,
        ended_at: OffsetDateTime,
        outcome: Outcome,
        reason: String,
        sign: impl FnOnce(&[u8]) -> Result<String, E>,
    ) -> Result<FinishedRecording, RecordingError> {
        let ended_at = ended_at.to_offset(UtcOffset::UTC);
        let mut files = self.closed;
        files.extend(self.terminals.values_mut().map(|terminal| terminal.file.entry()));
        files.push(self.events.entry());
        files.sort_by_key(|file| file.name);
        let manifest = Manifest {
            format: FORMAT,
            session: self.facts,
            started_at: self.started_at,
            ended_at,
            sealed_at: ended_at,
            outcome,
            reason,
            bytes_in: Some(self.bytes_in),
            bytes_out: Some(self.bytes_out),
            files,
            streams: self.streams,
        };
        let manifest_sha256 = seal(&*self.storage, &self.dir, &manifest, sign)?;
        Ok(FinishedRecording { dir: self.dir, manifest, manifest_sha256 })
    }
}
