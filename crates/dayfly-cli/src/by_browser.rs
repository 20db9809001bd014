//! What a browser does for this tool, on a page of the CA: it brings the answer to a port of this host, or the person types a code elsewhere.

mod browser;
mod listener;

pub use browser::open as open_browser;

use crate::{
    error::{Failure, Kind},
    output::{Lines, Output, Report},
};
use dayfly_api::sign_in::{SignInRedemption, SignInStarted, SignInWay};
use listener::Listener;
use serde::Serialize;
use std::{future::Future, io, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// What a browser is to do.
pub trait Errand {
    /// What comes of it.
    type Answer;

    /// The first part of its pages at the CA, and of this tool's own.
    const PLACE: &'static str;

    /// What the person is to do on the page, as in "… with the browser that opens now".
    const WHAT: &'static str;

    /// Its name among what programs are told.
    const KEY: &'static str;

    /// How to begin again.
    const AGAIN: &'static str;

    /// What it is that nobody has done in time.
    const TOO_LATE: Kind;

    /// Begins it at the CA.
    fn start(&self, way: SignInWay) -> impl Future<Output = Result<SignInStarted, Failure>>;

    /// Asks the CA for its answer. `Err` with how long to wait if there is none yet, in seconds.
    fn redeem(&self, redemption: SignInRedemption) -> impl Future<Output = Result<Result<Self::Answer, u64>, Failure>>;
}

/// Where the browser is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct Place {
    /// Use a browser on another machine, where you type a code
    #[arg(long)]
    pub device_code: bool,

    /// Use a browser on this machine that you open yourself
    #[arg(long, conflicts_with = "device_code")]
    pub no_browser: bool,
}

impl Place {
    /// Whether it is to be another machine: it was asked for, or there is no browser here.
    fn is_elsewhere(self, offers_codes: bool) -> bool {
        self.device_code || (!self.no_browser && offers_codes && !browser::is_there())
    }
}

/// Has a browser do it.
pub async fn run<E: Errand>(errand: &E, origin: &str, place: Place, offers_codes: bool, output: &Output) -> Result<E::Answer, Failure> {
    if place.is_elsewhere(offers_codes) { by_device_code(errand, output).await } else { by_loopback(errand, origin, place, output).await }
}

async fn by_loopback<E: Errand>(errand: &E, origin: &str, place: Place, output: &Output) -> Result<E::Answer, Failure> {
    let listener = Listener::bind(E::PLACE).await?;
    let started = errand.start(SignInWay::Loopback { port: listener.port(), state: listener.state().to_owned() }).await?;
    // What a browser is told to open is a page of the CA that was named, and nothing else.
    if !started.page.starts_with(&format!("{origin}/{}/", E::PLACE)) {
        return Err(Failure::new(Kind::Failed, "the CA names a page to go on at that is not its own").because(&started.page));
    }
    let is_open = !place.no_browser && browser::open(&started.page);
    invite::<E>(output, &started, is_open)?;
    let deadline = deadline(&started);
    // The browser brings the code; that the person said no, the CA tells.
    let code = tokio::select! {
        code = timeout_at(deadline, listener.code()) => code.map_err(|_| too_late::<E>())??,
        failure = no_answer(errand, &started) => return Err(failure),
    };
    let redemption = SignInRedemption { id: started.id, code: Some(code) };
    errand.redeem(redemption).await?.map_err(|_| too_late::<E>())
}

/// Comes about when there is no answer to wait for any more.
async fn no_answer<E: Errand>(errand: &E, started: &SignInStarted) -> Failure {
    loop {
        sleep(Duration::from_secs(started.poll_seconds.max(1))).await;
        match errand.redeem(SignInRedemption { id: started.id.clone(), code: None }).await {
            Err(failure) if failure.kind != Kind::Unreachable => return failure,
            Ok(_) | Err(_) => {}
        }
    }
}

async fn by_device_code<E: Errand>(errand: &E, output: &Output) -> Result<E::Answer, Failure> {
    let started = errand.start(SignInWay::DeviceCode).await?;
    invite::<E>(output, &started, false)?;
    let deadline = deadline(&started);
    let mut pause = started.poll_seconds;
    while Instant::now() < deadline {
        sleep(Duration::from_secs(pause.max(1))).await;
        match errand.redeem(SignInRedemption { id: started.id.clone(), code: None }).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(poll_seconds)) => pause = poll_seconds,
            Err(failure) if failure.kind == Kind::Unreachable => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(too_late::<E>())
}

/// What this host calls itself.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn deadline(started: &SignInStarted) -> Instant {
    Instant::now() + Duration::from_secs(started.expires_in_seconds.min(3600))
}

fn too_late<E: Errand>() -> Failure {
    Failure::new(E::TOO_LATE, "nobody did it in time").because(format!("to do: {}", E::WHAT)).remedy(format!("try again: {}", E::AGAIN))
}

fn invite<E: Errand>(output: &Output, started: &SignInStarted, is_open: bool) -> io::Result<()> {
    let code = started.code.as_deref();
    output.announce(&Invitation {
        what: E::WHAT,
        key: E::KEY,
        page: &started.page,
        code,
        expires_in_seconds: started.expires_in_seconds,
        is_open,
    })
}

/// What the person has to do.
struct Invitation<'a> {
    what: &'static str,
    key: &'static str,
    page: &'a str,
    code: Option<&'a str>,
    expires_in_seconds: u64,
    is_open: bool,
}

impl Serialize for Invitation<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Page<'a> {
            page: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<&'a str>,
            expires_in_seconds: u64,
        }
        let page = Page { page: self.page, code: self.code, expires_in_seconds: self.expires_in_seconds };
        serializer.collect_map([(self.key, page)])
    }
}

impl Report for Invitation<'_> {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let Self { what, page, code, is_open, .. } = self;
        match code {
            Some(code) => {
                lines.line(&format!("Open {page} in a browser that you trust, and type this code there: {code}"))?;
                lines.line("Show the code to nobody: whoever types it answers for this machine.")
            }
            None if *is_open => lines.line(&format!("{what} with the browser that opens now. If none does, open {page} on this machine.")),
            None => lines.line(&format!("Open {page} in a browser on this machine. To do there: {what}.")),
        }
    }
}
