//! Key revocation lists in OpenSSH's form (OpenSSH PROTOCOL.krl): what `sshd`'s `RevokedKeys` and `ssh-keygen -Q` read.
//!
//! | Part | What it is |
//! |---|---|
//! | `serials` | a set of serials, however dense |
//! | `layout` | how a set of serials is written in the fewest bytes |
//! | `writer`, `reader`, `tag` | the bytes |
//!
//! A list is judged as OpenSSH judges it, and whatever it would refuse to load is refused here. Signatures in a list are passed over, as OpenSSH does since
//! 9.4: what is fetched is believed because of where it was fetched from. None is ever written.

mod layout;
mod reader;
mod serials;
mod tag;
mod writer;

pub use serials::SerialSet;

use aws_lc_rs::digest;
use sha2::{Digest, Sha256};
use ssh_key::{Certificate, encoding::Encode, public::KeyData};
use std::collections::{BTreeMap, BTreeSet};

/// The largest list that is read or written, in bytes: ten times the serials that anybody revokes at once.
pub const LARGEST_KRL: usize = 8 * 1024 * 1024;

/// A list that cannot be used. One that is not understood to its end is not used at all: it would admit what it revokes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KrlError {
    /// More than [`LARGEST_KRL`], or serials in more pieces than a list of that size should unfold to.
    #[error("the revocation list is too large")]
    TooLarge,
    /// It begins with something else.
    #[error("this is not a revocation list of OpenSSH")]
    NotAKrl,
    /// Another format.
    #[error("the revocation list has format {0}, and 1 is known here")]
    Format(u32),
    /// It ends in the middle.
    #[error("the revocation list ends too early: fetch it again")]
    Truncated,
    /// A section holds more than it should.
    #[error("a section of the revocation list holds bytes that nothing accounts for")]
    Leftover,
    /// A section of an unknown type, which might revoke anything.
    #[error("the revocation list holds a section of type {0:#04x}, which is not known here")]
    Section(u8),
    /// An extension that must be understood and is not.
    #[error("the revocation list demands {0:?}, which is not known here")]
    CriticalExtension(String),
    /// Serial 0, which is no certificate's, a range that runs backwards, or a bitmap past the last serial.
    #[error("the revocation list holds serials that cannot be")]
    Serial,
    /// A CA key that cannot be read.
    #[error("the revocation list speaks of a CA key that cannot be read")]
    Authority,
    /// A key id or comment that holds a NUL, or a fingerprint of the wrong length.
    #[error("the revocation list holds a key id, comment or fingerprint that cannot be")]
    Value,
}

/// By what a list revokes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedBy {
    /// By the key itself or its fingerprint.
    Key,
    /// By the key that signed the certificate.
    Authority,
    /// By the certificate's key id.
    KeyId,
    /// By the certificate's serial.
    Serial,
}

/// A key revocation list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Krl {
    /// Its number (`krl_version`), which rises with every change.
    pub number: u64,
    /// When it was made, in Unix seconds.
    pub generated_at: u64,
    /// Whatever its maker wrote about it.
    pub comment: String,
    /// By the CA key's blob; by nothing for certificates of any CA.
    certificates: BTreeMap<Vec<u8>, RevokedCertificates>,
    /// Public keys, as blobs.
    keys: BTreeSet<Vec<u8>>,
    sha1: BTreeSet<[u8; 20]>,
    sha256: BTreeSet<[u8; 32]>,
}

/// The certificates of one CA, or of any, that a list revokes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedCertificates {
    /// Their serials.
    pub serials: SerialSet,
    /// Their key ids, as bytes: they are compared, never believed.
    pub key_ids: BTreeSet<Vec<u8>>,
}

impl Krl {
    /// A list that revokes nothing. `generated_at` in Unix seconds.
    pub fn new(number: u64, generated_at: u64, comment: impl Into<String>) -> Self {
        Self { number, generated_at, comment: comment.into(), ..Self::default() }
    }

