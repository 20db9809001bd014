//! Files that belong to the bastion alone.

use ssh_key::{Algorithm, LineEnding, PrivateKey};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Replaces a file, whole or not at all, whatever happens in between. Mode 0600.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Makes a directory that nobody else may enter, if there is none.
pub fn make_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Reads an unencrypted private key in OpenSSH's format. Refuses one that others may read.
pub fn read_private_key(path: &Path) -> io::Result<PrivateKey> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!("{} may be read by others: chmod 600 {0}", path.display())));
    }
    let key = PrivateKey::from_openssh(fs::read(path)?).map_err(io::Error::other)?;
    if key.is_encrypted() {
        return Err(io::Error::other(format!(
            "{} is encrypted, and nobody is there to decrypt it: ssh-keygen -p -N '' -f {0}",
            path.display()
        )));
    }
    Ok(key)
}

/// Reads a private key; makes an Ed25519 one if there is none.
pub fn read_or_make_private_key(path: &Path) -> io::Result<PrivateKey> {
    match read_private_key(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(io::Error::other)?;
    let pem = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    write_private(path, pem.as_bytes())?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::signer::SeedSigner;

    #[test]
    fn row_28_a_key_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let key = SeedSigner::new(1).private_key().clone();
        write_private(&path, key.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_private_key(&path).unwrap().public_key().key_data(), key.public_key().key_data());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read_private_key(&path).unwrap_err().to_string().contains("chmod 600"));
    }
}
