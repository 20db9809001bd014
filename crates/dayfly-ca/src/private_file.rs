//! Files that nobody else may read, and files that nobody else may write: made so, and refused otherwise.

use crate::mistake::Mistake;
use rustix::fs::OFlags;
use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// The largest file that is read whole, in bytes. An RSA key of 16,384 bits is a tenth of it.
const MAX_BYTES: u64 = 128 * 1024;

/// The permissions of a file that only its owner reads and writes.
const OWNER_ONLY: u32 = 0o600;

/// Everybody's permissions but the owner's.
const OTHERS: u32 = 0o077;

/// The permissions by which somebody else than the owner changes a file.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Reads a secret. Refuses a symbolic link, another owner's file, and one that others may read or write.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Mistake> {
    let file = open(path)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Mistake::new(path, format!("cannot be read: {error}"), "check the file and the disk"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Mistake::new(path, format!("is larger than {MAX_BYTES} bytes"), "name the right file"));
    }
    Ok(bytes)
}

/// Refuses what [`read`] would refuse, without opening the file.
pub fn check(path: &Path) -> Result<(), Mistake> {
    let metadata = std::fs::symlink_metadata(path).map_err(|error| cannot_open(path, &error))?;
    if metadata.is_symlink() { Err(symbolic_link(path)) } else { refuse_others(path, &metadata) }
}

/// Refuses a file or directory that somebody else than this program's user and root can write: what it says would be theirs.
pub fn check_writers(path: &Path) -> Result<(), Mistake> {
    let metadata = std::fs::metadata(path).map_err(|error| cannot_open(path, &error))?;
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != own && owner != 0 {
        let cause = format!("belongs to user {owner}, and this program runs as user {own}");
        return Err(Mistake::new(path, cause, format!("chown root {}", path.display())));
    }
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        let cause = format!("can be written by others (mode {:04o})", metadata.mode() & 0o7777);
        return Err(Mistake::new(path, cause, format!("chmod go-w {}", path.display())));
    }
    Ok(())
}

/// What is checked is what is read: the checks are made on the open file.
fn open(path: &Path) -> Result<File, Mistake> {
    // A FIFO in the file's place must not hang whoever opens it.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| cannot_open(path, &error))?;
    let metadata = file.metadata().map_err(|error| cannot_open(path, &error))?;
    refuse_others(path, &metadata)?;
    Ok(file)
}

fn refuse_others(path: &Path, metadata: &Metadata) -> Result<(), Mistake> {
    if !metadata.is_file() {
        return Err(Mistake::new(path, "is not a regular file", "name the file itself"));
    }
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != own {
        let cause = format!("belongs to user {owner}, and this program runs as user {own}");
        return Err(Mistake::new(path, cause, format!("chown {own} {}", path.display())));
    }
    if metadata.mode() & OTHERS != 0 {
        let cause = format!("can be used by others (mode {:04o})", metadata.mode() & 0o7777);
        return Err(Mistake::new(path, cause, format!("chmod 600 {}", path.display())));
    }
    Ok(())
}

fn symbolic_link(path: &Path) -> Mistake {
    Mistake::new(path, "is a symbolic link", "name the file that it leads to")
}

fn cannot_open(path: &Path, error: &std::io::Error) -> Mistake {
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return symbolic_link(path);
    }
    let remedy = match error.kind() {
        ErrorKind::NotFound => "correct the path, or make the file with `dayfly-ca init`",
        ErrorKind::PermissionDenied => "run the program as the user that the file belongs to",
        _ => "check the file and the disk",
    };
    Mistake::new(path, format!("cannot be opened: {error}"), remedy)
}

/// Makes a file that only its owner reads and writes, and puts it on disk. Refuses to replace one.
pub fn create(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a directory that only its owner enters. One that exists and is empty is taken if nobody else can enter it.
pub fn create_directory(path: &Path) -> Result<(), Mistake> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => take_empty_directory(path),
        Err(error) => Err(Mistake::new(path, format!("cannot be made: {error}"), "name a directory whose parent exists and is yours")),
    }
}

fn take_empty_directory(path: &Path) -> Result<(), Mistake> {
    let failed = |error: std::io::Error| Mistake::new(path, format!("cannot be used: {error}"), "name another directory");
    if std::fs::read_dir(path).map_err(failed)?.next().is_some() {
        return Err(Mistake::new(path, "is not empty", "name a directory that does not exist yet: nothing is ever overwritten"));
    }
    let mode = std::fs::symlink_metadata(path).map_err(failed)?.mode();
    if mode & OTHERS != 0 {
        let cause = format!("can be entered by others (mode {:04o})", mode & 0o7777);
        return Err(Mistake::new(path, cause, format!("chmod 700 {}", path.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn row_23_what_is_made_is_the_owners_alone_and_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        create(&path, b"secret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, OWNER_ONLY);
        assert_eq!(read(&path).unwrap().as_slice(), b"secret");
        assert_eq!(create(&path, b"other").unwrap_err().kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn row_23_readable_linked_missing_and_strange_files_are_refused_with_a_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        create(&path, b"secret").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let mistake = read(&path).unwrap_err();
            assert_eq!(mistake.remedy, format!("chmod 600 {}", path.display()), "{mode:o}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path).is_ok());
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(read(&link).unwrap_err().cause, "is a symbolic link");
        assert_eq!(check(&link).unwrap_err().cause, "is a symbolic link");
        assert_eq!(read(directory.path()).unwrap_err().cause, "is not a regular file");
        assert!(read(&directory.path().join("absent")).unwrap_err().remedy.contains("dayfly-ca init"));
    }

    #[test]
    fn a_directory_is_taken_only_if_it_is_empty_and_closed() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("ca");
        create_directory(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        create_directory(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(create_directory(&path).unwrap_err().remedy.starts_with("chmod 700"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        create(&path.join("file"), b"").unwrap();
        assert_eq!(create_directory(&path).unwrap_err().cause, "is not empty");
    }
}
