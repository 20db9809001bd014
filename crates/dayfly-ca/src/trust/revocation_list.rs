//! The key revocation list in OpenSSH's form (PROTOCOL.krl). Empty: certificates live for minutes, and who is disabled is refused where sessions are
//! permitted. It is served all the same, since `sshd` locks everybody out whose `RevokedKeys` names a file that is not there.

use crate::{authority::Authority, failure::Failure};
use dayfly_core::signed_request::hex;
use sha2::{Digest, Sha256};

/// The list that is served now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedKrl {
    /// Its number, which only rises: `krl_version`.
    pub number: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub digest: String,
    /// Its bytes. The same list is always the same bytes, so that whoever holds them can be told from whoever does not.
    pub bytes: Vec<u8>,
}

/// The list that is served now.
pub async fn served_krl(_authority: &Authority) -> Result<ServedKrl, Failure> {
    let number = 1;
    let bytes = empty_krl(number, 0);
    Ok(ServedKrl { number, digest: hex(&Sha256::digest(&bytes)), bytes })
}

/// `SSHKRL\n\0`.
const MAGIC: &[u8; 8] = b"SSHKRL\n\0";

/// PROTOCOL.krl: `KRL_FORMAT_VERSION`.
const FORMAT_VERSION: u32 = 1;

/// A list that revokes nothing: the header alone. `generated_at` in Unix seconds.
fn empty_krl(version: u64, generated_at: u64) -> Vec<u8> {
    let no_flags = 0_u64;
    let mut list = Vec::new();
    list.extend_from_slice(MAGIC);
    list.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
    list.extend_from_slice(&version.to_be_bytes());
    list.extend_from_slice(&generated_at.to_be_bytes());
    list.extend_from_slice(&no_flags.to_be_bytes());
    for text in ["", "dayfly"] {
        list.extend_from_slice(&u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
        list.extend_from_slice(text.as_bytes());
    }
    list
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::signer::SeedSigner;
    use std::process::Command;

    #[test]
    fn ssh_keygen_reads_it_and_finds_nothing_revoked() {
        let directory = tempfile::tempdir().unwrap();
        let (list, key) = (directory.path().join("krl"), directory.path().join("key.pub"));
        std::fs::write(&list, empty_krl(1, 1_735_732_800)).unwrap();
        std::fs::write(&key, SeedSigner::new(1).private_key().public_key().to_openssh().unwrap()).unwrap();
        let query = |list: &std::path::Path| Command::new("ssh-keygen").arg("-Q").arg("-f").arg(list).arg(&key).output().unwrap();
        let output = query(&list);
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("ok"), "{output:?}");

        let mut damaged = empty_krl(1, 1_735_732_800);
        damaged.truncate(20);
        std::fs::write(&list, damaged).unwrap();
        assert!(!query(&list).status.success(), "ssh-keygen reads anything");
    }
}
