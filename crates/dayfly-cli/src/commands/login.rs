//! `dayfly login`.

use super::Context;
use crate::{
    certificate::in_words,
    connection::{client, client_of, other_authorities},
    error::{Failure, Kind},
    identity::Identity,
    login::{self, Login},
    output::{Lines, Report},
    sign_in::{self, Wishes},
    ssh_config::files::KnownHostsFiles,
    state::State,
};
use dayfly_api::person::WhoAmI;
use dayfly_client::{Client, canonical_origin};
use serde::Serialize;
use ssh_key::{Algorithm, PrivateKey};
use std::{io, path::PathBuf};

/// How many keys are tried. Each that is not enrolled is a refusal in the CA's log.
const MOST_CANDIDATES: usize = 8;

/// Arguments of `dayfly login`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The CA's address; by default, that of your last login
    #[arg(value_name = "https://CA[:PORT]")]
    url: Option<String>,

    /// The CA's TLS key, as `dayfly-ca pin` prints it. Without a pin, the platform's public roots decide whether this is the CA
    #[arg(long, value_name = "sha256//BASE64")]
    pin: Option<String>,

    /// The enrolled key that proves who you are. Without one: the ssh-agent's keys in turn, then ~/.ssh/id_*, then a browser
    #[arg(long, value_name = "FILE", conflicts_with_all = ["provider", "device_code", "no_browser"])]
    identity: Option<PathBuf>,

    /// Sign in with a browser at this provider of the CA's
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,

    /// Sign in with a browser on another machine, where you type a code
    #[arg(long)]
    device_code: bool,

    /// Sign in with a browser on this machine that you open yourself
    #[arg(long, conflicts_with = "device_code")]
    no_browser: bool,

    /// Go on though the CA has other keys than at your last login there
    #[arg(long)]
    accept_new_keys: bool,
}

/// Which CA, and how it is recognised.
struct Place {
    url: String,
    pin: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    url: String,
    pinned: bool,
    identity: String,
    #[serde(flatten)]
    who: WhoAmI,
    home: PathBuf,
    /// How long the sign-in lasts; nothing for an enrolled key.
    #[serde(skip_serializing_if = "Option::is_none")]
    lives_seconds: Option<u64>,
}

pub(super) async fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let state = State::create(&context.home)?;
    let _lock = state.lock(|| waiting(context))?;
    let earlier = Login::read(&state)?;
    let place = place(&arguments, earlier.as_ref())?;
    let renews = arguments.url.is_none() && earlier.is_some_and(|earlier| earlier.is_sign_in());
    let wants_browser = arguments.provider.is_some() || arguments.device_code || arguments.no_browser;
    if wants_browser || (renews && arguments.identity.is_none()) {
        return by_browser(&arguments, &place, &state, context).await;
    }
    match by_key(&arguments, &place, &state, context).await {
        Err(failure) if failure.kind == Kind::NotLoggedIn && arguments.identity.is_none() => {
            if is_offered(&place).await? {
                by_browser(&arguments, &place, &state, context).await
            } else {
                Err(failure)
            }
        }
        answer => answer,
    }
}

/// The CA that is named, or that of the last login. A pin that was right there still is.
fn place(arguments: &Arguments, earlier: Option<&Login>) -> Result<Place, Failure> {
    let url = match (&arguments.url, earlier) {
        (Some(url), _) => canonical_origin(url)?,
        (None, Some(earlier)) => earlier.url.clone(),
        (None, None) => {
            let remedy = "name it: dayfly login https://CA[:PORT] --pin sha256//…";
            return Err(Failure::new(Kind::Usage, "there is no earlier login whose CA could be meant").remedy(remedy));
        }
    };
    let known = earlier.filter(|earlier| earlier.url == url).and_then(|earlier| earlier.pin.clone());
    Ok(Place { pin: arguments.pin.clone().or(known), url })
}

/// Whether people can sign in there with a browser. A key that is made for the question asks it.
async fn is_offered(place: &Place) -> Result<bool, Failure> {
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
        .map_err(|error| Failure::new(Kind::Failed, "no key could be made").because(error))?;
    Ok(!client_of(&place.url, place.pin.as_deref(), &key)?.sign_in_offer().await?.providers.is_empty())
}

