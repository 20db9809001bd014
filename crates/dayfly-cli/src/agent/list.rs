//! Listing the agent's keys. Read here and not by the agent library, for which one key of an unknown kind hides all others.

use ssh_encoding::{Decode, Reader};
use ssh_key::{Certificate, PublicKey, public::KeyData};
use std::io::{self, Read, Write};

/// `SSH_AGENTC_REQUEST_IDENTITIES`, alone in its packet (draft-miller-ssh-agent § 3.5).
const REQUEST_IDENTITIES: [u8; 5] = [0, 0, 0, 1, 11];

/// `SSH_AGENT_IDENTITIES_ANSWER`.
const IDENTITIES_ANSWER: u8 = 12;

/// The largest answer that is read, in bytes: OpenSSH's own bound.
const LARGEST_ANSWER: usize = 256 * 1024;

/// The largest key that is looked at, in bytes. Certificates nest, so the bound comes before the parser.
const LARGEST_KEY: usize = 64 * 1024;

/// One of the agent's keys.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The key, or the certificate of one.
    pub key: ListedKey,
    /// What it was called when it was added.
    pub comment: String,
}

/// A key, or the certificate of one.
#[derive(Debug, Clone)]
pub enum ListedKey {
    /// A key by itself.
    Plain(KeyData),
    /// A key with its certificate.
    Certified(Box<Certificate>),
}

pub(super) fn list(mut socket: impl Read + Write) -> io::Result<Vec<Listed>> {
    socket.write_all(&REQUEST_IDENTITIES)?;
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LARGEST_ANSWER {
        return Err(invalid("its answer is too large"));
    }
    let mut answer = vec![0; length];
    socket.read_exact(&mut answer)?;
    match answer.split_first() {
        Some((&IDENTITIES_ANSWER, list)) => parse(list).map_err(invalid),
        _ => Err(invalid("it refused")),
    }
}

fn invalid(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}

fn parse(mut answer: &[u8]) -> Result<Vec<Listed>, ssh_encoding::Error> {
    let count = u32::decode(&mut answer)?;
    let mut listed = Vec::new();
    for _ in 0..count {
        let blob = Vec::<u8>::decode(&mut answer)?;
        let comment = Vec::<u8>::decode(&mut answer)?;
        if let Some(key) = key(&blob) {
            listed.push(Listed { key, comment: String::from_utf8_lossy(&comment).into_owned() });
        }
    }
    Reader::finish(answer, listed)
}

fn key(blob: &[u8]) -> Option<ListedKey> {
    if blob.len() > LARGEST_KEY {
        return None;
    }
    let plain = || PublicKey::from_bytes(blob).ok().map(|key| ListedKey::Plain(key.key_data().clone()));
    match Certificate::from_bytes(blob) {
        Ok(certificate) => Some(ListedKey::Certified(Box::new(certificate))),
        Err(_) => plain().filter(|key| !matches!(key, ListedKey::Plain(KeyData::Other(_)))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::signer::{SeedSigner, Signer};

    fn string(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    #[test]
    fn a_key_of_an_unknown_kind_hides_no_other() {
        let known = PublicKey::from(SeedSigner::new(1).public_key().clone()).to_bytes().unwrap();
        let unknown = [string(b"quantum@example"), string(b"?")].concat();
        let garbage = vec![0xff; 9];
        let mut answer = vec![0, 0, 0, 3];
        for blob in [&unknown, &garbage, &known] {
            answer.extend(string(blob));
            answer.extend(string(b"a\xffb"));
        }
        let listed = parse(&answer).unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].comment, "a\u{fffd}b");
    }

    #[test]
    fn hostile_answers_are_errors() {
        for answer in [&[][..], &[0, 0, 0, 1], &[0xff, 0xff, 0xff, 0xff], &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff], &[0, 0, 0, 0, 1]] {
            assert!(parse(answer).is_err(), "{answer:?}");
        }
    }
}