    /// Reads a list. Bounded in time and memory by [`LARGEST_KRL`], whatever the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, KrlError> {
        reader::read(bytes)
    }

    /// The list as bytes, serials in the fewest.
    pub fn encode(&self) -> Result<Vec<u8>, KrlError> {
        writer::write(self)
    }

    /// Whether, and by what, a certificate is revoked: by itself, by its key or by the key that signed it. Nothing else about it is checked.
    pub fn revokes(&self, certificate: &Certificate) -> Option<ListedBy> {
        if self.revokes_key(certificate.public_key()) {
            return Some(ListedBy::Key);
        }
        if self.revokes_key(certificate.signature_key()) {
            return Some(ListedBy::Authority);
        }
        let signed_by = blob(certificate.signature_key());
        let sections = [signed_by.as_slice(), &[]];
        let sections = sections.into_iter().filter_map(|authority| self.certificates.get(authority));
        sections.into_iter().find_map(|section| section.find(certificate))
    }

    /// Whether a key is revoked, as itself or by its fingerprint.
    pub fn revokes_key(&self, key: &KeyData) -> bool {
        let blob = blob(key);
        self.keys.contains(&blob)
            || self.sha256.contains(&sha256(&blob))
            || (!self.sha1.is_empty() && sha1(&blob).is_some_and(|digest| self.sha1.contains(&digest)))
    }

    /// Revokes certificates of `authority`, or of any CA, by serial. Serial 0 is no certificate's (PROTOCOL.krl), and refused.
    pub fn revoke_serials(&mut self, authority: Option<&KeyData>, serials: impl IntoIterator<Item = u64>) -> Result<(), KrlError> {
        self.revoke_ranges(authority, serials.into_iter().map(|serial| (serial, serial)))
    }

    /// The same by ranges, both ends included.
    pub fn revoke_ranges(&mut self, authority: Option<&KeyData>, ranges: impl IntoIterator<Item = (u64, u64)>) -> Result<(), KrlError> {
        let ranges: Vec<_> = ranges.into_iter().collect();
        if ranges.iter().any(|(first, last)| *first == 0 || first > last) {
            return Err(KrlError::Serial);
        }
        self.of_authority(authority).serials.extend(ranges);
        Ok(())
    }

    /// Revokes certificates of `authority`, or of any CA, by key id. One with a NUL is no certificate's, and refused.
    pub fn revoke_key_id(&mut self, authority: Option<&KeyData>, key_id: &str) -> Result<(), KrlError> {
        if key_id.contains('\0') {
            return Err(KrlError::Value);
        }
        self.of_authority(authority).key_ids.insert(key_id.as_bytes().to_vec());
        Ok(())
    }

    /// Revokes a key, every certificate of it, and, where it is a CA's, everything that it signed.
    pub fn revoke_key(&mut self, key: &KeyData) {
        self.keys.insert(blob(key));
    }

    /// The same by the key's SHA-256 fingerprint.
    pub fn revoke_fingerprint(&mut self, sha256: [u8; 32]) {
        self.sha256.insert(sha256);
    }

    /// What is revoked by CA: the CA key's blob, empty for any CA, and what it signed.
    pub fn certificates(&self) -> impl Iterator<Item = (&[u8], &RevokedCertificates)> {
        self.certificates.iter().map(|(authority, revoked)| (authority.as_slice(), revoked))
    }

    /// The blobs of keys that are revoked as themselves.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(Vec::as_slice)
    }

    /// The SHA-256 fingerprints of revoked keys.
    pub fn sha256_fingerprints(&self) -> &BTreeSet<[u8; 32]> {
        &self.sha256
    }

    /// The SHA-1 fingerprints of revoked keys, in lists that others made.
    pub fn sha1_fingerprints(&self) -> &BTreeSet<[u8; 20]> {
        &self.sha1
    }

    fn of_authority(&mut self, authority: Option<&KeyData>) -> &mut RevokedCertificates {
        self.certificates.entry(authority.map(blob).unwrap_or_default()).or_default()
    }
}

impl RevokedCertificates {
    fn find(&self, certificate: &Certificate) -> Option<ListedBy> {
        if self.key_ids.contains(certificate.key_id().as_bytes()) {
            return Some(ListedBy::KeyId);
        }
        self.serials.contains(certificate.serial()).then_some(ListedBy::Serial)
    }
}

/// A key as it is compared and hashed. Encoding into memory fails for no key that was read.
fn blob(key: &KeyData) -> Vec<u8> {
    key.encode_vec().unwrap_or_default()
}

fn sha256(blob: &[u8]) -> [u8; 32] {
    Sha256::digest(blob).into()
}

/// Only ever to find what others listed so.
fn sha1(blob: &[u8]) -> Option<[u8; 20]> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, blob).as_ref().try_into().ok()
}

#[cfg(test)]
mod tests;
