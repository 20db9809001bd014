//! `dayfly factor`: a second factor beside the key.

mod passkey;
mod touch;

use super::Context;
use crate::{
    by_browser::Place,
    connection::Connection,
    error::{Failure, Kind},
    identity::passphrase::{ask_at, terminal},
    output::{Form, Lines, Output, Report},
};
use clap::Subcommand;
use dayfly_api::factor::{FactorAdded, FactorCode, FactorProven, FactorRemoval, FactorRemoved, Factors, TotpEnrolment};
use dayfly_client::Client;
use dayfly_core::{
    identity::{FactorMethod, Subject},
    name::FactorName,
    reason::{Missing, Reason},
};
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use serde::Serialize;
use std::{io, path::PathBuf};
use zeroize::Zeroizing;

/// A subcommand of `dayfly factor`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enrol an authenticator app by a QR code and its first code, or a passkey or security key in a browser
    Add(Add),
    /// Prove a second factor now, for the key that you are logged in with
    Prove(Prove),
    /// List your second factors, and when each was last proven with this key
    List,
    /// Give up a passkey or security key
    Remove(Remove),
}

/// Arguments of `dayfly factor add`.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// Show the secret as text too, for an app that takes no picture
    #[arg(long, conflicts_with = "webauthn")]
    show_secret: bool,

    /// Add a passkey or security key, in a browser
    #[arg(long)]
    webauthn: bool,

    /// Add an OpenSSH security key (ed25519-sk, ecdsa-sk) that the ssh-agent holds, by a touch
    #[arg(long, conflicts_with_all = ["webauthn", "show_secret", "device_code", "no_browser"], requires = "key")]
    touch: bool,

    /// The security key's file; its public half will do
    #[arg(long, value_name = "FILE", requires = "touch")]
    key: Option<PathBuf>,

    /// What it is to be called; by default passkey-1 or touch-1 and so on
    #[arg(long, value_name = "NAME")]
    name: Option<FactorName>,

    #[command(flatten)]
    place: Place,
}

/// Arguments of `dayfly factor prove`. Without any, whichever of your second factors there is.
#[derive(Debug, clap::Args)]
pub struct Prove {
    /// The code of your authenticator; without it, the terminal is asked
    #[arg(long, value_name = "DIGITS", env = "DAYFLY_CODE", hide_env_values = true)]
    code: Option<String>,

    /// By a passkey or security key, in a browser
    #[arg(long)]
    webauthn: bool,

    /// By the touch of an OpenSSH security key that the ssh-agent holds
    #[arg(long, conflicts_with_all = ["webauthn", "device_code", "no_browser"])]
    touch: bool,

    #[command(flatten)]
    place: Place,
}

/// Arguments of `dayfly factor remove`.
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// Its name, as `dayfly factor list` tells it
    #[arg(value_name = "NAME")]
    name: FactorName,
}

/// Who asks the CA for a second factor.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    client: &'a Client,
    subject: &'a Subject,
    output: &'a Output,
}

impl<'a> Asker<'a> {
    /// Whoever is logged in.
    pub(super) fn of(connection: &'a Connection, output: &'a Output) -> Self {
        Self { client: &connection.client, subject: &connection.login.subject, output }
    }
}

#[derive(Serialize)]
struct Enrolled<'a> {
    secret: &'a str,
    uri: &'a str,
}

#[derive(Serialize)]
struct Listed(Factors);

#[derive(Serialize)]
struct Proven(FactorProven);

#[derive(Serialize)]
struct Added(FactorAdded);

#[derive(Serialize)]
struct Removed(FactorRemoved);

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let (asker, output) = (Asker::of(&connection, context.output), context.output);
    let client = asker.client;
    match command {
        Command::Add(Add { touch: true, key: Some(file), name, .. }) => {
            let added = with_second_factor(&asker, async || touch::add(&asker, &file, name.clone()).await).await?;
            Ok(output.report(&Added(added))?)
        }
        Command::Add(add) if add.webauthn || add.place != Place::default() || add.name.is_some() => {
            let added = with_second_factor(&asker, async || passkey::add(client, add.name.clone(), add.place, output).await).await?;
            Ok(output.report(&Added(added))?)
        }
        Command::Add(add) => enroll(&asker, &add, context).await,
        Command::Prove(prove) => Ok(output.report(&Proven(proven(&asker, prove).await?))?),
        Command::List => Ok(output.report(&Listed(client.factors().await?))?),
        Command::Remove(Remove { name }) => {
            let removal = FactorRemoval { name };
            let removed = with_second_factor(&asker, async || Ok(client.remove_factor(&removal).await?)).await?;
            Ok(output.report(&Removed(removed))?)
        }
    }
}

async fn proven(asker: &Asker<'_>, prove: Prove) -> Result<FactorProven, Failure> {
    let Asker { client, output, .. } = *asker;
    if prove.touch {
        return touch::prove(asker, &client.factors().await?.factors).await;
    }
    if prove.webauthn || prove.place != Place::default() {
        return passkey::prove(client, prove.place, output).await;
    }
    if let Some(code) = prove.code {
        return give(client, &Zeroizing::new(code)).await;
    }
    let any = FactorMethod::ALL.map(|method| method.as_str().to_owned());
    let none =
        || Failure::new(Kind::Refused, "you have no second factor that can be asked for here").remedy("enrol one: dayfly factor add");
    challenge(asker, &any).await?.ok_or_else(none)
}