async fn by_browser(arguments: &Arguments, place: &Place, state: &State, context: &Context<'_>) -> Result<(), Failure> {
    let wishes = Wishes {
        provider: arguments.provider.clone(),
        device_code: arguments.device_code,
        no_browser: arguments.no_browser,
        accept_new_keys: arguments.accept_new_keys,
    };
    let completed = sign_in::sign_in(&place.url, place.pin.as_deref(), &wishes, state, context.output).await?;
    let connection = context.connect()?;
    let who = connection.client.whoami().await?;
    let identity = match (&completed.signed_in.provider, &completed.signed_in.shown) {
        (Some(provider), Some(shown)) => format!("a sign-in at {provider} ({shown})"),
        (Some(provider), None) => format!("a sign-in at {provider}"),
        (None, _) => "a sign-in".to_owned(),
    };
    let answer = Answer {
        url: completed.login.url,
        pinned: completed.login.pin.is_some(),
        identity,
        who,
        home: context.home.clone(),
        lives_seconds: Some(sign_in::remaining(&completed.signed_in)),
    };
    Ok(context.output.report(&answer)?)
}

async fn by_key(arguments: &Arguments, place: &Place, state: &State, context: &Context<'_>) -> Result<(), Failure> {
    let candidates = match &arguments.identity {
        Some(path) => vec![Identity::from_file(path)?],
        None => Identity::candidates()?,
    };
    let (identity, client, who) = first_accepted(candidates, place).await?;
    let trust = client.trust().await?;
    let earlier = Login::read(state)?.filter(|login| login.url == client.origin()).and(Login::trust(state)?);
    if earlier.is_some_and(|earlier| !login::same_authorities(&earlier, &trust)) && !arguments.accept_new_keys {
        return Err(other_authorities(client.origin()));
    }
    let login =
        Login { url: client.origin().to_owned(), pin: place.pin.clone(), identity: identity.key.clone(), subject: who.subject.clone() };
    for problem in KnownHostsFiles::refresh(state, &trust.known_hosts)? {
        context.output.notice(&format!("dayfly: {problem}"))?;
    }
    login.write(state, &trust)?;
    let (identity, home) = (identity.describe(), context.home.clone());
    let answer = Answer { url: login.url, pinned: login.pin.is_some(), identity, who, home, lives_seconds: None };
    Ok(context.output.report(&answer)?)
}

/// The first key that the CA knows. Any other failure is the same for all keys, and ends it.
async fn first_accepted(candidates: Vec<Identity>, place: &Place) -> Result<(Identity, Client, WhoAmI), Failure> {
    let mut refused: Option<Failure> = None;
    let mut tried = Vec::new();
    for identity in candidates.into_iter().take(MOST_CANDIDATES) {
        let client = client(&place.url, place.pin.as_deref(), &identity)?;
        match client.whoami().await.map_err(Failure::from) {
            Ok(who) => return Ok((identity, client, who)),
            Err(failure) if failure.kind == Kind::NotLoggedIn => {
                tried.push(identity.describe());
                refused = Some(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    let failure = refused.unwrap_or_else(|| Failure::new(Kind::NotLoggedIn, "there is no key to log in with"));
    Err(Failure { cause: Some(format!("tried {}", tried.join("; "))), ..failure })
}

/// Tells that another dayfly is at it.
pub(super) fn waiting(context: &Context<'_>) {
    // Only a courtesy: if it cannot be shown, waiting is still right.
    let _ = context.output.notice("dayfly: waiting for another dayfly to finish");
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.line(&format!("Logged in to {} as {}, with {}.", self.url, self.who.subject, self.identity))?;
        if !self.pinned {
            lines.line("The CA is recognised by public trust roots; with --pin it is recognised by its key alone.")?;
        }
        if let Some(seconds) = self.lives_seconds {
            lines.field("lasts for", &in_words(seconds))?;
        }
        lines.field("kept in", &self.home.display().to_string())?;
        lines.field("next", "dayfly roles")
    }
}
