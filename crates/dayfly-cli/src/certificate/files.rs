//! A key and its certificate in files, named as OpenSSH expects: `FILE`, `FILE.pub`, `FILE-cert.pub`.

use super::is_ours;
use crate::{
    error::{Failure, Kind},
    state::private_file::{self, PRIVATE, PUBLIC, PrivateFileError},
};
use dayfly_core::certificate;
use ssh_key::{Certificate, LineEnding, PrivateKey};
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The largest file that is looked at, in bytes.
const LARGEST_FILE: u64 = 64 * 1024;

/// Where a key and its certificate are, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    directory: PathBuf,
    name: String,
}

impl KeyFiles {
    /// The files that belong to the private key at `path`.
    pub fn new(path: &Path) -> Result<Self, Failure> {
        let name = path.file_name().and_then(|name| name.to_str()).filter(|_| !path.to_string_lossy().ends_with('/'));
        let name = name.ok_or_else(|| Failure::new(Kind::Usage, format!("{} is not the name of a file", path.display())))?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self { directory, name: name.to_owned() })
    }

    /// The private key.
    pub fn key(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// The certificate.
    pub fn certificate(&self) -> PathBuf {
        self.directory.join(self.certificate_name())
    }

    fn public_name(&self) -> String {
        format!("{}.pub", self.name)
    }

    fn certificate_name(&self) -> String {
        format!("{}-cert.pub", self.name)
    }

    /// Refuses to overwrite a key that was not made here: somebody's own may be the only one there is.
    pub fn check_replaceable(&self) -> Result<(), Failure> {
        let path = self.key();
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(failure(PrivateFileError::System { path, cause })),
            Ok(found) if found.file_type().is_symlink() => return Err(failure(PrivateFileError::Link(path))),
            Ok(_) => {}
        }
        let bytes = read(&path).map_err(failure)?;
        let is_replaceable = bytes.is_empty() || PrivateKey::from_openssh(&*bytes).is_ok_and(|key| is_ours(key.comment().as_ref()));
        if is_replaceable {
            return Ok(());
        }
        Err(Failure::new(Kind::Failed, format!("{} exists, and is not a key that dayfly made", path.display()))
            .because("it would be lost")
            .remedy("name another file with --out, or remove this one"))
    }

    /// The certificate that is there with its key, and the key's comment. `None` if anything is missing, damaged or does not belong together.
    pub fn read(&self) -> Option<(Certificate, String)> {
        let key = PrivateKey::from_openssh(&*read(&self.key()).ok()?).ok()?;
        let line = read(&self.certificate()).ok()?;
        let certificate = certificate::parse(std::str::from_utf8(&line).ok()?).ok()?;
        let belongs = certificate.public_key() == key.public_key().key_data();
        belongs.then(|| (certificate, key.comment().to_string()))
    }

    /// Writes all three. Each is complete on disk before the first takes its place, and they follow each other at once.
    pub fn write(&self, key: &PrivateKey, certificate_line: &str) -> Result<(), Failure> {
        self.check_replaceable()?;
        let unwritable = |error: ssh_key::Error| Failure::new(Kind::Failed, "the new key cannot be written").because(error);
        let private = key.to_openssh(LineEnding::LF).map_err(unwritable)?;
        let public = format!("{}\n", key.public_key().to_openssh().map_err(unwritable)?);
        let certificate = format!("{}\n", certificate_line.trim_end());
        let files = [
            (self.name.as_str(), private.as_bytes(), PRIVATE),
            (&self.public_name(), public.as_bytes(), PUBLIC),
            (&self.certificate_name(), certificate.as_bytes(), PUBLIC),
        ];
        private_file::write_together(&self.directory, &files).map_err(failure)
    }

    /// Writes the certificate alone, whose key an agent holds: with it `ssh` picks that key out of all that the agent has.
    pub fn write_certificate(&self, certificate_line: &str) -> Result<(), Failure> {
        let certificate = format!("{}\n", certificate_line.trim_end());
        // Private, since `ssh` looks at it as an identity, and warns of one that others can read.
        let files = [(self.certificate_name(), certificate)];
        let files = files.each_ref().map(|(name, text)| (name.as_str(), text.as_bytes(), PRIVATE));
        private_file::write_together(&self.directory, &files).map_err(failure)
    }
}

fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, PrivateFileError> {
    let (file, _) = private_file::open_named(path)?;
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let read = file.take(LARGEST_FILE).read_to_end(&mut bytes);
    read.map_err(|cause| PrivateFileError::System { path: path.to_owned(), cause })?;
    Ok(bytes)
}

fn failure(error: PrivateFileError) -> Failure {
    let remedy =
        error.remedy().unwrap_or_else(|| "name another file with --out; its directory must exist and be yours to write".to_owned());
    Failure::new(Kind::Failed, "the certificate's files cannot be written").because(error).remedy(remedy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::signer::SeedSigner;
    use ssh_key::certificate::Builder;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn made(seed: u8, comment: &str) -> (PrivateKey, Certificate) {
        let mut key = SeedSigner::new(seed).private_key().clone();
        key.set_comment(comment);
        let mut builder = Builder::new(vec![7; 32], key.public_key().key_data().clone(), 1, 2).unwrap();
        builder.valid_principal("root@db1").unwrap();
        let certificate = builder.sign(SeedSigner::new(9).private_key()).unwrap();
        (key, certificate)
    }

    fn files(directory: &tempfile::TempDir) -> KeyFiles {
        KeyFiles::new(&directory.path().join("db1")).unwrap()
    }

    #[test]
    fn the_three_files_are_what_openssh_expects() {
        let directory = tempfile::tempdir().unwrap();
        let (key, certificate) = made(1, "dayfly db-admin db1");
        files(&directory).write(&key, &certificate.to_openssh().unwrap()).unwrap();
        assert_eq!(files(&directory).read().unwrap(), (certificate, "dayfly db-admin db1".to_owned()));
        let mode = |name: &str| fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("db1"), mode("db1.pub") & 0o7755, mode("db1-cert.pub") & 0o7755), (0o600, 0o644, 0o644));
        let shown =
            std::process::Command::new("ssh-keygen").arg("-L").arg("-f").arg(directory.path().join("db1-cert.pub")).output().unwrap();
        assert!(String::from_utf8_lossy(&shown.stdout).contains("root@db1"), "{shown:?}");
        let derived = std::process::Command::new("ssh-keygen").arg("-y").arg("-f").arg(directory.path().join("db1")).output().unwrap();
        assert!(derived.status.success(), "{derived:?}");
    }

    #[test]
    fn a_key_made_here_is_replaced_and_another_never() {
        let directory = tempfile::tempdir().unwrap();
        for seed in [1, 2] {
            let (key, certificate) = made(seed, "dayfly db-admin db1");
            files(&directory).write(&key, &certificate.to_openssh().unwrap()).unwrap();
        }
        let (own, _) = made(3, "alice@laptop");
        let before = own.to_openssh(LineEnding::LF).unwrap();
        fs::write(directory.path().join("db1"), &before).unwrap();
        let (key, certificate) = made(4, "dayfly db-admin db1");
        assert!(files(&directory).write(&key, &certificate.to_openssh().unwrap()).is_err());
        assert_eq!(fs::read_to_string(directory.path().join("db1")).unwrap(), *before);
    }

    #[test]
    fn row_23_a_link_in_the_place_of_a_file_is_neither_followed_nor_replaced() {
        let (key, certificate) = made(1, "dayfly db-admin db1");
        for name in ["db1", "db1.pub", "db1-cert.pub"] {
            let directory = tempfile::tempdir().unwrap();
            let victim = directory.path().join("victim");
            fs::write(&victim, "untouched").unwrap();
            std::os::unix::fs::symlink(&victim, directory.path().join(name)).unwrap();
            assert!(files(&directory).write(&key, &certificate.to_openssh().unwrap()).is_err(), "{name}");
            assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else was written: {name}");
        }
    }

    #[test]
    fn a_certificate_of_another_key_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let ((key, _), (_, other)) = (made(1, "dayfly db-admin db1"), made(2, "dayfly db-admin db1"));
        files(&directory).write(&key, &other.to_openssh().unwrap()).unwrap();
        assert_eq!(files(&directory).read(), None);
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for path in ["", "/", "..", "certs/", "certs/.."] {
            assert!(KeyFiles::new(Path::new(path)).is_err(), "{path}");
        }
    }
}
