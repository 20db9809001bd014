//! Where the passphrase of encrypted key files comes from, and the PIN of a token.

use crate::{mistake::Mistake, private_file};
use std::{
    env,
    io::{ErrorKind, IsTerminal},
    path::Path,
};
use zeroize::Zeroizing;

/// The environment variable that holds the passphrase.
pub const VARIABLE: &str = "DAYFLY_CA_PASSPHRASE";

/// The name of systemd's credential that holds it (`LoadCredential=` or `LoadCredentialEncrypted=` of systemd.exec(5)).
pub const CREDENTIAL: &str = "ca-passphrase";

/// The environment variable that holds a token's PIN.
pub const PIN_VARIABLE: &str = "DAYFLY_CA_TOKEN_PIN";

/// The name of systemd's credential that holds it.
pub const PIN_CREDENTIAL: &str = "ca-token-pin";

/// A passphrase or a PIN. It is wiped when dropped and never printed.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes a passphrase.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// What the environment holds: [`VARIABLE`], or else [`CREDENTIAL`] in `$CREDENTIALS_DIRECTORY`.
    pub fn from_environment() -> Result<Option<Self>, Mistake> {
        Self::from_variable_or_credential(VARIABLE, CREDENTIAL)
    }

    /// A token's PIN, likewise: [`PIN_VARIABLE`] or [`PIN_CREDENTIAL`].
    pub fn pin_from_environment() -> Result<Option<Self>, Mistake> {
        Self::from_variable_or_credential(PIN_VARIABLE, PIN_CREDENTIAL)
    }

    fn from_variable_or_credential(variable: &str, credential: &str) -> Result<Option<Self>, Mistake> {
        use std::os::unix::ffi::OsStringExt;
        if let Some(text) = env::var_os(variable) {
            return Ok(Some(Self::new(text.into_vec())));
        }
        let Some(directory) = env::var_os("CREDENTIALS_DIRECTORY") else { return Ok(None) };
        Self::from_credential(&Path::new(&directory).join(credential))
    }

    /// The first line of a file that nobody else may read.
    pub fn from_file(path: &Path) -> Result<Self, Mistake> {
        Ok(Self::first_line(&private_file::read(path)?))
    }

    /// What somebody types at the terminal, unseen; none where nobody sits at one.
    pub fn from_terminal(prompt: &str) -> Option<Self> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        rpassword::prompt_password(prompt).ok().map(Self::new)
    }

    /// The first line of a credential, if there is one. Who may read it is not checked: systemd keeps the directory for this service alone, and shows
    /// the permissions of its access list in the place of the group's.
    fn from_credential(path: &Path) -> Result<Option<Self>, Mistake> {
        match std::fs::read(path).map(Zeroizing::new) {
            Ok(bytes) => Ok(Some(Self::first_line(&bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Mistake::new(path, format!("cannot be read: {error}"), "check LoadCredential= in the service's unit")),
        }
    }

    fn first_line(bytes: &[u8]) -> Self {
        Self::new(bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_28_a_credential_gives_its_first_line_and_nothing_prints_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(CREDENTIAL);
        assert!(Passphrase::from_credential(&path).unwrap().is_none());
        std::fs::write(&path, b"correct horse\n").unwrap();
        let passphrase = Passphrase::from_credential(&path).unwrap().unwrap();
        assert_eq!(passphrase.as_bytes(), b"correct horse");
        assert!(!format!("{passphrase:?}").contains("horse"));
    }
}
