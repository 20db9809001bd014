//! A certificate for a workload: its token becomes a sign-in of a key that lives as long as this process.

use crate::{
    certificate::now,
    commands::Context,
    connection::{Connection, client_of},
    error::{Failure, Kind},
    identity::IdentityKey,
    login::Login,
    state::State,
    workload::TokenSource,
};
use ssh_key::{Algorithm, PrivateKey};
use std::path::{Path, PathBuf};

/// By which token, at which CA.
#[derive(Debug, clap::Args)]
pub(super) struct ByToken {
    /// Prove what this workload is by the token (JWT) in FILE. Never asks anybody anything
    #[arg(long, value_name = "FILE", conflicts_with = "token_env")]
    token_file: Option<PathBuf>,

    /// As --token-file, with the token in the variable VAR. On GitHub Actions, and in GitLab jobs with DAYFLY_ID_TOKEN, neither is needed
    #[arg(long, value_name = "VAR")]
    token_env: Option<String>,

    /// The CA to show the token to; by default, that of the last login here
    #[arg(long, value_name = "https://CA[:PORT]", env = "DAYFLY_CA_URL", hide_env_values = true)]
    ca: Option<String>,

    /// That CA's TLS key, as `dayfly-ca pin` prints it
    #[arg(long, value_name = "sha256//BASE64", env = "DAYFLY_CA_PIN", hide_env_values = true)]
    pin: Option<String>,

    /// The audience that the token is asked for, where the platform makes one; by default, the CA's address
    #[arg(long, value_name = "TEXT")]
    audience: Option<String>,
}

/// Where a token comes from: named, or offered by the platform where nobody is logged in.
pub(super) fn source(arguments: &ByToken, home: &Path) -> Result<Option<TokenSource>, Failure> {
    if let Some(file) = &arguments.token_file {
        return Ok(Some(TokenSource::File(file.clone())));
    }
    if let Some(variable) = &arguments.token_env {
        return Ok(Some(TokenSource::Variable(variable.clone())));
    }
    Ok(if login_at(home)?.is_some() { None } else { TokenSource::detect() })
}

/// A connection as the machine that the token stands for. The key is in memory only, and so is the login.
pub(super) async fn connect(source: &TokenSource, arguments: &ByToken, context: &Context<'_>) -> Result<Connection, Failure> {
    let known = login_at(&context.home)?;
    let (url, pin) = match (&arguments.ca, known) {
        (Some(url), known) => {
            let known = known.filter(|login| login.url == *url).and_then(|login| login.pin);
            (url.clone(), arguments.pin.clone().or(known))
        }
        (None, Some(login)) => (login.url, arguments.pin.clone().or(login.pin)),
        (None, None) => {
            let remedy = "name it: --ca https://CA[:PORT] --pin sha256//…, or the variables DAYFLY_CA_URL and DAYFLY_CA_PIN";
            return Err(Failure::new(Kind::Usage, "there is no CA to show the token to").remedy(remedy));
        }
    };
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
        .map_err(|error| Failure::new(Kind::Failed, "no key could be made").because(error))?;
    let client = client_of(&url, pin.as_deref(), &key)?;
    let token = source.token(arguments.audience.as_deref().unwrap_or_else(|| client.origin())).await?;
    let signed_in = client.federate(&token).await?;
    let trust = client.trust().await?;
    let ends_at = u64::try_from(signed_in.expires_at.unix_timestamp()).unwrap_or_else(|_| now());
    let identity = IdentityKey::SignIn { file: PathBuf::new(), ends_at, provider: None };
    let login = Login { url: client.origin().to_owned(), pin, identity, subject: signed_in.subject };
    Ok(Connection { client, login, trust, state: State::create(&context.home)?, device: None })
}

fn login_at(home: &Path) -> Result<Option<Login>, Failure> {
    match State::open(home)? {
        Some(state) => Ok(Login::read(&state)?),
        None => Ok(None),
    }
}
