//! Byte streams of commands and subsystems: the beginning is kept, all of it is counted and hashed.

use crate::digest::Sha256Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// One of the streams of a channel (RFC 4254 section 5.2; `stderr` is extended data of type 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// From the person to the target.
    Stdin,
    /// From the target to the person.
    Stdout,
    /// From the target to the person, beside `stdout`.
    Stderr,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdin => "stdin",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// Watches one stream. Pure: bytes in, what is to be recorded out.
#[derive(Debug, Clone)]
pub struct StreamTap {
    hash: Sha256,
    bytes: u64,
    limit: u64,
}

/// The part of what was observed that is to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedPart<'a> {
    /// Where it begins in the stream, in bytes.
    pub offset: u64,
    /// The bytes; never empty.
    pub data: &'a [u8],
}

/// What a stream amounted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDigest {
    /// How many bytes it carried.
    pub bytes: u64,
    /// How many of them, from the first on, are in the recording.
    pub recorded: u64,
    /// SHA-256 over all of them, recorded or not.
    pub sha256: Sha256Digest,
}

impl StreamTap {
    /// How many bytes of each stream are recorded if nothing else is said: 1 MiB.
    pub const DEFAULT_LIMIT: u64 = 1024 * 1024;

    /// A tap that records the first [`Self::DEFAULT_LIMIT`] bytes.
    pub fn new() -> Self {
        Self::with_limit(Self::DEFAULT_LIMIT)
    }

    /// A tap that records the first `limit` bytes.
    pub fn with_limit(limit: u64) -> Self {
        Self { hash: Sha256::new(), bytes: 0, limit }
    }

    /// Counts and hashes `data`, and returns what of it is to be recorded, if anything.
    pub fn observe<'a>(&mut self, data: &'a [u8]) -> Option<RecordedPart<'a>> {
        let offset = self.bytes;
        self.hash.update(data);
        self.bytes += data.len() as u64;
        let room = usize::try_from(self.limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let data = data.get(..room).unwrap_or(data);
        (!data.is_empty()).then_some(RecordedPart { offset, data })
    }

    /// How many bytes were observed so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the stream amounted to.
    pub fn finish(self) -> StreamDigest {
        StreamDigest { bytes: self.bytes, recorded: self.bytes.min(self.limit), sha256: Sha256Digest::finish(self.hash) }
    }
}

impl Default for StreamTap {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_beginning_is_recorded_and_all_of_it_is_hashed(chunks: Vec<Vec<u8>>, limit in 0u64..300) {
            let whole = chunks.concat();
            let mut tap = StreamTap::with_limit(limit);
            let mut recorded = Vec::new();
            for chunk in &chunks {
                if let Some(part) = tap.observe(chunk) {
                    prop_assert_eq!(part.offset, recorded.len() as u64);
                    prop_assert!(!part.data.is_empty());
                    recorded.extend_from_slice(part.data);
                }
            }
            let kept = whole.len().min(limit as usize);
            prop_assert_eq!(&recorded, &whole[..kept]);
            prop_assert_eq!(tap.finish(), StreamDigest { bytes: whole.len() as u64, recorded: kept as u64, sha256: Sha256Digest::of(&whole) });
        }
    }

    #[test]
    fn a_megabyte_is_recorded_unless_said_otherwise() {
        let mut tap = StreamTap::new();
        let data = vec![7; 3 << 20];
        assert_eq!(tap.observe(&data).map(|part| part.data.len()), Some(1 << 20));
        assert_eq!(tap.observe(&data), None);
        assert_eq!((tap.bytes(), tap.finish().recorded), (6 << 20, 1 << 20));
    }
}
