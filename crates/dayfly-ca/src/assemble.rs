//! The one place that names concrete adapters: the system's clock, keys and who holds them, SQLite, enrolled keys, TLS.

use crate::{
    authority::Authority,
    ceremony::Ceremonies,
    config::{Config, ProviderSettings, SignInSettings},
    device::{Devices, SelfReported},
    federation::Federation,
    http::Service,
    identity::{challenge::Challenges, enrolled_key::EnrolledKeys, provider::Provider, web::Web},
    inventory,
    mistake::Mistake,
    private_file,
    revocations::CurrentRevocations,
    serve::tls,
    sign_in::SignIns,
    signer::{Keyring, configured::ConfiguredKeys, secrets::Secrets},
    store::{Store, sqlite::SqliteStore},
};
use anyhow::Context;
use arc_swap::ArcSwap;
use dayfly_core::clock::Clock;
use std::{path::Path, sync::Arc};
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
    let Config { origin, store, tls, keys, limits, hosts, rotation, sign_in, federation, rules, sources, .. } = config;
    let acceptor = tls::acceptor(&tls)?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&store).with_context(|| format!("{} cannot be opened", store.display()))?);
    let secrets = Secrets::of_this_process();
    let keyring = Keyring::load(&keys, &secrets, &store.rotations().await?)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let revocations = Arc::new(CurrentRevocations::new(Arc::clone(&store), Arc::clone(&clock)));
    let challenges = Challenges::new(limits.challenge_lifetime.as_secs()).context("the system gives no random bytes")?;
    let challenges = Arc::new(challenges);
    let devices = Arc::new(Devices::new(Arc::clone(&store), Arc::clone(&revocations), Box::new(SelfReported)));
    let callers = EnrolledKeys {
        origin: origin.clone(),
        challenges: Arc::clone(&challenges),
        store: Arc::clone(&store),
        devices: Arc::clone(&devices),
        clock: Arc::clone(&clock),
        revocations: Arc::clone(&revocations),
    };
    for entry in &federation {
        entry.warnings().iter().for_each(|warning| tracing::warn!(issuer = entry.issuer, machine = %entry.machine, "{warning}"));
    }
    // A CA that calls nobody needs no trust roots of the platform's.
    let calls = !sign_in.providers.is_empty() || !federation.is_empty();
    let web = calls.then(Web::new).transpose().context("issuers cannot be called: check the system's certificate authorities")?;
    let ceremonies = Ceremonies::new(&origin, sign_in.device_codes).context("the system gives no random bytes")?;
    let (sign_ins, federation) = match &web {
        Some(web) => (sign_ins(sign_in, &origin, web)?, Federation::new(federation, web)?),
        None => (no_sign_ins(&sign_in)?, Federation::default()),
    };
    let (rules, sources) = inventory::begin(store.as_ref(), rules, sources).await?;
    let (rules, latest_list) = (ArcSwap::from_pointee(rules), Default::default());
    let authority = Authority { origin, keyring, store, devices, clock, hosts, rotation, revocations, latest_list, rules, sources };
    let service = Service::new(authority, Box::new(callers), challenges, limits, sign_ins, ceremonies, federation);
    Ok(Assembled {
        service: Arc::new(service),
        tls: Arc::new(ArcSwap::from_pointee(acceptor)),
        next_keys: ConfiguredKeys::new(keys, secrets),
    })
}

/// Providers are asked when somebody signs in first: one that is down keeps no CA from starting.
fn sign_ins(settings: SignInSettings, origin: &str, web: &Web) -> anyhow::Result<SignIns> {
    let is_alone = settings.providers.len() == 1;
    let provider = |settings: ProviderSettings| -> anyhow::Result<Provider> {
        let secret = settings.client_secret_file.as_deref().map(client_secret).transpose()?;
        Ok(Provider::new(settings, secret, origin, is_alone, web.clone())?)
    };
    let providers = settings.providers.into_iter().map(provider).collect::<anyhow::Result<_>>()?;
    SignIns::new(providers, settings.device_codes, settings.lifetime.as_secs()).context("the system gives no random bytes")
}

fn no_sign_ins(settings: &SignInSettings) -> anyhow::Result<SignIns> {
    SignIns::new(Vec::new(), settings.device_codes, settings.lifetime.as_secs()).context("the system gives no random bytes")
}

/// The first line of the file.
pub(crate) fn client_secret(path: &Path) -> Result<String, Mistake> {
    let bytes = private_file::read(path)?;
    let line = std::str::from_utf8(&bytes).ok().and_then(|text| text.lines().next()).map(str::trim).filter(|line| !line.is_empty());
    line.map(str::to_owned).ok_or_else(|| Mistake::new(path, "holds no secret", "write the client's secret into its first line"))
}

/// The system's clock.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}
