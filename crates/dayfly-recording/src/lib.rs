//! The recording of a session: a directory of plain files that says who did what, and that shows every later edit.
//!
//! The format itself is written down in `docs/recording-format.md`. This crate knows files and bytes. It has no clock, no keys and no SSH: times are passed
//! in, signatures are made and checked by the caller's closures.
//!
//! | Module | What it is |
//! |---|---|
//! | [`facts`], [`event`], [`terminal`], [`manifest`] | what the files say |
//! | [`digest`], [`layout`] | SHA-256 digests; which file lies where |
//! | [`transfer`], [`sftp`], [`scp`] | follow what file transfers do while they pass; pure
//! | [`typed`] | tells what a person typed unseen from what the terminal showed; pure
//! | [`stream`] | bounds what is kept of a byte stream, and counts and hashes all of it |
//! | [`writer`] | writes a recording while the session runs, and seals it |
//! | [`interrupted`] | seals what a killed process left behind |
//! | [`reader`] | reads a recording, up to a cut |
//! | [`mod@verify`] | decides whether a recording is what was sealed |
//!
//! Invariants:
//! - A session's recording exists on disk, first event included, before [`RecordingWriter::create`] returns.
//! - A manifest exists only together with its signature, and only for files that will not change any more.
//! - After a failed write nothing is reported as recorded any more: every later call fails, and the outcome is `recording_failed`.

pub mod digest;
pub mod event;
#[cfg(test)]
mod examples;
pub mod facts;
pub mod interrupted;
pub mod layout;
pub mod manifest;
pub mod reader;
pub mod scp;
mod seal;
pub mod sftp;
pub mod stream;
pub mod terminal;
pub mod transfer;
pub mod typed;
pub mod verify;
pub mod writer;

pub use digest::Sha256Digest;
pub use event::{Event, EventLine};
pub use facts::{Mode, SessionFacts};
pub use interrupted::close_interrupted;
pub use layout::find;
pub use manifest::{Manifest, Outcome, SIGNATURE_NAMESPACE};
pub use reader::Recording;
pub use stream::{Stream, StreamDigest, StreamTap};
pub use transfer::{Transfer, TransferError};
pub use verify::{Verified, VerifyError, verify};
pub use writer::{FinishedRecording, RecordingError, RecordingWriter, TerminalId};
