//! `dayfly-ca init`: a directory with everything that a new CA needs, which permits nobody anything yet.

use crate::{
    config::{Config, settings::Origin},
    private_file,
    signer::{Keyring, file::FileSigner, generate, passphrase::Passphrase, secrets::Secrets},
    store::sqlite::SqliteStore,
    tls_certificate,
};
use anyhow::{Context, ensure};
use clap::Args;
use dayfly_core::{policy::DEFAULT_POLICY, signature::fingerprint, signer::Signer};
use std::{
    io::Write,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};
use time::OffsetDateTime;
use url::{Host, Url};

/// The configuration that explains itself; what is between it and a new one is its values.
const EXAMPLE: &str = include_str!("../../../../ca-config.example.toml");

/// The example's URL, which a new configuration has its own for.
const EXAMPLE_URL: &str = "https://ca.example.org:8443";

/// The example's address, likewise.
const EXAMPLE_LISTEN: &str = "\"[::]:8443\"\n";

/// The example's key of a host CA, likewise.
const EXAMPLE_HOST_CA: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

/// The keys, and what each is for.
const KEYS: [(&str, &str); 5] = [
    ("user_ca", "user CA"),
    ("session_ca", "session CA"),
    ("host_ca", "host CA"),
    ("inner_host_ca", "inner-host CA"),
    ("log_key", "log key"),
];

/// The key that the example's targets are recognised by.
const HOST_CA: &str = "host_ca";

/// Where to, and where the CA will be reached.
#[derive(Debug, Args)]
pub struct Init {
    /// The directory: a new one, or an empty one that nobody else can enter
    directory: PathBuf,
    /// The CA's URL as callers will write it
    #[arg(long, default_value = "https://127.0.0.1:8443", value_parser = origin)]
    url: String,
    /// The address and port to listen at; by default the URL's if it has an address, else every address with the URL's port
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

fn origin(text: &str) -> Result<String, String> {
    Origin::try_from(text.to_owned()).map(|origin| origin.0).map_err(|error| error.to_string())
}

impl Init {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let passphrase = Passphrase::from_environment()?;
        let url = Url::parse(&self.url)?;
        let host = url.host().context("the URL has no host")?.to_owned();
        let listen = self.listen.unwrap_or_else(|| default_listen(&host, url.port_or_known_default().unwrap_or(443)));
        for directory in ["", "keys", "tls", "policy"] {
            private_file::create_directory(&self.directory.join(directory)).map_err(|mistake| anyhow::anyhow!(mistake.to_string()))?;
        }
        let host_ca = self.make_keys(passphrase.as_ref())?;
        self.make_tls_certificate(&host)?;
        self.make("policy/default.cedar", DEFAULT_POLICY.as_bytes())?;
        self.make("ca.toml", configuration(&self.url, listen, &host_ca)?.as_bytes())?;
        SqliteStore::create(&self.directory.join("ca.db"))?;
        self.tell(passphrase.as_ref(), out)
    }

    fn make(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.directory.join(name);
        private_file::create(&path, bytes).with_context(|| format!("{} cannot be made", path.display()))
    }

    /// Makes the five keys; gives the host CA's public half, one line.
    fn make_keys(&self, passphrase: Option<&Passphrase>) -> anyhow::Result<String> {
        let mut host_ca = None;
        for (name, purpose) in KEYS {
            let made = generate::ed25519(&format!("dayfly {purpose}"), passphrase).context("a key could not be made")?;
            self.make(&format!("keys/{name}"), made.private.as_bytes())?;
            self.make(&format!("keys/{name}.pub"), format!("{}\n", made.public).as_bytes())?;
            if name == HOST_CA {
                host_ca = Some(made.public);
            }
        }
        host_ca.context("no host CA was made")
    }

    fn make_tls_certificate(&self, host: &Host) -> anyhow::Result<()> {
        let name = match host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let made = tls_certificate::self_signed(vec![name], OffsetDateTime::now_utc()).context("the TLS certificate could not be made")?;
        self.make("tls/cert.pem", made.certificate.as_bytes())?;
        self.make("tls/key.pem", made.key.as_bytes())
    }

    /// Reads back what was made, and tells what it is and what comes next.
    fn tell(&self, passphrase: Option<&Passphrase>, out: &mut dyn Write) -> anyhow::Result<()> {
        let path = self.directory.join("ca.toml");
        let config = Config::load(&path)?;
        let secrets = Secrets::of_this_process();
        Keyring::load(&config.keys, &secrets, &[])?;
        let place = path.display();
        writeln!(out, "made {}\n", self.directory.display())?;
        for (name, purpose) in KEYS {
            let key = FileSigner::load(&self.directory.join("keys").join(name), &secrets)?;
            writeln!(out, "  {purpose:<14} {}", fingerprint(key.public_key()))?;
        }
        writeln!(out, "  {:<14} {}", "TLS pin", tls_certificate::pin(&config.tls.certificate)?)?;
        let kept = if passphrase.is_some() { "encrypted with the passphrase" } else { "plain, readable by you alone" };
        writeln!(out, "\nThe private keys are {kept}. Nobody is enrolled and nothing is permitted yet. Next:\n")?;
        writeln!(out, "  1. name your targets and roles in {place}")?;
        writeln!(out, "  2. say who may have them in {}", self.directory.join("policy/default.cedar").display())?;
        writeln!(out, "  3. dayfly-ca check --config {place}")?;
        writeln!(out, "  4. dayfly-ca user add alice --key alice.pub --group dba --config {place}")?;
        writeln!(out, "  5. dayfly-ca bastion add b1 --key b1.pub --targets all --dials-from 192.0.2.1 --config {place}")?;
        writeln!(out, "  6. dayfly-ca serve --config {place}")?;
        Ok(writeln!(out, "\nPeople log in with `dayfly login {} --pin {}`.", self.url, tls_certificate::pin(&config.tls.certificate)?)?)
    }
}

/// A URL with an address is served there and nowhere else; one with a name wherever the name may lead.
fn default_listen(host: &Host, port: u16) -> SocketAddr {
    let address = match host {
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
        Host::Domain(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(address, port)
}

/// The example with a new CA's values.
fn configuration(url: &str, listen: SocketAddr, host_ca: &str) -> anyhow::Result<String> {
    let mut text = EXAMPLE.to_owned();
    let listen = format!("\"{listen}\"\n");
    for (example, own) in [(EXAMPLE_URL, url), (EXAMPLE_LISTEN, listen.as_str()), (EXAMPLE_HOST_CA, host_ca)] {
        ensure!(text.contains(example), "the built-in example does not hold {example:?}: this is a defect of the program");
        text = text.replace(example, own);
    }
    Ok(text)
}
