//! Verifying the log: the head's signature, every link up to it, and that it goes on from what was verified before.

use super::{
    parse_hash,
    row::Row,
    witness::{Checkpoint, Witness},
};
use dayfly_api::log::{HEAD_NAMESPACE, LogRow, SignedHead};
use dayfly_core::{
    log_link::{Chain, GENESIS, Hash, LinkError, head_message},
    signature::{fingerprint, verify_sshsig},
    signed_request::hex,
};
use serde::Serialize;
use ssh_key::{SshSig, public::KeyData};

/// The longest signature that is looked at, in bytes.
const LONGEST_SIGNATURE: usize = 16 * 1024;

/// What is wrong with the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "defect", rename_all = "snake_case")]
pub enum Defect {
    /// The head is not the log key's.
    #[error("the head, row {seq}, is not signed by the log key {key}: {cause}")]
    HeadSignature {
        /// The row that it claims.
        seq: u64,
        /// The log key's fingerprint.
        key: String,
        /// Why not.
        cause: String,
    },
    /// Rows are missing, doubled or out of order.
    #[error("row {seq} is missing: row {found} stands in its place")]
    Gap {
        /// The number that should come.
        seq: u64,
        /// The number that came.
        found: u64,
    },
    /// A row was changed.
    #[error("row {seq} was changed; it now says: {now}")]
    Changed {
        /// Its number.
        seq: u64,
        /// What it says now.
        now: String,
    },
    /// The rows end before the head.
    #[error("rows {seq} to {head} are missing: the log ends before its signed head")]
    Short {
        /// The first that is missing.
        seq: u64,
        /// The head's number.
        head: u64,
    },
    /// The rows are linked, and lead to another hash than the signed one.
    #[error("the rows up to {seq} are not those whose head the log key signed")]
    HeadMismatch {
        /// The head's number.
        seq: u64,
    },
    /// Rows that were there are there no more.
    #[error("the log was cut: it ends at row {seq}, and row {seen} was verified here before")]
    Truncated {
        /// The newest row now.
        seq: u64,
        /// The newest row then.
        seen: u64,
    },
    /// The log was written anew, signed head and all.
    #[error("the log was rewritten: of rows {seq} to {until} at least one is not what was verified here before")]
    Rewritten {
        /// The first row that may be another.
        seq: u64,
        /// The first row that is another for certain.
        until: u64,
    },
}

/// A head whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    seq: u64,
    hash: Hash,
}

impl Head {
    /// Checks that the log key signed it.
    pub fn check(head: &SignedHead, log_key: &KeyData) -> Result<Self, Defect> {
        let bad = |cause: String| Defect::HeadSignature { seq: head.seq, key: fingerprint(log_key), cause };
        let hash = parse_hash(&head.hash).ok_or_else(|| bad("its hash cannot be read".to_owned()))?;
        if head.signature.len() > LONGEST_SIGNATURE {
            return Err(bad("its signature is too long".to_owned()));
        }
        let sshsig = SshSig::from_pem(head.signature.as_bytes()).map_err(|error| bad(error.to_string()))?;
        let message = head_message(head.seq, &hash, &head.time);
        match verify_sshsig(&sshsig, HEAD_NAMESPACE, &message) {
            Ok(key) if key == log_key => Ok(Self { seq: head.seq, hash }),
            Ok(key) => Err(bad(format!("it is signed by {}", fingerprint(key)))),
            Err(error) => Err(bad(error.to_string())),
        }
    }

    /// The number of the newest row.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// A verification under way: rows go in, by rising number from the first.
pub struct Verification<'a> {
    head: Head,
    before: &'a Witness,
    /// The last row that is what it was, so that a rewriting can be narrowed down.
    agreed: u64,
    chain: Chain,
    rows: u64,
    witness: Witness,
}

impl<'a> Verification<'a> {
    /// Begins. `before` is what was verified earlier, and the log must reach that far.
    pub fn begin(head: Head, before: &'a Witness) -> Result<Self, Defect> {
        match before.newest() {
            Some(newest) if newest.seq > head.seq => Err(Defect::Truncated { seq: head.seq, seen: newest.seq }),
            _ => Ok(Self::begin_anywhere(head, before)),
        }
    }

    /// Begins with a log that may be older than what was verified earlier: an export.
    pub fn begin_anywhere(head: Head, before: &'a Witness) -> Self {
        Self { head, before, agreed: 0, chain: Chain::default(), rows: 0, witness: before.clone() }
    }

    /// Takes the next row.
    pub fn follow(&mut self, row: &LogRow) -> Result<(), Defect> {
        let changed = || Defect::Changed { seq: row.seq, now: Row::new(row).summary().trim().to_owned() };
        let claimed = parse_hash(&row.hash).unwrap_or(GENESIS);
        self.chain.follow(row.seq, row.event.as_bytes(), &claimed).map_err(|error| match error {
            LinkError::Gap { expected, found } => Defect::Gap { seq: expected, found },
            LinkError::Changed(_) => changed(),
        })?;
        self.rows = row.seq;
        self.compare(row)?;
        self.witness.pass(row.seq, &row.hash);
        Ok(())
    }

    fn compare(&mut self, row: &LogRow) -> Result<(), Defect> {
        let known = &self.before.checkpoints;
        match known.binary_search_by_key(&row.seq, |checkpoint| checkpoint.seq).ok().and_then(|index| known.get(index)) {
            Some(Checkpoint { hash, .. }) if *hash != row.hash => {
                Err(Defect::Rewritten { seq: self.agreed.saturating_add(1), until: row.seq })
            }
            Some(_) => {
                self.agreed = row.seq;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether every row up to the head went in.
    pub fn is_complete(&self) -> bool {
        self.rows >= self.head.seq
    }

    /// The last row that was verified before and is what it was; 0 if none.
    pub fn agreed(&self) -> u64 {
        self.agreed
    }

    /// How many rows went in.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.head.seq
    }

    /// Ends: the rows must lead to the signed head. What to remember of it is returned.
    pub fn finish(mut self) -> Result<Witness, Defect> {
        if self.rows < self.head.seq {
            return Err(Defect::Short { seq: self.rows.saturating_add(1), head: self.head.seq });
        }
        if *self.chain.hash() != self.head.hash {
            return Err(Defect::HeadMismatch { seq: self.head.seq });
        }
        if self.head.seq > 0 {
            self.witness.keep(self.head.seq, &hex(&self.head.hash));
        }
        Ok(self.witness)
    }
}

#[cfg(test)]
mod tests;
