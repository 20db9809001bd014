//! Recordings as directories of files, written by a few threads.

use super::{Beginning, Bounds, Gate, Job, Recorder, Recording, UnseenKey, Watched, Work, quota::Quota, worker::Worker};
use dayfly_core::{signature::sign_sshsig, signer::Signer};
use dayfly_recording::{
    RecordingError, SIGNATURE_NAMESPACE, SessionFacts, close_interrupted,
    interrupted::ClosedRecordings,
    writer::storage::{FileSystem, Storage},
};
use ssh_key::LineEnding;
use std::{
    io,
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use uuid::Uuid;

/// How many threads wait for the disk. More than one, so that one slow file does not hold up all sessions.
const WORKERS: usize = 4;

/// Makes the files of a recording.
pub type StorageMaker = Arc<dyn Fn() -> Box<dyn Storage> + Send + Sync>;

/// How recordings are kept.
#[derive(Clone)]
pub struct Settings {
    /// How large they may get.
    pub bounds: Bounds,
    /// To whom what is typed unseen is encrypted. None: it is only counted.
    pub unseen_key: Option<UnseenKey>,
    /// Makes the files.
    pub storage: StorageMaker,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bounds: Bounds::default(), unseen_key: None, storage: Arc::new(|| Box::new(FileSystem)) }
    }
}

/// Writes recordings below one directory, and seals them with the bastion's enrolled key.
pub struct FileRecorder {
    workers: Vec<mpsc::Sender<Job>>,
}

impl FileRecorder {
    /// Starts the threads, with the usual settings. They end when the recorder and every recording are gone.
    pub fn start(root: &Path, signer: Arc<dyn Signer>) -> io::Result<Self> {
        Self::start_with(root, signer, Settings::default())
    }

    /// As [`Self::start`], with other settings.
    pub fn start_with(root: &Path, signer: Arc<dyn Signer>, settings: Settings) -> io::Result<Self> {
        let mut workers = Vec::with_capacity(WORKERS);
        let quota = Arc::new(Quota::new(settings.bounds));
        for number in 0..WORKERS {
            let (sender, jobs) = mpsc::channel();
            let worker = Worker::new(root.to_owned(), signer.clone(), settings.clone(), quota.clone(), jobs);
            std::thread::Builder::new().name(format!("recorder-{number}")).spawn(move || worker.run())?;
            workers.push(sender);
        }
        Ok(Self { workers })
    }

    /// The bits of a session's id that are random spread the sessions over the threads.
    fn worker(&self, session: Uuid) -> Option<&mpsc::Sender<Job>> {
        let bits = session.as_bytes().last().copied().unwrap_or_default();
        self.workers.get(usize::from(bits) % self.workers.len().max(1))
    }
}

impl Recorder for FileRecorder {
    fn begin(&self, facts: SessionFacts, started_at: OffsetDateTime) -> Beginning<'_> {
        Box::pin(async move {
            let session = facts.session_id;
            let gate = Arc::new(Gate::default());
            let worker = self.worker(session).ok_or_else(super::gone)?.clone();
            let (reply, answer) = oneshot::channel();
            let work = Work::Begin { facts: Box::new(facts), started_at, gate: gate.clone(), reply };
            worker.send(Job { session, elapsed: Duration::ZERO, weight: 0, work }).map_err(|_| super::gone())?;
            answer.await.map_err(|_| super::gone())??;
            Ok(Recording { session, began: Instant::now(), gate, worker, watched: Watched::default() })
        })
    }
}

/// Seals what a killed bastion left behind below `root`.
pub fn seal_interrupted(root: &Path, signer: &dyn Signer, now: OffsetDateTime) -> Result<ClosedRecordings, RecordingError> {
    close_interrupted(root, now, |manifest| sign(signer, manifest))
}

/// An armored SSHSIG over a manifest.
pub(super) fn sign(signer: &dyn Signer, manifest: &[u8]) -> Result<String, String> {
    let sshsig = sign_sshsig(signer, SIGNATURE_NAMESPACE, manifest).map_err(|error| error.to_string())?;
    sshsig.to_pem(LineEnding::LF).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
