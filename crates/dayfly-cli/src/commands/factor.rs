//! `dayfly factor`: a second factor beside the key.

use super::Context;
use crate::{
    error::{Failure, Kind},
    identity::passphrase::{ask_at, terminal},
    output::{Form, Lines, Report},
};
use clap::Subcommand;
use dayfly_api::factor::{FactorCode, FactorProven, Factors, TotpEnrolment};
use dayfly_client::Client;
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use serde::Serialize;
use std::io;
use zeroize::Zeroizing;

/// A subcommand of `dayfly factor`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enrol an authenticator app: shows a QR code, and asks for the first code
    Add(Add),
    /// Prove the second factor now, by a code of your authenticator
    Prove(Prove),
    /// List your second factors, and when each was last proven with this key
    List,
}

/// Arguments of `dayfly factor add`.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// Show the secret as text too, for an app that takes no picture
    #[arg(long)]
    show_secret: bool,
}

/// Arguments of `dayfly factor prove`.
#[derive(Debug, clap::Args)]
pub struct Prove {
    /// The code; without it, the terminal is asked
    #[arg(long, value_name = "DIGITS", env = "DAYFLY_CODE", hide_env_values = true)]
    code: Option<String>,
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

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    match command {
        Command::Add(add) => enroll(&connection.client, &add, context).await,
        Command::Prove(prove) => {
            let code = match prove.code {
                Some(code) => Zeroizing::new(code),
                None => ask_for_code()?,
            };
            Ok(context.output.report(&Proven(give(&connection.client, &code).await?))?)
        }
        Command::List => Ok(context.output.report(&Listed(connection.client.factors().await?))?),
    }
}

/// Asks for a code at the terminal and gives it to the CA.
pub(super) async fn challenge(client: &Client) -> Result<FactorProven, Failure> {
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
async fn enroll(client: &Client, add: &Add, context: &Context<'_>) -> Result<(), Failure> {
    let enrolment = client.enroll_totp().await?;
    if context.output.form() == Form::Json {
        return Ok(context.output.report(&Enrolled { secret: &enrolment.secret, uri: &enrolment.uri })?);
    }
    show(&enrolment, add.show_secret, context)?;
    let proven = challenge(client).await?;
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
            lines.line(&format!("{}  added: {}  proven with this key: {}", factor.method, ago(factor.added_at), ago(factor.proven_at)))?;
        }
        Ok(())
    }
}
