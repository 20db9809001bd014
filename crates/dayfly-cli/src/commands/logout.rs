//! `dayfly logout`.

use super::{Context, login::waiting};
use crate::{
    by_browser,
    connection::Connection,
    error::{Failure, Kind},
    login::{self, Login},
    output::{Lines, Report},
};
use serde::Serialize;
use std::io;

/// Arguments of `dayfly logout`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Open the page where you sign out of the provider itself, if it has one
    #[arg(long)]
    browser: bool,
}

#[derive(Serialize)]
struct Answer {
    url: String,
    subject: String,
    /// Whether a sign-in was ended at the CA. An enrolled key stays enrolled.
    ended: bool,
    /// Where the person signs out of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_session: Option<String>,
}

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let (state, ..) = login::current(&context.home)?;
    let _lock = state.lock(|| waiting(context))?;
    let (_, login, _) = login::current(&context.home)?;
    let (ended, end_session) = if login.is_sign_in() { end(context).await? } else { (false, None) };
    Login::forget(&state)?;
    if let Some(page) = end_session.as_deref().filter(|_| arguments.browser) {
        by_browser::open_browser(page);
    }
    Ok(context.output.report(&Answer { url: login.url, subject: login.subject.to_string(), ended, end_session })?)
}

/// Ends it at the CA. One that is not known there, or has ended, is ended already; a key that is lost can be used by nobody.
async fn end(context: &Context<'_>) -> Result<(bool, Option<String>), Failure> {
    let connection = match Connection::open(&context.home) {
        Ok(connection) => connection,
        Err(failure) if failure.kind == Kind::NotLoggedIn => return Ok((false, None)),
        Err(failure) => return Err(failure),
    };
    match connection.client.sign_out().await.map_err(Failure::from) {
        Ok(out) => Ok((true, out.end_session)),
        Err(failure) if matches!(failure.kind, Kind::SignInNeeded | Kind::NotLoggedIn) => Ok((false, None)),
        Err(failure) => Err(failure),
    }
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let ended = if self.ended { "The sign-in is ended there, and its key forgotten here." } else { "It is forgotten here." };
        lines.line(&format!("Logged out of {}, as {}. {ended}", self.url, self.subject))?;
        match &self.end_session {
            Some(page) => lines.line(&format!("Your browser may still be signed in at the provider. To end that too: {page}")),
            None => Ok(()),
        }
    }
}
