//! The whole bastion over loopback: a real SSH client in front, a real SSH server behind, the CA in memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod attempts;
mod client;
mod corpus;
mod raw;
mod target;

use crate::{
    authority::{Snapshot, double::AuthorityDouble},
    bastion::Bastion,
    clock::SystemClock,
    config::Limits,
    host_identity::HostIdentity,
    inner::InnerHosts,
    journal::MemoryJournal,
    life::Life,
    listener::Listener,
    recorder::FileRecorder,
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
        let bastion = Arc::new(Bastion {
            name: authority.bastion.clone(),
            snapshot: snapshot.subscribe(),
            authority: authority.clone(),
            recorder: Arc::new(FileRecorder::start(&recordings, Arc::new(SeedSigner::new(104))).unwrap()),
            journal: journal.clone(),
            inner_hosts: InnerHosts::new(authority.clone(), clock.clone(), inner),
            clock,
            life: life.clone(),
            login_grace: grace,
        });
        let host_key = SeedSigner::new(105).private_key().clone();
        let limits = Limits { login_grace: grace, ..Limits::default() };
        let identity = HostIdentity::begin(authority.clone(), Arc::new(SystemClock), host_key, directory.path()).await.unwrap();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), bastion.clone(), identity.current(), &limits).unwrap();
        let address = listener.address().unwrap();
        tokio::spawn(async move {
            let _identity = identity;
            listener.run(std::future::pending()).await;
        });
        Self { address, authority, journal, snapshot, recordings, life, bastion, _directory: directory }
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

fn target_named(targets: &[Target], name: &str) -> Target {
    targets.iter().find(|target| target.name.as_str() == name).unwrap().clone()
}

mod tests;
