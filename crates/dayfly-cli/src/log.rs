//! Reading the audit log: its rows, the links between them, and what was verified before.

pub mod export;
pub mod row;
pub mod sessions;
pub mod verification;
pub mod walk;
pub mod witness;

use crate::error::{Failure, Kind};
use dayfly_api::log::LogRow;
use dayfly_client::Client;
use dayfly_core::log_link::{Chain, GENESIS, Hash};
use ssh_key::{PublicKey, public::KeyData};

/// The log's public key, as the CA told it at login.
pub fn key(line: &str) -> Result<KeyData, Failure> {
    let key = PublicKey::from_openssh(line);
    key.map(|key| key.key_data().clone())
        .map_err(|error| Failure::new(Kind::Failed, "the log's key cannot be read").because(error).remedy("log in again: dayfly login URL"))
}

/// How many rows are asked for at once: as many as the CA gives.
const PAGE: u32 = 500;

/// A row's hash from its hexadecimal form; `None` if it is not one.
pub fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = GENESIS;
    let pairs = text.as_bytes().chunks_exact(2);
    if text.len() != 2 * hash.len() || text.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// Reads the log from the CA in order, page by page.
pub struct Pages<'a> {
    client: &'a Client,
    after: u64,
}

impl<'a> Pages<'a> {
    /// The rows after `after`.
    pub fn after(client: &'a Client, after: u64) -> Self {
        Self { client, after }
    }

    /// The next rows; none at the end of the log as it is now. Each call is itself a row of the log.
    pub async fn next(&mut self) -> Result<Vec<LogRow>, Failure> {
        let rows = self.client.log(self.after, PAGE).await?.rows;
        if let Some(last) = rows.last() {
            self.after = last.seq;
        }
        Ok(rows)
    }

    /// The number of the last row that was read.
    pub fn position(&self) -> u64 {
        self.after
    }
}

/// Follows rows from the first that is seen, when those before it are not known.
#[derive(Default)]
pub struct Following {
    chain: Option<Chain>,
}

impl Following {
    /// Takes the next row. The first is taken as it is, and every further one must follow from it.
    pub fn follow(&mut self, row: &LogRow) -> Result<(), Failure> {
        let broken =
            |cause: String| Failure::new(Kind::Failed, "the log is broken").because(cause).remedy("find out what else: dayfly log verify");
        let hash = parse_hash(&row.hash).ok_or_else(|| broken(format!("row {} has no readable hash", row.seq)))?;
        match &mut self.chain {
            None => self.chain = Some(Chain::after(row.seq, hash)),
            Some(chain) => chain.follow(row.seq, row.event.as_bytes(), &hash).map_err(|error| broken(error.to_string()))?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::signed_request::hex;

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = [0x5a; 32];
        assert_eq!(parse_hash(&hex(&hash)).unwrap(), hash);
        let text = hex(&hash);
        for bad in ["", "5a", &text[1..], &format!("{text}5a"), &text.to_uppercase(), &format!("+{}", &text[1..]), &text.replace("5a", "é")]
        {
            assert_eq!(parse_hash(bad), None, "{bad}");
        }
    }
}
