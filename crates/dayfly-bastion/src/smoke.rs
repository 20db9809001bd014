//! The whole bastion over loopback: a real SSH client in front, a real SSH server behind, the CA in memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod attempts;
mod client;
mod corpus;
mod floods;
mod forwards;
mod handshakes;
mod hostile_target;
mod managed;
mod random;
mod raw;
mod target;
mod wire;

use crate::{
    authority::{Snapshot, double::AuthorityDouble},
    bastion::Bastion,
    clock::SystemClock,
    config::{Limits, Penalties},
    host_identity::HostIdentity,
    inner::InnerHosts,
    journal::MemoryJournal,
    life::Life,
    listener::{self, Listener},
    metrics::Metrics,
    recorder::FileRecorder,
    settings::Settings,
    vitals::DiskReserve,
};
use client::{Outcome, Person};
use dayfly_core::{
    audit,
    reason::Reason,
    signer::SeedSigner,
    target::{Mode, Target},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use target::TargetServer;
use tokio::sync::watch;

/// A bastion in front of `db1` (recorded) and `web1` (passthrough).
struct House {
    address: SocketAddr,
    authority: Arc<AuthorityDouble>,
    journal: Arc<MemoryJournal>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    recordings: PathBuf,
    life: Life,
    bastion: Arc<Bastion>,
    settings: watch::Sender<Arc<Settings>>,
    recorded: TargetServer,
    _directory: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        Self::build(|_| {}, Duration::from_secs(60)).await
    }

    async fn open_with_grace(grace: Duration) -> Self {
        Self::build(|_| {}, grace).await
    }

    async fn build(change: impl FnOnce(&mut AuthorityDouble), grace: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let recorded = TargetServer::start(&SeedSigner::new(102)).await;
        let direct = TargetServer::start(&SeedSigner::new(101)).await;
        let mut authority = AuthorityDouble::new(vec![recorded.target("db1", Mode::Record), direct.target("web1", Mode::Passthrough)]);
        change(&mut authority);
        let authority = Arc::new(authority);
        let clock = Arc::new(SystemClock);
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let snapshot = watch::Sender::new(Arc::new(Snapshot::new(&authority.bastion, authority.answer()).unwrap()));
        let journal = Arc::new(MemoryJournal::default());
        let recordings = directory.path().join("recordings");
        let life = Life::default();
        // Most tests fail logins on purpose.
        let penalties = Penalties { exempt: vec!["127.0.0.0/8".parse().unwrap()], ..Penalties::default() };
        let limits = Limits { login_grace: grace, ..Limits::default() };
        let (current, settings) = watch::channel(Arc::new(Settings { limits, penalties, ..Settings::default() }));
        let bastion = Arc::new(Bastion {
            name: authority.bastion.clone(),
            snapshot: snapshot.subscribe(),
            authority: authority.clone(),
            recorder: Arc::new(FileRecorder::start(&recordings, Arc::new(SeedSigner::new(104))).unwrap()),
            journal: journal.clone(),
            inner_hosts: InnerHosts::new(authority.clone(), clock.clone(), inner),
            clock,
            life: life.clone(),
            live: Arc::default(),
            settings,
            disk: DiskReserve::new(directory.path().to_owned(), 0),
            metrics: Metrics::default(),
            targets: Default::default(),
        });
        let host_key = SeedSigner::new(105).private_key().clone();
        let identity = HostIdentity::begin(authority.clone(), Arc::new(SystemClock), host_key, directory.path()).await.unwrap();
        let socket = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let listener = Listener::new(vec![socket], bastion.clone(), identity.current(), Vec::new());
        tokio::spawn(async move {
            let _identity = identity;
            listener.run(std::future::pending()).await;
        });
        Self { address, authority, journal, snapshot, recordings, life, bastion, settings: current, recorded, _directory: directory }
    }

    /// A second way in, for which everybody of `network` is a proxy.
    async fn behind_proxy(&self, network: &str) -> SocketAddr {
        let state = tempfile::tempdir().unwrap();
        let host_key = SeedSigner::new(105).private_key().clone();
        let identity = HostIdentity::begin(self.authority.clone(), Arc::new(SystemClock), host_key, state.path()).await.unwrap();
        let socket = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let listener = Listener::new(vec![socket], self.bastion.clone(), identity.current(), vec![network.parse().unwrap()]);
        tokio::spawn(async move {
            let _identity = identity;
            listener.run(std::future::pending()).await;
        });
        address
    }

    /// The session that ended last, once it is sealed.
    async fn ended(&self) -> audit::AuditEvent {
        self.life.idle().await;
        self.journal.events().into_iter().rfind(|event| event.event == audit::Event::SessionEnded).unwrap()
    }

    /// The last of so many sessions that ended. For those whose client learns nothing of their end.
    async fn ended_after(&self, count: usize) -> audit::AuditEvent {
        loop {
            let ended: Vec<_> = self.journal.events().into_iter().filter(|event| event.event == audit::Event::SessionEnded).collect();
            if ended.len() >= count {
                return ended.into_iter().next_back().unwrap();
            }
            tokio::task::yield_now().await;
        }
    }

    fn refusals(&self) -> Vec<(audit::Event, Reason)> {
        self.journal.events().iter().filter_map(|event| Some((event.event, event.reason?))).collect()
    }
}

/// A bastion with nothing around it, and its journal.
pub(crate) fn bastion_alone() -> (Arc<Bastion>, Arc<MemoryJournal>) {
    let directory = tempfile::tempdir().unwrap();
    let authority = Arc::new(AuthorityDouble::new(Vec::new()));
    let journal = Arc::new(MemoryJournal::default());
    let clock = Arc::new(SystemClock);
    let bastion = Bastion {
        name: authority.bastion.clone(),
        snapshot: watch::channel(Arc::default()).1,
        authority: authority.clone(),
        recorder: Arc::new(FileRecorder::start(directory.path(), Arc::new(SeedSigner::new(104))).unwrap()),
        journal: journal.clone(),
        inner_hosts: InnerHosts::new(authority, clock.clone(), directory.path().to_owned()),
        clock,
        life: Life::default(),
        live: Arc::default(),
        settings: watch::channel(Arc::default()).1,
        disk: DiskReserve::new(directory.path().to_owned(), 0),
        metrics: Metrics::default(),
        targets: Default::default(),
    };
    (Arc::new(bastion), journal)
}

/// What this process keeps in memory, in bytes: everything, of bastion and test alike.
fn memory_in_use() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn target_named(targets: &[Target], name: &str) -> Target {
    targets.iter().find(|target| target.name.as_str() == name).unwrap().clone()
}

mod tests;
