//! Where the passphrase of encrypted key files comes from.

use crate::{mistake::Mistake, private_file};
use std::{env, path::Path};
use zeroize::Zeroizing;

/// The environment variable that holds the passphrase.
pub const VARIABLE: &str = "DAYFLY_CA_PASSPHRASE";

/// The name of systemd's credential that holds it (`LoadCredential=` or `LoadCredentialEncrypted=` of systemd.exec(5)).
pub const CREDENTIAL: &str = "ca-passphrase";

/// A passphrase. It is wiped when dropped and never printed.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes a passphrase.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// What the environment holds: [`VARIABLE`], or else [`CREDENTIAL`] in `$CREDENTIALS_DIRECTORY`.
    pub fn from_environment() -> Result<Option<Self>, Mistake> {
        use std::os::unix::ffi::OsStringExt;
        if let Some(text) = env::var_os(VARIABLE) {
            return Ok(Some(Self::new(text.into_vec())));
        }
        let Some(directory) = env::var_os("CREDENTIALS_DIRECTORY") else { return Ok(None) };
        let path = Path::new(&directory).join(CREDENTIAL);
        if !path.exists() {
            return Ok(None);
        }
        Self::from_file(&path).map(Some)
    }

    /// The first line of a file.
    pub fn from_file(path: &Path) -> Result<Self, Mistake> {
        let bytes = private_file::read(path)?;
        let line = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
        Ok(Self::new(line))
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
    fn a_file_gives_its_first_line_and_nothing_prints_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(CREDENTIAL);
        private_file::create(&path, b"correct horse\n").unwrap();
        let passphrase = Passphrase::from_file(&path).unwrap();
        assert_eq!(passphrase.as_bytes(), b"correct horse");
        assert!(!format!("{passphrase:?}").contains("horse"));
    }
}
