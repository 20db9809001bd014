//! The one place that names concrete adapters: the system's clock, keys and who holds them, SQLite, enrolled keys, TLS.

use crate::{
    authority::Authority,
    config::Config,
    http::Service,
    identity::{challenge::Challenges, enrolled_key::EnrolledKeys},
    revocations::CurrentRevocations,
    serve::tls,
    signer::{Keyring, configured::ConfiguredKeys, secrets::Secrets},
    store::{Store, sqlite::SqliteStore},
};
use anyhow::Context;
use arc_swap::ArcSwap;
use dayfly_core::clock::Clock;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;

/// A CA that could serve.
pub struct Assembled {
    /// What answers requests.
    pub service: Arc<Service>,
    /// What speaks TLS. Replaced when the certificate is read anew.
    pub tls: Arc<ArcSwap<TlsAcceptor>>,
    /// What opens the keys that rotations lead to.
    pub next_keys: ConfiguredKeys,
}

/// Opens keys, store and TLS files, and puts everything where it belongs.
pub async fn assemble(config: Config) -> anyhow::Result<Assembled> {
    let Config { origin, store, tls, keys, limits, hosts, rotation, rules, .. } = config;
    let acceptor = tls::acceptor(&tls)?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&store).with_context(|| format!("{} cannot be opened", store.display()))?);
    let secrets = Secrets::of_this_process();
    let keyring = Keyring::load(&keys, &secrets, &store.rotations().await?)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let revocations = Arc::new(CurrentRevocations::new(Arc::clone(&store), Arc::clone(&clock)));
    let challenges = Challenges::new(limits.challenge_lifetime.as_secs()).context("the system gives no random bytes")?;
    let challenges = Arc::new(challenges);
    let callers = EnrolledKeys {
        origin: origin.clone(),
        challenges: Arc::clone(&challenges),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        revocations: Arc::clone(&revocations),
    };
    let (rules, latest_list) = (ArcSwap::from_pointee(rules), Default::default());
    let authority = Authority { origin, keyring, store, clock, hosts, rotation, revocations, latest_list, rules };
    let service = Service::new(authority, Box::new(callers), challenges, limits);
    Ok(Assembled {
        service: Arc::new(service),
        tls: Arc::new(ArcSwap::from_pointee(acceptor)),
        next_keys: ConfiguredKeys::new(keys, secrets),
    })
}

/// The system's clock.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}
