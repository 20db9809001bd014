//! The name of somebody who signs in: made of the provider's name here and its own id of them, and of nothing that people choose.

use dayfly_core::{
    identity::Subject,
    name::{MAX_LENGTH, NameError, SubjectName, is_name},
    signed_request::hex,
};
use sha2::{Digest, Sha256};

/// What begins the second half of names whose id is no name by itself. No id that is one begins so and is taken as it is.
const HASHED: &str = "h_";

/// The bytes of a hash that make a name. Two ids with the same are not found; if they were, the second would be refused.
const HASH_BYTES: usize = 20;

/// The name of the person that `provider` calls `id` (`sub`): `corp.248289761001`, or `corp.h_…` where the id has other characters than names may have.
pub fn subject(provider: &str, id: &str) -> Result<Subject, NameError> {
    let is_name = is_name(id) && !id.starts_with(HASHED) && provider.len() + 1 + id.len() <= MAX_LENGTH;
    let name = if is_name {
        format!("{provider}.{id}")
    } else {
        let hash = Sha256::digest(id.as_bytes());
        format!("{provider}.{HASHED}{}", hex(hash.get(..HASH_BYTES).unwrap_or_default()))
    };
    SubjectName::new(name).map(Subject::Person)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn row_15_no_two_ids_share_a_name() {
        let hash = "h_".to_owned() + &hex(&Sha256::digest(b"Alice")[..HASH_BYTES]);
        let long = "a".repeat(200);
        let ids = ["alice", "Alice", "ALICE", "alice ", "", "alice@example.org", "machine:ci", "..", "a..b", &hash, &long, "-x", "é"];
        let names: BTreeSet<String> = ids.iter().map(|id| subject("corp", id).unwrap().to_string()).collect();
        assert_eq!(names.len(), ids.len());
        assert_eq!(subject("corp", "248289761001").unwrap().to_string(), "corp.248289761001");
        assert!(names.iter().all(|name| name.starts_with("corp.") && is_name(name)), "{names:?}");
        assert!(matches!(subject("corp", "machine:ci").unwrap(), Subject::Person(_)));
        assert_ne!(subject("corp", "a").unwrap(), subject("other", "a").unwrap());
        let (longest, id) = ("abcdefghijklmnop", "x".repeat(64));
        assert!(subject(longest, &id).is_ok());
    }
}
