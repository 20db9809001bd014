#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    recorder::RecordingFailure,
    session::{Ending, Exit, Plan, Size, StartRequest, Terminal},
};
use bytes::Bytes;
use dayfly_core::{
    signature::verify_sshsig,
    signer::{SeedSigner, Signer},
};
use dayfly_recording::{Mode, Outcome, Stream, writer::storage::StoredFile};
use ssh_key::SshSig;
use std::{
    fs,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};

fn facts(session: Uuid) -> SessionFacts {
    SessionFacts {
        session_id: session,
        connection_id: Uuid::now_v7(),
        subject: "alice".into(),
        role: "db-admin".into(),
        grant: "g".into(),
        certificate_serial: 7,
        key_fingerprint: "SHA256:x".into(),
        session_certificate_serial: Some(8),
        account: "deploy".into(),
        target: "db1".into(),
        bastion: "gate".into(),
        mode: Mode::Record,
        peer: "192.0.2.7:50022".parse().unwrap(),
        record_input: false,
    }
}

fn plan(terminal: Option<Terminal>, start: StartRequest) -> Plan {
    Plan { terminal, environment: vec![("LANG".into(), "secret".into())], agent: false, start, forced: None }
}

fn completed() -> Ending {
    Ending::new(Outcome::Completed, "done")
}

async fn begin(recorder: &FileRecorder) -> (Uuid, Result<Recording, RecordingFailure>) {
    let session = Uuid::now_v7();
    (session, recorder.begin(facts(session), OffsetDateTime::now_utc()).await)
}

#[tokio::test]
async fn a_command_is_kept_by_its_streams_and_sealed_by_the_enrolled_key() {
    let root = tempfile::tempdir().unwrap();
    let signer = Arc::new(SeedSigner::new(1));
    let recorder = FileRecorder::start(root.path(), signer.clone()).unwrap();
    let (session, recording) = begin(&recorder).await;
    let recording = recording.unwrap();
    let directory = dayfly_recording::find(root.path(), session).unwrap().unwrap();
    assert!(directory.join("events.ndjson").exists(), "the recording is there before anything happens");
    recording.started(&plan(None, StartRequest::Exec(b"cat".to_vec()))).await.unwrap();
    recording.bytes(Stream::Stdin, Bytes::from_static(b"in")).await.unwrap();
    recording.bytes(Stream::Stdout, Bytes::from(vec![7; 3 << 20])).await.unwrap();
    recording.exited(&Exit::Status(3)).await.unwrap();
    let finished = recording.finish(&completed()).await.unwrap();
    assert_eq!((finished.manifest.bytes_in, finished.manifest.bytes_out), (Some(2), Some(3 << 20)));
    assert_eq!(finished.manifest.streams.len(), 3);
    let signature = SshSig::from_pem(fs::read(directory.join("manifest.json.sig")).unwrap()).unwrap();
    let manifest = fs::read(directory.join("manifest.json")).unwrap();
    assert_eq!(verify_sshsig(&signature, SIGNATURE_NAMESPACE, &manifest).unwrap(), signer.public_key());
    let events = fs::read_to_string(directory.join("events.ndjson")).unwrap();
    assert!(events.contains("LANG") && events.contains("secret"), "a command can hide in an accepted variable's value");
    assert!(events.len() < 2 << 20, "a megabyte of a stream is kept, not all of it");
}

#[tokio::test]
async fn row_12_a_shell_without_a_terminal_hides_nothing_behind_a_bound() {
    let root = tempfile::tempdir().unwrap();
    let recorder = FileRecorder::start(root.path(), Arc::new(SeedSigner::new(1))).unwrap();
    let (session, recording) = begin(&recorder).await;
    let recording = recording.unwrap();
    recording.started(&plan(None, StartRequest::Shell)).await.unwrap();
    for _ in 0..96 {
        recording.bytes(Stream::Stdin, Bytes::from(vec![b'\n'; 32 * 1024])).await.unwrap();
    }
    recording.bytes(Stream::Stdin, Bytes::from_static(b"id")).await.unwrap();
    let finished = recording.finish(&completed()).await.unwrap();
    assert!(finished.manifest.streams.iter().all(|stream| stream.digest.recorded == stream.digest.bytes));
    let directory = dayfly_recording::find(root.path(), session).unwrap().unwrap();
    let events = fs::read_to_string(directory.join("events.ndjson")).unwrap();
    assert!(events.contains("\"aWQ=\""), "the command after three megabytes of nothing is there");
}

#[tokio::test]
async fn a_terminal_is_kept_as_it_looked() {
    let root = tempfile::tempdir().unwrap();
    let recorder = FileRecorder::start(root.path(), Arc::new(SeedSigner::new(1))).unwrap();
    let (session, recording) = begin(&recorder).await;
    let recording = recording.unwrap();
    let size = Size { columns: 80, rows: 24, width: 0, height: 0 };
    let terminal = Terminal { term: "xterm".into(), size, modes: Vec::new() };
    recording.started(&plan(Some(terminal), StartRequest::Shell)).await.unwrap();
    recording.bytes(Stream::Stdin, Bytes::from_static(b"hunter2")).await.unwrap();
    recording.bytes(Stream::Stdout, Bytes::from_static(b"prompt")).await.unwrap();
    recording.resized(Size { columns: 100, ..size }).await.unwrap();
    recording.finish(&completed()).await.unwrap();
    let directory = dayfly_recording::find(root.path(), session).unwrap().unwrap();
    let cast = fs::read_to_string(directory.join("terminal-0.cast")).unwrap();
    assert!(cast.contains("prompt") && cast.contains("100x24") && !cast.contains("hunter2"), "{cast}");
}

