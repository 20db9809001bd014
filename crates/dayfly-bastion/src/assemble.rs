//! The one place that names concrete adapters.

use crate::{
    authority::{Authority, CaAuthority, cache::InventoryCache},
    bastion::Bastion,
    clock::SystemClock,
    config::Config,
    files,
    host_identity::HostIdentity,
    inner::InnerHosts,
    interrupted,
    life::Life,
    listener::{self, Listener},
    metrics::{Exposition, Metrics},
    monitor::{Monitor, Subject},
    operator::{OperatorSocket, socket_path},
    recorder::{self, FileRecorder},
    settings::Settings,
    spool::{Spool, SpoolFile},
    vitals::{DiskReserve, Observer},
    watch::InventoryWatch,
};
use anyhow::{Context, bail};
use dayfly_api::bastion::EventBatch;
use dayfly_client::{Client, KeySigner};
use dayfly_core::signed_request::Purpose;
use ssh_key::PrivateKey;
use std::{
    fs::{File, OpenOptions, TryLockError},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};
use tokio::{net::TcpListener, sync::watch};

/// Everything that a running bastion consists of.
pub struct Assembled {
    /// What connections share.
    pub bastion: Arc<Bastion>,
    /// What they come in by.
    pub listener: Listener,
    /// What tells operators how it is, if it does.
    pub monitor: Option<Monitor>,
    /// What operators order by.
    pub operator: OperatorSocket,
    /// What is in force of what can be read anew.
    pub settings: watch::Sender<Arc<Settings>>,
    /// What keeps targets and revocations fresh.
    pub inventory: InventoryWatch,
    /// What the bastion shows of itself.
    pub host: HostIdentity,
    /// What brings events to the CA.
    pub spool: Arc<Spool>,
    /// The CA.
    pub authority: Arc<dyn Authority>,
    /// Held for as long as the state directory is this process's.
    pub lock: File,
}

/// The CA that the configuration names, called as the bastion.
pub fn authority(config: &Config, enrolled_key: PrivateKey) -> anyhow::Result<CaAuthority> {
    let client = Client::new(&config.ca_url, config.ca_pin, Purpose::Bastion, Arc::new(KeySigner::new(enrolled_key)))?;
    Ok(CaAuthority::new(client, config.name.clone()))
}

/// Puts a bastion together. Fails if anything is missing that a later retry would not bring: without an inventory, a host certificate or a spool there is
/// nothing to serve with.
///
/// Listens on `sockets`, which somebody handed over, or where the configuration says if there are none.
pub async fn assemble(config: &Config, sockets: Vec<std::net::TcpListener>) -> anyhow::Result<Assembled> {
    let (settings, current) = watch::channel(Arc::new(Settings::of(config)?));
    let path = &config.enrolled_key;
    let enrolled =
        files::read_private_key(path).with_context(|| format!("enrolled_key {}: `dayfly-bastion key` makes one", path.display()))?;
    let host_key = files::read_or_make_private_key(&config.host_key).with_context(|| format!("host_key {}", config.host_key.display()))?;
    let inner = config.state.join("inner-hosts");
    for directory in [&config.state, &config.recordings, &inner] {
        files::make_private_directory(directory).with_context(|| directory.display().to_string())?;
    }
    let lock = lock(&config.state)?;
    let authority: Arc<dyn Authority> = Arc::new(authority(config, enrolled.clone())?);
    let clock = Arc::new(SystemClock);
    let inventory = InventoryWatch::begin(authority.clone(), config.name.clone(), InventoryCache::new(&config.state)).await?;
    let host = HostIdentity::begin(authority.clone(), clock.clone(), host_key, &config.state).await?;
    let spool = Arc::new(Spool::start(open_spool(config, &*authority).await?)?);
    let signer = Arc::new(KeySigner::new(enrolled));
    interrupted::report(&config.recordings, &*signer, &config.name, &*spool).context("recordings")?;
    let recording = &config.recording;
    let kept =
        recorder::Settings { bounds: recording.bounds, unseen_key: recording.unseen_input_key.clone(), ..recorder::Settings::default() };
    let recorder = FileRecorder::start_with(&config.recordings, signer, kept).context("the recorder cannot be started")?;
    let bastion = Arc::new(Bastion {
        name: config.name.clone(),
        snapshot: inventory.subscribe(),
        authority: authority.clone(),
        recorder: Arc::new(recorder),
        journal: spool.clone(),
        inner_hosts: InnerHosts::new(authority.clone(), clock.clone(), inner),
        clock,
        life: Life::default(),
        live: Arc::default(),
        settings: current,
        disk: DiskReserve::new(config.recordings.clone(), config.metrics.disk_reserve_bytes),
        metrics: Metrics::default(),
        targets: Default::default(),
    });
    let listener = Listener::new(listen(config, sockets)?, bastion.clone(), host.current(), config.proxies.clone());
    let freshness = inventory.freshness();
    let stale_after = config.metrics.inventory_stale_after;
    let observer = Observer::new(bastion.clone(), spool.clone(), freshness, listener.crowd(), config.recordings.clone(), stale_after);
    let monitor = match config.metrics.listen {
        Some(address) => {
            let subject = Subject { observer: Arc::new(observer), exposition: Exposition::new(&bastion.metrics) };
            Some(Monitor::bind(address, subject).await.with_context(|| format!("metrics.listen {address} cannot be listened at"))?)
        }
        None => None,
    };
    let operator =
        OperatorSocket::bind(&config.state, bastion.clone()).with_context(|| socket_path(&config.state).display().to_string())?;
    Ok(Assembled { bastion, listener, monitor, operator, settings, inventory, host, spool, authority, lock })
}

/// Sockets that were handed over are used in the place of the configured ones.
fn listen(config: &Config, sockets: Vec<std::net::TcpListener>) -> anyhow::Result<Vec<TcpListener>> {
    if !sockets.is_empty() {
        return sockets
            .into_iter()
            .map(|socket| TcpListener::from_std(socket).context("a socket that was handed over cannot be used"))
            .collect();
    }
    let bind = |address: &SocketAddr| listener::bind(*address).with_context(|| format!("{address} cannot be listened at"));
    config.listen.iter().map(bind).collect()
}

/// Two bastions that share their state would number events twice.
fn lock(state: &Path) -> anyhow::Result<File> {
    let path = state.join("lock");
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("{} is in use: another bastion runs with this state directory", path.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// A new spool goes on where the CA is: under numbers that it has already, events would count as sent before.
async fn open_spool(config: &Config, authority: &dyn Authority) -> anyhow::Result<SpoolFile> {
    let path = SpoolFile::path_in(&config.state);
    if path.exists() {
        return Ok(SpoolFile::open(&path)?);
    }
    let last = authority.report(&EventBatch { events: Vec::new() }).await.context("a first start needs the CA")?;
    Ok(SpoolFile::create(&path, last)?)
}
