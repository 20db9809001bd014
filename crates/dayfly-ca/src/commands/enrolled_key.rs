//! The public key that somebody is enrolled with, from a file.

use crate::mistake::Mistake;
use dayfly_core::signature::{fingerprint, strength};
use ssh_key::PublicKey;
use std::path::Path;

/// The largest file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// A public key that is strong enough.
pub(super) struct EnrolledKey {
    /// `SHA256:…`.
    pub(super) fingerprint: String,
    /// One OpenSSH line, without the comment: nobody's mail address is kept by accident.
    pub(super) line: String,
}

/// Reads a `.pub` file. A private key is refused, whatever it is called: it has no business here.
pub(super) fn read(path: &Path) -> anyhow::Result<EnrolledKey> {
    let refused = |cause: &str, remedy: &str| anyhow::anyhow!(Mistake::new(path, cause, remedy).to_string());
    let size = std::fs::metadata(path).map_err(|error| refused(&format!("cannot be read: {error}"), "name the public key's file"))?.len();
    if size > MAX_BYTES {
        return Err(refused("is too large for a public key", "name the .pub file"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refused(&format!("cannot be read: {error}"), "name the .pub file"))?;
    if text.contains("PRIVATE KEY") {
        return Err(refused("is a private key", "it stays where it is: name the .pub file beside it"));
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err(refused("does not hold exactly one line", "name the .pub file of one key"));
    };
    let key = PublicKey::from_openssh(line.trim())
        .map_err(|_| refused("is not a public key in OpenSSH's format", "name the .pub file that ssh-keygen made"))?;
    strength(key.key_data()).map_err(|refusal| refused(&refusal.message, &refusal.remedy))?;
    let line = PublicKey::from(key.key_data().clone()).to_openssh()?;
    Ok(EnrolledKey { fingerprint: fingerprint(key.key_data()), line })
}
