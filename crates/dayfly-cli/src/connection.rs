//! Calls to the CA that the person is logged in to.

use crate::{
    device::ThisDevice,
    error::{Failure, Kind},
    identity::Identity,
    login::{self, Login},
    ssh_config::files::KnownHostsFiles,
    state::State,
};
use dayfly_api::trust::Trust;
use dayfly_client::{Client, KeySigner, Pin};
use dayfly_core::signed_request::Purpose;
use ssh_key::PrivateKey;
use std::{path::Path, sync::Arc};

/// A login, opened.
pub struct Connection {
    /// Calls to the CA.
    pub client: Client,
    /// Who is logged in where.
    pub login: Login,
    /// What to trust there, as it was last heard.
    pub trust: Trust,
    /// Where that is kept.
    pub state: State,
    /// The device that this machine is there, if it is one: it signs the calls too.
    pub device: Option<ThisDevice>,
}

impl Connection {
    /// Opens the login that is kept at `home`.
    pub fn open(home: &Path) -> Result<Self, Failure> {
        let (state, login, trust) = login::current(home)?;
        let identity = Identity::open(&login.identity)?;
        let device = ThisDevice::read(&state, &login.url)?;
        let client = client(&login.url, login.pin.as_deref(), &identity)?;
        let client = match &device {
            Some(device) => client.on_device(device.signer()?),
            None => client,
        };
        Ok(Self { client, login, trust, state, device })
    }

    /// Asks what to trust now, and keeps it: also in the files for `known_hosts` that were written here. Returns what could not be written, in words.
    /// A CA with keys that are not those of the login, and that they have not vouched for, is not asked further.
    pub async fn catch_up(&mut self) -> Result<Vec<String>, Failure> {
        let trust = self.client.trust().await?;
        if !login::same_authorities(&self.trust, &trust) {
            return Err(other_authorities(&self.login.url));
        }
        // The files first: whoever holds the new keys is not told of them again.
        let problems = KnownHostsFiles::refresh(&self.state, &trust.known_hosts)?;
        if problems.is_empty() {
            Login::write_trust(&self.state, &trust)?;
        }
        self.trust = trust;
        Ok(problems)
    }

    /// Catches up if these are not the keys that are trusted here: a CA tells with each certificate which it has.
    pub async fn catch_up_with(&mut self, authorities: &str) -> Result<Vec<String>, Failure> {
        if login::digest(&self.trust) == authorities { Ok(Vec::new()) } else { self.catch_up().await }
    }
}

/// A client for a key in memory that speaks for nobody yet, or for a sign-in of it.
pub fn client_of(url: &str, pin: Option<&str>, key: &PrivateKey) -> Result<Client, Failure> {
    let pin = pin.map(parse_pin).transpose()?;
    Ok(Client::new(url, pin, Purpose::Person, Arc::new(KeySigner::new(key.clone())))?)
}

/// A client for one identity.
pub fn client(url: &str, pin: Option<&str>, identity: &Identity) -> Result<Client, Failure> {
    let pin = pin.map(parse_pin).transpose()?;
    Ok(Client::new(url, pin, Purpose::Person, identity.signer.clone())?)
}

fn parse_pin(text: &str) -> Result<Pin, Failure> {
    text.parse().map_err(|error| Failure::new(Kind::Usage, "the pin cannot be read").because(error))
}

/// The CA answers, and is not the one that it was.
pub fn other_authorities(url: &str) -> Failure {
    Failure::new(Kind::Failed, format!("the CA at {url} has other keys than when you logged in"))
        .because("it was replaced or set up anew, or somebody answers in its place")
        .remedy(format!("ask whoever runs it; if that is as it should be: dayfly login {url} --accept-new-keys"))
}
