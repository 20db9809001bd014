//! What unlocks keys: asked for when the first key wants it, and once.

use super::passphrase::Passphrase;
use crate::mistake::Mistake;
use std::{cell::OnceCell, path::Path};

/// Where secrets are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The environment, systemd's credentials, and then the terminal.
    Surroundings,
    /// Nowhere.
    Nowhere,
}

/// What unlocks keys.
#[derive(Debug)]
pub struct Secrets {
    source: Source,
    passphrase: OnceCell<Option<Passphrase>>,
    pin: OnceCell<Option<Passphrase>>,
}

impl Secrets {
    /// What the environment and systemd's credentials hold; what is not there, somebody is asked for at the terminal.
    pub fn of_this_process() -> Self {
        Self { source: Source::Surroundings, passphrase: OnceCell::new(), pin: OnceCell::new() }
    }

    /// None at all.
    pub fn none() -> Self {
        Self { source: Source::Nowhere, passphrase: OnceCell::new(), pin: OnceCell::new() }
    }

    /// This passphrase and no PIN.
    pub fn passphrase_is(text: &str) -> Self {
        Self { source: Source::Nowhere, passphrase: OnceCell::from(Some(Passphrase::new(text))), pin: OnceCell::new() }
    }

    /// The passphrase of encrypted files, which all share; none if nobody knows it.
    pub fn passphrase(&self) -> Result<Option<&Passphrase>, Mistake> {
        self.get(&self.passphrase, Passphrase::from_environment, "Passphrase of the CA's keys: ")
    }

    /// The PIN of a token: of `file` if there is one, or the one that all tokens share.
    pub fn pin(&self, file: Option<&Path>, token: &str) -> Result<Option<Passphrase>, Mistake> {
        if let Some(path) = file {
            return Passphrase::from_file(path).map(Some);
        }
        let pin = self.get(&self.pin, Passphrase::pin_from_environment, &format!("PIN of the token {token:?}: "))?;
        Ok(pin.map(|pin| Passphrase::new(pin.as_bytes())))
    }

    fn get<'a>(
        &self,
        known: &'a OnceCell<Option<Passphrase>>,
        from_environment: fn() -> Result<Option<Passphrase>, Mistake>,
        prompt: &str,
    ) -> Result<Option<&'a Passphrase>, Mistake> {
        if known.get().is_none() && self.source == Source::Surroundings {
            let found = match from_environment()? {
                Some(found) => Some(found),
                None => Passphrase::from_terminal(prompt),
            };
            let _ = known.set(found);
        }
        Ok(known.get().and_then(Option::as_ref))
    }
}
