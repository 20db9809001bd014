//! Signing in by a browser: a key is made here, a browser proves to a provider who its person is, and the key speaks for them from then on.

mod browser;
mod listener;
mod renewal;

pub use browser::open as open_browser;
pub use renewal::renewed;

use crate::{
    certificate::now,
    connection::client_of,
    error::{Failure, Kind},
    identity::IdentityKey,
    login::{self, Login},
    output::{Lines, Output, Report},
    ssh_config::files::KnownHostsFiles,
    state::State,
};
use dayfly_api::sign_in::{SignInOffer, SignInRedemption, SignInStart, SignInStarted, SignInState, SignInWay, SignedIn};
use dayfly_api::trust::Trust;
use dayfly_client::Client;
use listener::Listener;
use serde::Serialize;
use ssh_key::{Algorithm, PrivateKey};
use std::{io, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// How somebody wants to sign in.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// At which provider.
    pub provider: Option<String>,
    /// With a browser on another machine.
    pub device_code: bool,
    /// Without a browser being opened: the address is only told.
    pub no_browser: bool,
    /// Go on though the CA has other keys than before.
    pub accept_new_keys: bool,
}

/// A sign-in that is done.
pub struct Completed {
    /// The login as it is kept now.
    pub login: Login,
    /// What the CA said.
    pub signed_in: SignedIn,
    /// What to trust there.
    pub trust: Trust,
}

/// What the person has to do.
#[derive(Serialize)]
struct Invitation<'a> {
    sign_in: Page<'a>,
}

#[derive(Serialize)]
struct Page<'a> {
    page: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    expires_in_seconds: u64,
    #[serde(skip)]
    is_open: bool,
}

/// Signs in at the CA at `url`, and keeps it. Whoever calls holds the lock of `state`: one at a time.
pub async fn sign_in(url: &str, pin: Option<&str>, wishes: &Wishes, state: &State, output: &Output) -> Result<Completed, Failure> {
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
        .map_err(|error| Failure::new(Kind::Failed, "no key could be made").because(error))?;
    let client = client_of(url, pin, &key)?;
    let trust = known_trust(&client, wishes, state).await?;
    let offer = client.sign_in_offer().await?;
    if offer.providers.is_empty() {
        return Err(Failure::new(Kind::NotLoggedIn, format!("the CA at {} has no provider to sign in at", client.origin()))
            .remedy("log in with a key that is enrolled there: dayfly login URL --identity FILE"));
    }
    let signed_in =
        if by_code(wishes, &offer) { by_device_code(&client, wishes, output).await? } else { by_loopback(&client, wishes, output).await? };
    let identity = IdentityKey::SignIn {
        file: Login::write_key(state, &key)?,
        ends_at: u64::try_from(signed_in.expires_at.unix_timestamp()).unwrap_or(0),
        provider: wishes.provider.clone(),
    };
    let login = Login { url: client.origin().to_owned(), pin: pin.map(str::to_owned), identity, subject: signed_in.subject.clone() };
    for problem in KnownHostsFiles::refresh(state, &trust.known_hosts)? {
        output.notice(&format!("dayfly: {problem}"))?;
    }
    login.write(state, &trust)?;
    Ok(Completed { login, signed_in, trust })
}

/// Nobody signs in at a CA that is not the one that it was.
async fn known_trust(client: &Client, wishes: &Wishes, state: &State) -> Result<Trust, Failure> {
    let trust = client.trust().await?;
    let earlier = Login::read(state)?.filter(|login| login.url == client.origin()).and(Login::trust(state)?);
    if earlier.is_some_and(|earlier| !login::same_authorities(&earlier, &trust)) && !wishes.accept_new_keys {
        return Err(crate::connection::other_authorities(client.origin()));
    }
    Ok(trust)
}

/// Whether the browser is to be on another machine: it was asked for, or there is none here.
fn by_code(wishes: &Wishes, offer: &SignInOffer) -> bool {
    wishes.device_code || (!wishes.no_browser && offer.device_codes && !browser::is_there())
}

