//! The bastion as a process: assembled, listening, and serving until a signal ends it.

use crate::{
    assemble::{Assembled, assemble},
    config::Config,
    continuous, listener, service,
    settings::{self, Settings},
    spool, watch,
};
use anyhow::Context;
use std::{
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, watch::Sender},
};

/// How long the last events may take to reach the CA; what does not waits on disk.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// How long sessions that were told to end may take to be sealed.
const LAST_SEALS: Duration = Duration::from_secs(20);

/// How often somebody looks whether the last events are gone.
const GLANCE: Duration = Duration::from_millis(20);

/// Serves what `config` says, and prints one line to `out` as soon as connections are accepted. SIGTERM and SIGINT stop that; sessions go on for as long as
/// the configuration lets them, then they are ended and sealed. A second signal ends them at once. SIGHUP reads again what can be, and asks the CA what changed.
pub fn run(config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    // Before there is a second thread.
    let sockets = listener::handed_over().context("the sockets that were handed over cannot be used")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")?;
    let outcome = runtime.block_on(serve(config, sockets, out));
    // Connections without a session are simply left.
    runtime.shutdown_background();
    outcome
}

async fn serve(path: &Path, sockets: Vec<TcpListener>, out: &mut dyn Write) -> anyhow::Result<()> {
    // Before anything else, so that no signal finds nobody.
    let (hangup, mut stop) = (signal(SignalKind::hangup())?, Stop::listen()?);
    let config = Config::load(path)?;
    let assembled = assemble(&config, sockets).await?;
    let Assembled { bastion, listener, monitor, operator, settings, inventory, host, spool, authority, lock: _lock } = assembled;
    let addresses: Vec<String> = listener.addresses()?.iter().map(ToString::to_string).collect();
    let refresh = config.limits.refresh;
    tokio::spawn(inventory.run(refresh, reload_at(hangup, path.to_owned(), config, settings)));
    tokio::spawn(watch::renew_certificates(bastion.clone(), host));
    tokio::spawn(spool::send(spool.clone(), authority));
    tokio::spawn(operator.run());
    tokio::spawn(continuous::keep_asking(bastion.clone()));
    if let Some(monitor) = monitor {
        tracing::info!(address = %monitor.address()?, "metrics, health and readiness are served");
        tokio::spawn(monitor.run());
    }
    writeln!(out, "dayfly-bastion: ready on {}", addresses.join(", "))?;
    out.flush()?;
    service::ready();
    listener.run(stop.wait()).await;
    service::stopping();
    let drain = bastion.limits().drain;
    tracing::info!(?drain, sessions = bastion.live.sessions().len(), "stopping: no new connections");
    bastion.life.drain();
    let drained = tokio::select! {
        () = bastion.life.idle() => true,
        () = tokio::time::sleep(drain) => false,
        () = stop.wait() => false,
    };
    if !drained {
        bastion.life.stop();
        if tokio::time::timeout(LAST_SEALS, bastion.life.idle()).await.is_err() {
            tracing::error!("some sessions could not be sealed in time; the next start will");
        }
    }
    spool.flush().await;
    let sent = tokio::time::timeout(LAST_EVENTS, async {
        while spool.pending() > 0 {
            tokio::time::sleep(GLANCE).await;
        }
    });
    if sent.await.is_err() {
        tracing::warn!(events = spool.pending(), "events wait on disk for the next start");
    }
    tracing::info!("stopped");
    Ok(())
}

/// SIGHUP reads again what can be, and asks the CA at once. What cannot be used leaves everything as it was.
fn reload_at(mut hangup: Signal, path: PathBuf, began_with: Config, current: Sender<Arc<Settings>>) -> Arc<Notify> {
    let now = Arc::new(Notify::new());
    let notified = now.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            service::reloading();
            if let Err(error) = settings::reload(&path, &began_with, &current) {
                tracing::error!(%error, "the configuration cannot be used, and what was in force stays: correct it and reload again");
            }
            notified.notify_one();
            service::ready();
        }
    });
    now
}

/// The signals that end the bastion.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
