//! Signing in by a browser: a key is made here, a browser proves to a provider who its person is, and the key speaks for them from then on.

mod renewal;

pub use renewal::renewed;

use crate::{
    by_browser::{self, Errand, Place, host_name},
    certificate::now,
    connection::client_of,
    error::{Failure, Kind},
    identity::IdentityKey,
    login::{self, Login},
    output::Output,
    ssh_config::files::KnownHostsFiles,
    state::State,
};
use dayfly_api::sign_in::{SignInRedemption, SignInStart, SignInStarted, SignInState, SignInWay, SignedIn};
use dayfly_api::trust::Trust;
use dayfly_client::Client;
use ssh_key::{Algorithm, PrivateKey};

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
    let errand = SignIn { client: &client, wishes };
    let place = Place { device_code: wishes.device_code, no_browser: wishes.no_browser };
    let signed_in = by_browser::run(&errand, client.origin(), place, offer.device_codes, output).await?;
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

/// A browser goes to a provider and back.
struct SignIn<'a> {
    client: &'a Client,
    wishes: &'a Wishes,
}

impl Errand for SignIn<'_> {
    type Answer = SignedIn;
    const PLACE: &'static str = "sign-in";
    const WHAT: &'static str = "Sign in";
    const KEY: &'static str = "sign_in";
    const AGAIN: &'static str = "dayfly login";
    const TOO_LATE: Kind = Kind::NotLoggedIn;

    async fn start(&self, way: SignInWay) -> Result<SignInStarted, Failure> {
        Ok(self.client.start_sign_in(&SignInStart { provider: self.wishes.provider.clone(), way, host: host_name() }).await?)
    }

    async fn redeem(&self, redemption: SignInRedemption) -> Result<Result<SignedIn, u64>, Failure> {
        Ok(match self.client.redeem_sign_in(&redemption).await? {
            SignInState::SignedIn(signed_in) => Ok(signed_in),
            SignInState::Pending { poll_seconds } => Err(poll_seconds),
        })
    }
}

/// How long a sign-in lasts from now, in seconds.
pub fn remaining(signed_in: &SignedIn) -> u64 {
    u64::try_from(signed_in.expires_at.unix_timestamp()).unwrap_or(0).saturating_sub(now())
}