#[tokio::test]
async fn row_12_what_cannot_be_followed_is_not_recorded_as_if_it_could() {
    let root = tempfile::tempdir().unwrap();
    let recorder = FileRecorder::start(root.path(), Arc::new(SeedSigner::new(1))).unwrap();
    let (session, recording) = begin(&recorder).await;
    let recording = recording.unwrap();
    recording.started(&plan(None, StartRequest::Subsystem("sftp".into()))).await.unwrap();
    recording.bytes(Stream::Stdin, Bytes::from_static(&[0, 0, 0, 5, 1, 0, 0, 0, 3])).await.unwrap();
    let failure = recording.bytes(Stream::Stdin, Bytes::from_static(b"no packet")).await.unwrap_err();
    assert!(matches!(&failure, RecordingFailure::Failed(cause) if cause.contains("SFTP")), "{failure}");
    assert_eq!(recording.bytes(Stream::Stdout, Bytes::from_static(b"x")).await, Err(failure), "nor does anything pass afterwards");
    recording.finish(&completed()).await.unwrap();
    let directory = dayfly_recording::find(root.path(), session).unwrap().unwrap();
    assert!(fs::read_to_string(directory.join("events.ndjson")).unwrap().contains("sftp_end"));
}

#[tokio::test]
async fn row_39_a_flooded_recording_is_over_and_others_go_on() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { bounds: Bounds { session: 100_000, person_per_hour: 1 << 30 }, ..Settings::default() };
    let recorder = FileRecorder::start_with(root.path(), Arc::new(SeedSigner::new(1)), settings).unwrap();
    let (_, flooding) = begin(&recorder).await;
    let (_, neighbour) = begin(&recorder).await;
    let (flooding, neighbour) = (flooding.unwrap(), neighbour.unwrap());
    for recording in [&flooding, &neighbour] {
        recording.started(&plan(None, StartRequest::Shell)).await.unwrap();
    }
    flooding.bytes(Stream::Stdin, Bytes::from(vec![b'x'; 100_000])).await.unwrap();
    let failure = flooding.failure().await;
    assert!(matches!(&failure, RecordingFailure::Over(message) if message.contains("100000 bytes")), "{failure}");
    neighbour.bytes(Stream::Stdin, Bytes::from_static(b"id")).await.unwrap();
    assert_eq!(flooding.finish(&completed()).await.unwrap().manifest.outcome, Outcome::Completed, "what was recorded is whole");
    neighbour.finish(&completed()).await.unwrap();
}

/// A disk that can be filled.
#[derive(Clone, Default)]
struct FillableDisk(Arc<AtomicBool>);

struct FillableFile(Box<dyn StoredFile>, Arc<AtomicBool>);

impl Storage for FillableDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        Ok(Box::new(FillableFile(FileSystem.create(path)?, self.0.clone())))
    }
}

impl Write for FillableFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { self.0.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl StoredFile for FillableFile {
    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[tokio::test]
async fn row_13_a_full_disk_ends_what_runs_and_begins_nothing() {
    let root = tempfile::tempdir().unwrap();
    let disk = FillableDisk::default();
    let storage: StorageMaker = Arc::new({
        let disk = disk.clone();
        move || Box::new(disk.clone())
    });
    let recorder =
        FileRecorder::start_with(root.path(), Arc::new(SeedSigner::new(1)), Settings { storage, ..Settings::default() }).unwrap();
    let (_, running) = begin(&recorder).await;
    let running = running.unwrap();
    running.started(&plan(None, StartRequest::Exec(b"cat".to_vec()))).await.unwrap();
    disk.0.store(true, Ordering::SeqCst);
    running.bytes(Stream::Stdout, Bytes::from_static(b"x")).await.unwrap();
    let failure = running.failure().await;
    assert!(failure.to_string().contains("make sure that the disk has room"), "{failure}");
    assert_eq!(running.bytes(Stream::Stdout, Bytes::from_static(b"y")).await, Err(failure));
    let (_, refused) = begin(&recorder).await;
    assert!(refused.is_err());
    disk.0.store(false, Ordering::SeqCst);
    let sealed = running.finish(&completed()).await.unwrap();
    assert_eq!(sealed.manifest.outcome, Outcome::RecordingFailed);
}

#[tokio::test]
async fn row_13_what_a_killed_bastion_left_is_sealed_and_reported_at_the_next_start() {
    let root = tempfile::tempdir().unwrap();
    let signer = SeedSigner::new(1);
    let session = Uuid::now_v7();
    drop(dayfly_recording::RecordingWriter::create(root.path(), facts(session), OffsetDateTime::now_utc()).unwrap());
    let journal = crate::journal::MemoryJournal::default();
    crate::interrupted::report(root.path(), &signer, &"gate".parse().unwrap(), &journal).unwrap();
    let events = journal.events();
    assert_eq!((events.len(), events[0].session), (1, Some(session)));
    assert_eq!(events[0].facts["ending"], "interrupted");
    crate::interrupted::report(root.path(), &signer, &"gate".parse().unwrap(), &journal).unwrap();
    assert_eq!(journal.events().len(), 1, "once");
}
