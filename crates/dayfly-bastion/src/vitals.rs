//! How the bastion is: read when somebody asks.

use crate::{
    bastion::Bastion,
    files,
    listener::Crowd,
    metrics::Readings,
    readiness::{Bounds, Vitals, obstacles},
    spool::Spool,
    watch::Freshness,
};
use dayfly_core::target::Mode;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// The file that is stored to see whether any can be.
const PROBE: &str = ".ready";

/// How long what the disk said holds: whoever asks all the time must not keep it busy.
const DISK_HOLDS: Duration = Duration::from_secs(2);

/// What can be looked at.
pub struct Observer {
    bastion: Arc<Bastion>,
    spool: Arc<Spool>,
    freshness: Freshness,
    crowd: Crowd,
    recordings: PathBuf,
    bounds: Bounds,
    disk: Mutex<Option<(Instant, Disk)>>,
}

/// What the recordings' disk said.
#[derive(Debug, Clone)]
struct Disk {
    free_bytes: Result<u64, String>,
    storable: Result<(), String>,
}

impl Observer {
    /// Looks at these, whenever asked.
    pub fn new(
        bastion: Arc<Bastion>,
        spool: Arc<Spool>,
        freshness: Freshness,
        crowd: Crowd,
        recordings: PathBuf,
        inventory_stale_after: Duration,
    ) -> Self {
        let bounds = Bounds { disk_reserve: bastion.disk.reserve(), inventory_stale_after };
        Self { bastion, spool, freshness, crowd, recordings, bounds, disk: Mutex::default() }
    }

    /// What stands in the way of new sessions, and everything else that there is to read.
    pub async fn look(&self) -> (Vec<String>, Readings) {
        let disk = self.disk().await;
        let live = self.bastion.live.sessions();
        let lag = live.iter().map(|session| session.lag()).max().unwrap_or_default();
        let vitals = Vitals {
            is_running: self.bastion.life.is_running(),
            free_bytes: disk.free_bytes.clone(),
            storable: disk.storable,
            recorder_lag: lag,
            inventory_age: self.freshness.age(),
            journal: self.bastion.journal.check_open(),
        };
        let found = obstacles(&vitals, &self.bounds);
        let recorded = live.iter().filter(|session| session.facts.mode == Mode::Record).count();
        let (connections, waiting, penalised) = self.crowd.count();
        let (targets, targets_never) = self.bastion.targets.states(self.bastion.snapshot().inventory());
        let readings = Readings {
            recorded,
            passthrough: live.len() - recorded,
            connections,
            waiting,
            penalised,
            recorder_lag: lag,
            spool_events: self.spool.pending(),
            spool_bytes: self.spool.bytes(),
            inventory_age: vitals.inventory_age,
            free_bytes: disk.free_bytes.ok(),
            targets,
            targets_never,
            is_ready: found.is_empty(),
        };
        (found, readings)
    }

    /// Asked by one at a time, and not more often than [`DISK_HOLDS`] says.
    async fn disk(&self) -> Disk {
        let mut last = self.disk.lock().await;
        if let Some((_, disk)) = last.as_ref().filter(|(asked, _)| asked.elapsed() < DISK_HOLDS) {
            return disk.clone();
        }
        let directory = self.recordings.clone();
        let asked = tokio::task::spawn_blocking(move || Disk { free_bytes: free_bytes(&directory), storable: try_store(&directory) });
        let disk = asked.await.unwrap_or_else(|error| Disk { free_bytes: Err(error.to_string()), storable: Err(error.to_string()) });
        last.insert((Instant::now(), disk)).1.clone()
    }
}

/// The room that a directory's disk has for this process, in bytes.
pub fn free_bytes(directory: &Path) -> Result<u64, String> {
    let disk = rustix::fs::statvfs(directory).map_err(|error| error.to_string())?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn try_store(directory: &Path) -> Result<(), String> {
    let probe = directory.join(PROBE);
    files::write_private(&probe, b"").and_then(|()| std::fs::remove_file(probe)).map_err(|error| error.to_string())
}

/// The recordings' disk, and how much of it is not for new sessions.
#[derive(Debug, Clone)]
pub struct DiskReserve {
    directory: PathBuf,
    reserve: u64,
}

impl DiskReserve {
    /// So many bytes of the disk that `directory` is on.
    pub fn new(directory: PathBuf, reserve: u64) -> Self {
        Self { directory, reserve }
    }

    /// In bytes.
    pub fn reserve(&self) -> u64 {
        self.reserve
    }

    /// Whether what new sessions may not use is all that is left. A disk that cannot be looked at shows by the recording that cannot begin.
    pub fn is_reached(&self) -> bool {
        free_bytes(&self.directory).is_ok_and(|free| free < self.reserve)
    }
}
