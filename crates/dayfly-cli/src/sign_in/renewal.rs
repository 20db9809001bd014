//! A sign-in that has ended, renewed where a person is: once, however many wait for it.

use super::{Completed, Wishes, sign_in};
use crate::{
    certificate::now,
    commands::Context,
    connection::Connection,
    error::{Failure, Kind},
    identity::IdentityKey,
    state::State,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, IsTerminal},
};

const FAILED_FILE: &str = "sign-in-failed.json";

/// How long a sign-in that failed is remembered, in seconds. Who waited for it does not open another browser.
const REMEMBERED_SECONDS: u64 = 30;

/// A sign-in that failed.
#[derive(Debug, Serialize, Deserialize)]
struct Failed {
    at: u64,
    message: String,
    remedy: Option<String>,
}

/// The connection with a sign-in that counts. Whoever calls holds the lock, and has opened `connection` since: what another dayfly did meanwhile is seen.
pub async fn renewed(connection: Connection, context: &Context<'_>) -> Result<Connection, Failure> {
    let IdentityKey::SignIn { provider, .. } = &connection.login.identity else { return Ok(connection) };
    if !is_somebody_there() {
        return Err(Failure::new(Kind::SignInNeeded, format!("the sign-in of {} has ended", connection.login.subject))
            .because("there is no terminal, so nobody is asked")
            .remedy("sign in again: dayfly login"));
    }
    let state = &connection.state;
    Failed::answer(state)?;
    let wishes = Wishes { provider: provider.clone(), ..Wishes::default() };
    context.output.notice("dayfly: your sign-in has ended")?;
    match sign_in(&connection.login.url, connection.login.pin.as_deref(), &wishes, state, context.output).await {
        Ok(Completed { .. }) => context.connect(),
        Err(failure) => {
            Failed { at: now(), message: failure.message.clone(), remedy: failure.remedy.clone() }.remember(state)?;
            Err(failure)
        }
    }
}

/// Whether there is a terminal, and so perhaps a person: also where what is said goes to a file, as from a shell's background.
fn is_somebody_there() -> bool {
    io::stderr().is_terminal() || io::stdin().is_terminal() || File::open("/dev/tty").is_ok()
}

impl Failed {
    /// The failure of a moment ago, if there was one.
    fn answer(state: &State) -> Result<(), Failure> {
        let now = now();
        match state.read::<Self>(FAILED_FILE)? {
            // A time to come is a clock that was set back.
            Some(failed) if (failed.at..failed.at.saturating_add(REMEMBERED_SECONDS)).contains(&now) => {
                let failure = Failure::new(Kind::SignInNeeded, "the sign-in has ended, and signing in again has just failed");
                Err(failure.because(failed.message).remedy(failed.remedy.unwrap_or_else(|| "sign in again: dayfly login".to_owned())))
            }
            _ => Ok(()),
        }
    }

    fn remember(&self, state: &State) -> Result<(), Failure> {
        Ok(state.write(FAILED_FILE, self)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_24_a_sign_in_that_failed_is_answered_for_a_while() {
        let place = tempfile::tempdir().unwrap();
        let state = State::create(&place.path().join("dayfly")).unwrap();
        assert!(Failed::answer(&state).is_ok());
        let failed = |at| Failed { at, message: "nobody signed in in time".to_owned(), remedy: None };
        failed(now()).remember(&state).unwrap();
        let failure = Failed::answer(&state).unwrap_err();
        assert_eq!((failure.kind, failure.cause.as_deref()), (Kind::SignInNeeded, Some("nobody signed in in time")));
        for at in [now() - REMEMBERED_SECONDS - 1, now() + 60] {
            failed(at).remember(&state).unwrap();
            assert!(Failed::answer(&state).is_ok());
        }
    }
}