async fn by_loopback(client: &Client, wishes: &Wishes, output: &Output) -> Result<SignedIn, Failure> {
    let listener = Listener::bind().await?;
    let way = SignInWay::Loopback { port: listener.port(), state: listener.state().to_owned() };
    let started = client.start_sign_in(&start(wishes, way)).await?;
    // What a browser is told to open is a page of the CA that was named, and nothing else.
    if !started.page.starts_with(&format!("{}/sign-in/", client.origin())) {
        return Err(Failure::new(Kind::Failed, "the CA names a page to sign in at that is not its own").because(&started.page));
    }
    let is_open = !wishes.no_browser && browser::open(&started.page);
    invite(output, &started, is_open)?;
    let deadline = deadline(&started);
    // The browser brings the code; that the person said no, the CA tells.
    let code = tokio::select! {
        code = timeout_at(deadline, listener.code()) => code.map_err(|_| too_late())??,
        failure = no_answer(client, &started) => return Err(failure),
    };
    match redeem(client, &started, Some(code)).await? {
        SignInState::SignedIn(signed_in) => Ok(signed_in),
        SignInState::Pending { .. } => Err(too_late()),
    }
}

/// Comes about when there is no answer to wait for any more.
async fn no_answer(client: &Client, started: &SignInStarted) -> Failure {
    loop {
        sleep(Duration::from_secs(started.poll_seconds.max(1))).await;
        match redeem(client, started, None).await {
            Err(failure) if failure.kind != Kind::Unreachable => return failure,
            Ok(_) | Err(_) => {}
        }
    }
}

async fn by_device_code(client: &Client, wishes: &Wishes, output: &Output) -> Result<SignedIn, Failure> {
    let started = client.start_sign_in(&start(wishes, SignInWay::DeviceCode)).await?;
    invite(output, &started, false)?;
    let deadline = deadline(&started);
    let mut pause = started.poll_seconds;
    while Instant::now() < deadline {
        sleep(Duration::from_secs(pause.max(1))).await;
        match redeem(client, &started, None).await {
            Ok(SignInState::SignedIn(signed_in)) => return Ok(signed_in),
            Ok(SignInState::Pending { poll_seconds }) => pause = poll_seconds,
            Err(failure) if failure.kind == Kind::Unreachable => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(too_late())
}

async fn redeem(client: &Client, started: &SignInStarted, code: Option<String>) -> Result<SignInState, Failure> {
    Ok(client.redeem_sign_in(&SignInRedemption { id: started.id.clone(), code }).await?)
}

fn start(wishes: &Wishes, way: SignInWay) -> SignInStart {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    SignInStart { provider: wishes.provider.clone(), way, host }
}

fn invite(output: &Output, started: &SignInStarted, is_open: bool) -> io::Result<()> {
    let code = started.code.as_deref();
    output.announce(&Invitation { sign_in: Page { page: &started.page, code, expires_in_seconds: started.expires_in_seconds, is_open } })
}

fn deadline(started: &SignInStarted) -> Instant {
    Instant::now() + Duration::from_secs(started.expires_in_seconds.min(3600))
}

fn too_late() -> Failure {
    Failure::new(Kind::NotLoggedIn, "nobody signed in in time").remedy("try again: dayfly login")
}

/// How long a sign-in lasts from now, in seconds.
pub fn remaining(signed_in: &SignedIn) -> u64 {
    u64::try_from(signed_in.expires_at.unix_timestamp()).unwrap_or(0).saturating_sub(now())
}

impl Report for Invitation<'_> {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let Page { page, code, is_open, .. } = &self.sign_in;
        match code {
            Some(code) => {
                lines.line(&format!("Open {page} in a browser that you trust, and type this code there: {code}"))?;
                lines.line("Show the code to nobody: whoever types it signs this machine in.")
            }
            None if *is_open => lines.line(&format!("Sign in with the browser that opens now. If none does, open {page} on this machine.")),
            None => lines.line(&format!("Open {page} in a browser on this machine, and sign in.")),
        }
    }
}
