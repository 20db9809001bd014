//! Disks that fail, and disks that count.

use super::*;
use crate::{
    close_interrupted,
    examples::{ENDED_AT, check},
    verify,
    writer::storage::StoredFile,
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A disk that has room for so many bytes.
#[derive(Clone)]
struct SmallDisk(Arc<AtomicU64>);

struct SmallFile(Box<dyn StoredFile>, SmallDisk);

impl Storage for SmallDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        Ok(Box::new(SmallFile(FileSystem.create(path)?, self.clone())))
    }
}

impl Write for SmallFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.1.0.load(Relaxed);
        let count = bytes.len().min(room as usize);
        if count == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.1.0.store(room - count as u64, Relaxed);
        self.0.write_all(&bytes[..count])?;
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl StoredFile for SmallFile {
    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[test]
fn row_13_whatever_room_a_disk_has_nothing_is_claimed_that_it_does_not_hold() {
    let (mut refused, mut cut, mut sealed_as_failed, mut completed) = (0, 0, 0, 0);
    for room in (0..4200).step_by(61) {
        let root = tempdir().unwrap();
        let disk = SmallDisk(Arc::new(AtomicU64::new(room)));
        let Ok(mut writer) = RecordingWriter::create_in(Box::new(disk.clone()), root.path(), facts(), STARTED_AT) else {
            assert_eq!(
                crate::layout::recordings(root.path()).unwrap().len(),
                0,
                "a session that may not start leaves nothing, room {room}"
            );
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "not even a beginning, room {room}");
            refused += 1;
            continue;
        };
        let dir = writer.dir().to_owned();
        let played = play(&mut writer);
        match finish(writer) {
            Ok(finished) => {
                assert!(played.is_ok(), "a failed recording was completed, room {room}");
                assert_eq!(verify(&dir, check).unwrap().manifest, finished.manifest);
                completed += 1;
            }
            Err(RecordingError::SealedAsFailed { finished, .. }) => {
                assert_eq!(verify(&dir, check).unwrap().manifest, finished.manifest, "room {room}");
                assert_eq!(finished.manifest.outcome, Outcome::RecordingFailed);
                sealed_as_failed += 1;
            }
            Err(_) => {
                assert_eq!(Recording::open(&dir).unwrap().manifest().unwrap(), None);
                let closed = close_interrupted(root.path(), ENDED_AT, sign).unwrap();
                assert_eq!((closed.closed.len(), closed.failed.len()), (1, 0), "room {room}");
                assert_eq!(verify(&dir, check).unwrap().manifest.outcome, Outcome::Interrupted);
                cut += 1;
            }
        }
    }
    // A small manifest never fits where the events did not, unless room was made in between.
    assert!(refused > 0 && cut > 0 && completed > 0 && sealed_as_failed == 0, "{refused} {cut} {sealed_as_failed} {completed}");
}

#[test]
fn row_13_a_disk_that_was_full_for_a_while_leaves_a_failed_recording_that_verifies() {
    for room in (700..1600).step_by(31) {
        let root = tempdir().unwrap();
        let disk = SmallDisk(Arc::new(AtomicU64::new(room)));
        let mut writer = RecordingWriter::create_in(Box::new(disk.clone()), root.path(), facts(), STARTED_AT).unwrap();
        let dir = writer.dir().to_owned();
        if play(&mut writer).is_ok() {
            continue;
        }
        disk.0.store(u64::MAX >> 1, Relaxed);
        let Err(RecordingError::SealedAsFailed { finished, .. }) = finish(writer) else { panic!("room {room}") };
        let verified = verify(&dir, check).unwrap();
        assert_eq!((verified.manifest_sha256, verified.manifest.outcome), (finished.manifest_sha256, Outcome::RecordingFailed));
    }
}

/// The kernel's disk that is always full.
struct DevFull;

impl Storage for DevFull {
    fn create(&self, _: &Path) -> io::Result<Box<dyn StoredFile>> {
        Ok(Box::new(OpenOptions::new().write(true).open("/dev/full")?))
    }
}

#[test]
fn row_13_no_session_starts_on_a_full_disk() {
    let root = tempdir().unwrap();
    let error = RecordingWriter::create_in(Box::new(DevFull), root.path(), facts(), STARTED_AT).err().unwrap();
    let RecordingError::Io { action: "write", source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().contains("make sure that the disk has room"), "{error}");
}

/// A disk that counts how often it is waited for.
#[derive(Clone, Default)]
struct CountingDisk(Arc<AtomicU64>);

struct CountingFile(File, CountingDisk);

impl Storage for CountingDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        Ok(Box::new(CountingFile(File::create_new(path)?, self.clone())))
    }
}

impl Write for CountingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl StoredFile for CountingFile {
    fn sync_data(&mut self) -> io::Result<()> {
        self.1.0.fetch_add(1, Relaxed);
        Ok(())
    }
}

#[test]
fn only_what_was_written_is_waited_for() {
    let root = tempdir().unwrap();
    let disk = CountingDisk::default();
    let mut writer = RecordingWriter::create_in(Box::new(disk.clone()), root.path(), facts(), STARTED_AT).unwrap();
    let syncs = || disk.0.load(Relaxed);
    assert_eq!(syncs(), 1, "the start event");
    writer.sync().unwrap();
    assert_eq!(syncs(), 1, "nothing was written since");
    let terminal = writer.open_terminal(ms(1), 0, "xterm", 80, 24).unwrap();
    writer.sync().unwrap();
    assert_eq!(syncs(), 3, "the terminal and its event");
    writer.terminal_output(terminal, ms(2), b"a").unwrap();
    writer.sync().unwrap();
    writer.sync().unwrap();
    assert_eq!(syncs(), 4, "the terminal");
    assert_eq!(fs::read_to_string(writer.dir().join("terminal-0.cast")).unwrap().lines().count(), 2);
}