/// Does it, and if it wants a second factor and somebody is there, that first and then the same again.
pub(super) async fn with_second_factor<T>(asker: &Asker<'_>, work: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
    match work().await {
        Err(failure) if is_answered(asker, &failure).await? => work().await,
        answer => answer,
    }
}

/// Whether what failed wanted a second factor, and was brought one: a risky request is challenged rather than blocked.
pub(super) async fn is_answered(asker: &Asker<'_>, failure: &Failure) -> Result<bool, Failure> {
    let wanted = failure.ruling.as_ref().filter(|ruling| {
        failure.code.as_deref() == Some(Reason::SecondFactorRequired.code()) && ruling.missing == [Missing::SecondFactor.code()]
    });
    match wanted {
        Some(ruling) if terminal().is_ok() => Ok(challenge(asker, &ruling.methods).await?.is_some()),
        _ => Ok(false),
    }
}

/// Asks for one of these kinds of second factor, if the person has one. What takes a touch goes before what has to be typed.
async fn challenge(asker: &Asker<'_>, methods: &[String]) -> Result<Option<FactorProven>, Failure> {
    let Asker { client, output, .. } = *asker;
    let held = client.factors().await?.factors;
    let will_do = |method: FactorMethod| {
        methods.iter().any(|wanted| wanted == method.as_str()) && held.iter().any(|factor| factor.method == method.as_str())
    };
    if will_do(FactorMethod::Touch) && touch::is_at_hand(&held) {
        return touch::prove(asker, &held).await.map(Some);
    }
    if will_do(FactorMethod::Webauthn) {
        return passkey::prove(client, Place::default(), output).await.map(Some);
    }
    if will_do(FactorMethod::Totp) { by_code(client).await.map(Some) } else { Ok(None) }
}

/// Asks for a code at the terminal and gives it to the CA.
async fn by_code(client: &Client) -> Result<FactorProven, Failure> {
    let code = ask_for_code()?;
    give(client, &code).await
}

async fn give(client: &Client, code: &str) -> Result<FactorProven, Failure> {
    // Apps show it in two halves.
    let code: String = code.chars().filter(|digit| !digit.is_whitespace()).collect();
    Ok(client.prove_totp(&FactorCode { code }).await?)
}

fn ask_for_code() -> Result<Zeroizing<String>, Failure> {
    let nobody = |_| {
        Failure::new(Kind::Usage, "a second factor is asked for, and nobody sits at a terminal")
            .remedy("at a terminal: dayfly factor prove; or give the code as DAYFLY_CODE")
    };
    let terminal = terminal().map_err(nobody)?;
    Ok(ask_at(&terminal, "Code of your authenticator: ")?)
}

/// The first code follows at once, so that nobody believes to have a second factor that they have not. Programs give it by themselves.
async fn enroll(asker: &Asker<'_>, add: &Add, context: &Context<'_>) -> Result<(), Failure> {
    let enrolment = with_second_factor(asker, async || Ok(asker.client.enroll_totp().await?)).await?;
    if context.output.form() == Form::Json {
        return Ok(context.output.report(&Enrolled { secret: &enrolment.secret, uri: &enrolment.uri })?);
    }
    show(&enrolment, add.show_secret, context)?;
    let proven = by_code(asker.client).await?;
    Ok(context.output.report(&Proven(proven))?)
}

fn show(enrolment: &TotpEnrolment, show_secret: bool, context: &Context<'_>) -> Result<(), Failure> {
    let code = QrCode::with_error_correction_level(&enrolment.uri, EcLevel::L)
        .map_err(|error| Failure::new(Kind::Failed, "no QR code can be made").because(error).remedy("dayfly factor add --show-secret"))?;
    // Light on dark, as terminals are; the quiet zone makes it readable on others.
    let picture = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    context.output.document(&picture)?;
    if show_secret {
        context.output.document(&format!("secret: {}", enrolment.secret))?;
    }
    context.output.notice("Scan this with your authenticator app, then give the code that it shows.")?;
    Ok(())
}

impl Report for Enrolled<'_> {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.field("secret", self.secret)
    }
}

impl Report for Proven {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.line(&format!("second factor proven: {}", self.0.method))
    }
}

impl Report for Added {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.line(&format!("second factor added: {} ({})", self.0.name, self.0.method))?;
        lines.field("next", "dayfly factor prove")
    }
}

impl Report for Removed {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.line(&format!("second factor removed: {} ({})", self.0.name, self.0.method))
    }
}

impl Report for Listed {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        if self.0.factors.is_empty() {
            return lines.line("none; enrol one: dayfly factor add");
        }
        for factor in &self.0.factors {
            let ago = |at: Option<u64>| {
                at.map_or_else(
                    || "never".to_owned(),
                    |at| format!("{} ago", crate::certificate::in_words(crate::certificate::now().saturating_sub(at))),
                )
            };
            let name = factor.name.as_ref().map(|name| format!("  {name}")).unwrap_or_default();
            let (added, proven) = (ago(factor.added_at), ago(factor.proven_at));
            lines.line(&format!("{}{name}  added: {added}  proven with this key: {proven}", factor.method))?;
        }
        Ok(())
    }
}
