//! Writing a file whole or not at all, with exactly the permissions that it should have.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The permissions of a directory that `sshd` and its children read in.
const DIRECTORY: u32 = 0o755;

/// Puts a file in the place of the one that is there, if one is. Whoever reads sees the old one or the new one.
pub(super) fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let temporary = temporary(path)?;
    let written = write(&temporary, contents, mode).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // It is ours and useless; that it cannot be removed changes nothing for the caller.
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    sync_directory(path)
}

/// Removes a file.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)?;
    sync_directory(path)
}

/// Makes a directory, whatever the caller's umask.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY).create(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(DIRECTORY))
}

fn write(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(contents)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Beside the file, and not taken for one of its kind: `sshd` includes `*.conf` only.
fn temporary(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(path.with_file_name(format!(".{}.{:016x}", name.to_string_lossy(), rand::random::<u64>())))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
