//! Issuing over TLS with the log on disk, by many callers at once, beside unsigned requests to the same CA.
//!
//! Takes the CA's address and pin from the environment of `scripts/stack`; the callers share the cores with the CA, so they sign with its library.

use anyhow::{Result, ensure};
use clap::Parser;
use dayfly_benches::{Figure, show};
use dayfly_ca::signer::{file::FileSigner, generate, secrets::Secrets};
use dayfly_client::{CertificateParameters, Client, RequestSigner, request_signer::Signing};
use dayfly_core::{request::RequestedTargets, signature::sign_sshsig, signed_request::Purpose, signer::Signer};
use ssh_key::public::KeyData;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// How many certificates a second the CA issues.
#[derive(Parser)]
struct Arguments {
    /// The CA's address.
    #[arg(long, env = "DAYFLY_CA_URL")]
    url: String,
    /// The CA's TLS pin.
    #[arg(long, env = "DAYFLY_CA_PIN")]
    pin: String,
    /// alice's enrolled key.
    #[arg(long)]
    identity: PathBuf,
    /// Callers at once.
    #[arg(long, default_value_t = 32)]
    callers: usize,
    /// How long, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Print an object a line.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let span = Duration::from_secs(arguments.seconds);
    let clients = clients(&arguments)?;
    let parameters = CertificateParameters {
        subject: "alice".parse()?,
        role: "db-admin".parse()?,
        targets: RequestedTargets::Named(BTreeSet::from(["db1".parse()?])),
        ttl: None,
        reason: None,
    };
    let reference = many(&clients, span, Call::Trust).await?;
    let issued = many(&clients, span, Call::Certificate(parameters)).await?;
    let reference = Figure::new("unsigned requests over TLS, nothing written", reference, "/s");
    let issued = Figure::new(format!("certificates issued over TLS, log on disk, {} callers", arguments.callers), issued, "/s");
    show(&[reference.clone(), issued.beside(&reference)], arguments.json)
}

fn clients(arguments: &Arguments) -> Result<Vec<Arc<Client>>> {
    let client = |_| -> Result<Arc<Client>> {
        let signer = Arc::new(Key::load(&arguments.identity)?);
        Ok(Arc::new(Client::new(&arguments.url, Some(arguments.pin.parse()?), Purpose::Person, signer)?))
    };
    (0..arguments.callers).map(client).collect()
}

/// A key that signs requests with aws-lc.
struct Key(FileSigner);

impl Key {
    fn load(path: &Path) -> Result<Self> {
        FileSigner::load(path, &Secrets::none()).map(Self).map_err(|mistake| anyhow::anyhow!("{mistake}"))
    }

    fn generate(directory: &Path) -> Result<Self> {
        let path = directory.join("key");
        dayfly_ca::private_file::create(&path, generate::ed25519("caller", None)?.private.as_bytes())?;
        Self::load(&path)
    }
}

impl RequestSigner for Key {
    fn public_key(&self) -> &KeyData {
        self.0.public_key()
    }

    fn sign<'a>(&'a self, namespace: &'a str, message: &'a [u8]) -> Signing<'a> {
        Box::pin(async move { sign_sshsig(&self.0, namespace, message) })
    }
}

/// What the callers do, over and over.
enum Call {
    Trust,
    Certificate(CertificateParameters),
}

impl Call {
    async fn once(&self, client: &Client, key: &Key) -> Result<()> {
        match self {
            Self::Trust => client.trust().await.map(drop)?,
            Self::Certificate(parameters) => client.certificate(parameters, key).await.map(drop)?,
        }
        Ok(())
    }
}

/// Calls a second, all callers together.
async fn many(clients: &[Arc<Client>], span: Duration, call: Call) -> Result<f64> {
    let (start, call) = (Instant::now(), Arc::new(call));
    let mut callers = JoinSet::new();
    for client in clients {
        let (client, call) = (client.clone(), call.clone());
        callers.spawn(async move {
            let key = Key::generate(tempfile::tempdir()?.path())?;
            let mut done = 0_u32;
            while start.elapsed() < span {
                call.once(&client, &key).await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(caller) = callers.join_next().await {
        done += caller??;
    }
    ensure!(done > 0, "nothing was done");
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}
