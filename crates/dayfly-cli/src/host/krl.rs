//! The key revocation list as a host holds it: its number, whether it is one at all, and how old it is (OpenSSH PROTOCOL.krl).

use super::place::Place;
use crate::error::{Failure, Kind};
use dayfly_core::{certificate::krl::Krl, signed_request::hex};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    time::{Duration, SystemTime},
};

/// The number of a list that can be read to its end. One that cannot would lock everybody out.
pub fn number(list: &[u8]) -> Option<u64> {
    Krl::parse(list).ok().map(|krl| krl.number)
}

/// SHA-256 in lower-case hexadecimal.
pub fn digest(list: &[u8]) -> String {
    hex(&Sha256::digest(list))
}

/// Refuses a list that is none, and one that is older than the one that is held: what was revoked once stays so.
pub fn check(list: &[u8], held: Option<&[u8]>) -> Result<u64, Failure> {
    let refused = |cause: String| Failure::new(Kind::Failed, "the CA gave a revocation list that is not used").because(cause);
    let number = self::number(list).ok_or_else(|| refused("it is damaged".to_owned()))?;
    match held.and_then(self::number) {
        Some(held) if held > number => Err(refused(format!("its number is {number}, and the list that is here has {held}"))
            .remedy("ask whoever runs the CA whether it was restored from a backup; if so, remove the list that is here")),
        _ => Ok(number),
    }
}

/// Notes in the file's own time that the CA said just now: this list is the current one.
pub fn note_current(place: &Place) -> std::io::Result<()> {
    File::options().append(true).open(place.revoked_keys())?.set_modified(SystemTime::now())
}

/// How long ago the list was known to be the current one; `None` if there is none.
pub fn age(place: &Place) -> Option<Duration> {
    let modified = std::fs::metadata(place.revoked_keys()).and_then(|found| found.modified()).ok()?;
    Some(SystemTime::now().duration_since(modified).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use std::process::Command;

    /// A list by `ssh-keygen` that revokes a serial.
    fn list(number: u64) -> Vec<u8> {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("spec"), "serial: 5\n").unwrap();
        let keygen =
            |arguments: &[&str]| assert!(Command::new("ssh-keygen").current_dir(place.path()).args(arguments).status().unwrap().success());
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
        keygen(&["-q", "-k", "-f", "krl", "-s", "ca.pub", "-z", &number.to_string(), "spec"]);
        std::fs::read(place.path().join("krl")).unwrap()
    }

    #[test]
    fn a_list_by_ssh_keygen_has_its_number_and_a_damaged_one_none() {
        let list = list(7);
        assert_eq!(number(&list), Some(7));
        // A header alone, which revokes nothing, is a whole list too.
        let header = list.len() - list.iter().rposition(|byte| *byte == 1).unwrap();
        assert!(header > 0);
        for cut in [0, 7, 20, list.len() - 1] {
            assert_eq!(number(&list[..cut]), None, "{cut}");
        }
        assert_eq!(number(&[list.as_slice(), b"x"].concat()), None);
    }

    #[test]
    fn row_42_an_older_list_does_not_replace_a_newer_one() {
        let (old, new) = (list(7), list(8));
        assert_eq!(check(&new, Some(&old)).unwrap(), 8);
        assert_eq!(check(&new, Some(&new)).unwrap(), 8);
        assert!(check(&old, Some(&new)).is_err());
        assert_eq!(check(&old, Some(b"garbage")).unwrap(), 7, "what locks everybody out is replaced");
        assert!(check(b"garbage", None).is_err());
    }
}
