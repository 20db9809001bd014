//! The key that what was typed unseen is encrypted to.

use age::x25519::Recipient;
use dayfly_recording::writer::Sealer;
use std::{fmt, str::FromStr};

/// The public half of an age key (`age1…`). No server has the other half.
#[derive(Clone)]
pub struct UnseenKey(Recipient);

impl UnseenKey {
    /// Encrypts to it, armored.
    pub(super) fn sealer(&self) -> Sealer {
        let recipient = self.0.clone();
        Box::new(move |bytes| age::encrypt_and_armor(&recipient, bytes).map_err(|error| error.to_string()))
    }
}

impl FromStr for UnseenKey {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "an age recipient is wanted, which begins with age1: age-keygen prints one")
    }
}

impl fmt::Debug for UnseenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnseenKey({})", self.0)
    }
}

impl PartialEq for UnseenKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use age::x25519::Identity;

    #[test]
    fn row_39_only_the_key_reads_what_was_sealed() {
        let (identity, other) = (Identity::generate(), Identity::generate());
        let key: UnseenKey = identity.to_public().to_string().parse().unwrap();
        let sealed = key.sealer()(b"hunter2\r").unwrap();
        assert!(sealed.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") && !sealed.contains("hunter2"));
        assert_eq!(age::decrypt(&identity, sealed.as_bytes()).unwrap(), b"hunter2\r");
        assert!(age::decrypt(&other, sealed.as_bytes()).is_err());
        assert!("ssh-ed25519 AAAA".parse::<UnseenKey>().is_err());
    }
}
