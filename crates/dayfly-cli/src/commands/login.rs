//! `dayfly login`.

use super::Context;
use crate::{
    connection::{client, other_authorities},
    error::{Failure, Kind},
    identity::Identity,
    login::{self, Login},
    output::{Lines, Report},
    ssh_config::files::KnownHostsFiles,
    state::State,
};
use dayfly_api::person::WhoAmI;
use dayfly_client::Client;
use serde::Serialize;
use std::{io, path::PathBuf};

/// How many keys are tried. Each that is not enrolled is a refusal in the CA's log.
const MOST_CANDIDATES: usize = 8;

/// Arguments of `dayfly login`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The CA's address
    #[arg(value_name = "https://CA[:PORT]")]
    url: String,

    /// The CA's TLS key, as `dayfly-ca pin` prints it. Without a pin, the platform's public roots decide whether this is the CA
    #[arg(long, value_name = "sha256//BASE64")]
    pin: Option<String>,

    /// The key that proves who you are. Without one: the ssh-agent's keys in turn, then ~/.ssh/id_*
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,

    /// Go on though the CA has other keys than at your last login there
    #[arg(long)]
    accept_new_keys: bool,
}

#[derive(Serialize)]
struct Answer {
    url: String,
    pinned: bool,
    identity: String,
    #[serde(flatten)]
    who: WhoAmI,
    home: PathBuf,
}

pub(super) async fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let state = State::create(&context.home)?;
    let _lock = state.lock(|| waiting(context))?;
    let candidates = match &arguments.identity {
        Some(path) => vec![Identity::from_file(path)?],
        None => Identity::candidates()?,
    };
    let (identity, client, who) = first_accepted(candidates, &arguments).await?;
    let trust = client.trust().await?;
    let earlier = Login::read(&state)?.filter(|login| login.url == client.origin()).and(Login::trust(&state)?);
    if earlier.is_some_and(|earlier| !login::same_authorities(&earlier, &trust)) && !arguments.accept_new_keys {
        return Err(other_authorities(client.origin()));
    }
    let login =
        Login { url: client.origin().to_owned(), pin: arguments.pin.clone(), identity: identity.key.clone(), subject: who.subject.clone() };
    for problem in KnownHostsFiles::refresh(&state, &trust.known_hosts)? {
        context.output.notice(&format!("dayfly: {problem}"))?;
    }
    login.write(&state, &trust)?;
    let answer = Answer { url: login.url, pinned: login.pin.is_some(), identity: identity.describe(), who, home: context.home.clone() };
    Ok(context.output.report(&answer)?)
}

/// The first key that the CA knows. Any other failure is the same for all keys, and ends it.
async fn first_accepted(candidates: Vec<Identity>, arguments: &Arguments) -> Result<(Identity, Client, WhoAmI), Failure> {
    let mut refused: Option<Failure> = None;
    let mut tried = Vec::new();
    for identity in candidates.into_iter().take(MOST_CANDIDATES) {
        let client = client(&arguments.url, arguments.pin.as_deref(), &identity)?;
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
        lines.field("kept in", &self.home.display().to_string())?;
        lines.field("next", "dayfly roles")
    }
}
