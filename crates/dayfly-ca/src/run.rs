//! The CA as a process: assembled, listening, and serving until a signal ends it.

use crate::{
    assemble::{Assembled, assemble},
    authority::Authority,
    config::Config,
    inventory::{reader::SystemReader, refresh::keep_reading},
    reload::reload,
    rotate::keep_turning,
    serve::Server,
    signer::memory,
    store::Change,
};
use anyhow::Context;
use arc_swap::ArcSwap;
use dayfly_core::{
    audit::{Event, Outcome},
    rotation::Purpose,
    signature::fingerprint,
};
use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_rustls::TlsAcceptor;

/// Serves what `config` says, and prints one line to `out` as soon as requests are answered. SIGHUP has the configuration read anew; SIGTERM and SIGINT end
/// it once the requests that are being worked on are answered.
pub fn run(config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")?;
    runtime.block_on(serve(config, out))
}

async fn serve(path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    // Before anything else, so that no signal finds nobody.
    let (hangup, stop) = (signal(SignalKind::hangup())?, Stop::listen()?);
    let config = Config::load(path)?;
    memory::protect(config.keys.lock_memory, path)?;
    let (listen, proxies) = (config.listen, config.proxies.clone());
    let Assembled { service, tls, next_keys } = assemble(config).await?;
    let server =
        Server::bind(listen, &service, Arc::clone(&tls), proxies).await.with_context(|| format!("{listen} cannot be listened at"))?;
    let address = server.address()?;
    started(service.authority(), address).await.context("the log cannot be written, so the CA does not start")?;
    writeln!(out, "dayfly-ca: ready on {address}")?;
    out.flush()?;
    let (service_of_reloads, service_of_rotations, service_of_sources) = (Arc::clone(&service), Arc::clone(&service), Arc::clone(&service));
    let reloads = tokio::spawn(reload_at(hangup, path.to_owned(), service_of_reloads, tls));
    let rotations = tokio::spawn(async move { keep_turning(service_of_rotations.authority(), Arc::new(next_keys)).await });
    let sources = tokio::spawn(async move { keep_reading(service_of_sources.authority(), Arc::new(SystemReader::default())).await });
    server.run(stop.wait()).await;
    reloads.abort();
    rotations.abort();
    sources.abort();
    // What a source runs is ended before the CA is.
    let _ = sources.await;
    tracing::info!("stopped");
    Ok(())
}

/// The log tells with which keys the CA signs from here on.
async fn started(authority: &Authority, address: SocketAddr) -> Result<(), crate::store::StoreError> {
    let mut event = authority.event(Event::CaStarted, Outcome::Done).fact("version", env!("CARGO_PKG_VERSION")).fact("address", address);
    for (name, purpose) in
        [("user_ca", Purpose::User), ("session_ca", Purpose::Session), ("host_ca", Purpose::Host), ("inner_host_ca", Purpose::InnerHost)]
    {
        event = event.fact(name, fingerprint(authority.keyring.signer(purpose).public_key()));
    }
    event = event.fact("log_key", fingerprint(authority.keyring.log.public_key()));
    authority.store.commit(Change::None, event).await.map(|_| ())
}

async fn reload_at(mut hangup: Signal, path: PathBuf, service: Arc<crate::http::Service>, tls: Arc<ArcSwap<TlsAcceptor>>) {
    while hangup.recv().await.is_some() {
        reload(service.authority(), &tls, &path).await;
    }
}

/// The signals that end the CA.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
