//! The links of the log: each row's hash covers the row before it, so that an edit, a gap or a reordering shows in every later hash.

use sha2::{Digest, Sha256};

/// A row's hash.
pub type Hash = [u8; 32];

/// What stands before the first row.
pub const GENESIS: Hash = [0; 32];

/// The hash of row `seq` (from 1): SHA-256 over a label, the hash of the row before, the number (big-endian) and the event's canonical bytes.
pub fn link(previous: &Hash, seq: u64, event: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"dayfly-log-row-v1\0");
    hasher.update(previous);
    hasher.update(seq.to_be_bytes());
    hasher.update(event);
    hasher.finalize().into()
}

/// What the log key signs: the number and hash of the newest row, and when (RFC 3339).
pub fn head_message(seq: u64, hash: &Hash, time: &str) -> Vec<u8> {
    format!("dayfly-log-head-v1\n{seq}\n{}\n{time}\n", crate::signed_request::hex(hash)).into_bytes()
}

/// A row that does not follow from the one before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Rows are missing, doubled or out of order.
    #[error("row {expected} is missing: row {found} stands in its place")]
    Gap {
        /// The number that should come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A row was changed.
    #[error("row {0} was changed: its hash does not follow from its contents and the row before")]
    Changed(u64),
}

/// Follows the links row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    seq: u64,
    hash: Hash,
}

impl Default for Chain {
    fn default() -> Self {
        Self { seq: 0, hash: GENESIS }
    }
}

impl Chain {
    /// A chain that goes on after a row whose number and hash are known.
    pub fn after(seq: u64, hash: Hash) -> Self {
        Self { seq, hash }
    }

    /// Takes the next row, whose number and hash somebody claims.
    pub fn follow(&mut self, seq: u64, event: &[u8], claimed: &Hash) -> Result<(), LinkError> {
        let expected = self.seq.saturating_add(1);
        if seq != expected {
            return Err(LinkError::Gap { expected, found: seq });
        }
        let hash = link(&self.hash, seq, event);
        if hash != *claimed {
            return Err(LinkError::Changed(seq));
        }
        (self.seq, self.hash) = (seq, hash);
        Ok(())
    }

    /// Appends a row.
    pub fn append(&mut self, event: &[u8]) -> (u64, Hash) {
        let seq = self.seq.saturating_add(1);
        (self.seq, self.hash) = (seq, link(&self.hash, seq, event));
        (self.seq, self.hash)
    }

    /// The number of the newest row, 0 before the first.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The hash of the newest row.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<(u64, Vec<u8>, Hash)> {
        let mut chain = Chain::default();
        ["a", "b", "c", "d"]
            .into_iter()
            .map(|event| {
                let (seq, hash) = chain.append(event.as_bytes());
                (seq, event.as_bytes().to_vec(), hash)
            })
            .collect()
    }

    fn verify(rows: &[(u64, Vec<u8>, Hash)]) -> Result<(), LinkError> {
        let mut chain = Chain::default();
        rows.iter().try_for_each(|(seq, event, hash)| chain.follow(*seq, event, hash))
    }

    #[test]
    fn an_edit_a_gap_and_a_reordering_are_named() {
        assert_eq!(verify(&rows()), Ok(()));
        let mut edited = rows();
        edited[1].1 = b"B".to_vec();
        assert_eq!(verify(&edited), Err(LinkError::Changed(2)));
        let mut gap = rows();
        gap.remove(1);
        assert_eq!(verify(&gap), Err(LinkError::Gap { expected: 2, found: 3 }));
        let mut swapped = rows();
        swapped.swap(1, 2);
        assert_eq!(verify(&swapped), Err(LinkError::Gap { expected: 2, found: 3 }));
        let mut renumbered = rows();
        renumbered.remove(1);
        renumbered.iter_mut().zip(1..).for_each(|(row, seq)| row.0 = seq);
        assert_eq!(verify(&renumbered), Err(LinkError::Changed(2)));
    }
}
