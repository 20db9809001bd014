//! `dayfly sessions play`.

use super::every_row;
use crate::{
    commands::Context,
    error::{Failure, Kind},
    identity,
    output::{Form, Lines, Report},
    play::{
        Screen,
        proof::{Expectations, LogWord, ProofError, Proven},
        timing::{Pace, parse_speed},
        transcript,
    },
};
use dayfly_recording::{
    EventLine, Manifest, Recording, VerifyError, find,
    reader::{ReadError, Terminal},
    terminal::TerminalAction,
};
use serde::Serialize;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// Arguments of `dayfly sessions play`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The session's id, with --recordings; or the directory of its recording
    #[arg(value_name = "ID|DIR")]
    session: PathBuf,

    /// Where the bastion's recordings are
    #[arg(long, value_name = "DIR")]
    recordings: Option<PathBuf>,

    /// The bastion's public key; by default the log says which it is
    #[arg(long, value_name = "FILE")]
    bastion_key: Option<PathBuf>,

    /// How many times faster
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_speed)]
    speed: f64,

    /// All at once
    #[arg(long)]
    no_timing: bool,

    /// Pauses longer than this are cut
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = humantime::parse_duration)]
    max_idle: Duration,

    /// Show the events of the session, not only its terminals
    #[arg(long)]
    events: bool,

    /// Give the terminal every byte as it was recorded, also those that it would obey
    #[arg(long)]
    raw: bool,

    /// Play it though it does not verify, or nothing is there to verify it with
    #[arg(long)]
    unverified: bool,
}

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let directory = directory(arguments)?;
    let proven = match expectations(arguments, context).await {
        Ok(expectations) => expectations.prove(&directory).map_err(|error| disbelieved(&error)),
        Err(failure) => Err(failure),
    };
    let recording = Recording::open(&directory).map_err(unreadable)?;
    match proven {
        Ok(proven) => context.output.report(&Heading::proven(&proven, &directory))?,
        Err(failure) if arguments.unverified => {
            context.output.report(&Heading::unverified(&recording, &failure))?;
        }
        Err(failure) => return Err(failure),
    }
    let terminals = recording.terminals().map_err(unreadable)?;
    if context.output.form() == Form::Json {
        return events(&recording, |line| context.output.report(&Line(line)));
    }
    for number in &terminals {
        if !play_terminal(&recording, *number, arguments).await? {
            return Ok(());
        }
    }
    if terminals.is_empty() || arguments.events {
        events(&recording, |line| context.output.report(&Line(line)))?;
    }
    Ok(())
}

fn directory(arguments: &Arguments) -> Result<PathBuf, Failure> {
    let id = arguments.session.to_str().and_then(|text| Uuid::try_parse(text).ok());
    match (id, &arguments.recordings) {
        (Some(id), Some(root)) => {
            let found = find(root, id);
            let found =
                found.map_err(|error| Failure::new(Kind::Failed, format!("{} cannot be searched", root.display())).because(error))?;
            found.ok_or_else(|| {
                Failure::new(Kind::Failed, format!("there is no recording of session {id} in {}", root.display()))
                    .remedy("see how it went: dayfly sessions show ID; only recorded targets have recordings")
            })
        }
        (Some(_), None) if !arguments.session.exists() => Err(Failure::new(Kind::Usage, "where the recordings are is not said")
            .remedy("add --recordings DIR, or name the recording's directory")),
        _ => Ok(arguments.session.clone()),
    }
}

async fn expectations(arguments: &Arguments, context: &Context<'_>) -> Result<Expectations, Failure> {
    if let Some(path) = &arguments.bastion_key {
        return Ok(Expectations::of_key(&identity::public_key_in(path)?));
    }
    let asked = async {
        let mut expectations = Expectations::default();
        every_row(&context.connect()?, context, |row| expectations.take(&row)).await?;
        Ok(expectations)
    };
    asked.await.map_err(|failure: Failure| {
        let cause = failure.cause.map_or(failure.message.clone(), |cause| format!("{}: {cause}", failure.message));
        Failure::new(failure.kind, "the bastion's key cannot be learned from the log")
            .because(cause)
            .remedy("name it with --bastion-key FILE; --unverified plays the recording without any check")
    })
}

fn disbelieved(error: &ProofError) -> Failure {
    let failure = Failure::new(Kind::Failed, "the recording does not verify").because(error);
    match error {
        ProofError::Recording(VerifyError::NotFinished { .. }) => failure.remedy("wait for its end; --unverified plays what there is"),
        _ => failure.remedy("find out who could write to it; --unverified plays it all the same"),
    }
}

fn unreadable(error: ReadError) -> Failure {
    Failure::new(Kind::Failed, "the recording cannot be read").because(error)
}

/// Shows a terminal as it was; false if the person interrupted.
async fn play_terminal(recording: &Recording, number: u32, arguments: &Arguments) -> Result<bool, Failure> {
    let pace = Pace { speed: (!arguments.no_timing).then_some(arguments.speed), longest_pause: arguments.max_idle };
    let mut screen = Screen::standard_output(arguments.raw);
    let shown = show(recording.terminal(number).map_err(unreadable)?, pace, &mut screen).await;
    // However it ended, the person's terminal is put right.
    screen.end()?;
    shown
}

async fn show(terminal: Terminal, pace: Pace, screen: &mut Screen) -> Result<bool, Failure> {
    let mut before = Duration::ZERO;
    for event in terminal {
        let event = event.map_err(unreadable)?;
        let TerminalAction::Output(text) = &event.action else { continue };
        let wait = pace.wait(before, event.time);
        before = event.time;
        if !wait.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = tokio::signal::ctrl_c() => return Ok(false),
            }
        }
        screen.show(text)?;
    }
    Ok(true)
}

fn events(recording: &Recording, mut show: impl FnMut(EventLine) -> io::Result<()>) -> Result<(), Failure> {
    for event in recording.events().map_err(unreadable)? {
        show(event.map_err(unreadable)?)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Heading {
    verified: bool,
    log: Option<LogWord>,
    problem: Option<String>,
    manifest_sha256: Option<String>,
    manifest: Option<Manifest>,
    directory: PathBuf,
}

impl Heading {
    fn proven(proven: &Proven, directory: &Path) -> Self {
        Self {
            verified: true,
            log: Some(proven.log),
            problem: None,
            manifest_sha256: Some(proven.verified.manifest_sha256.to_string()),
            manifest: Some(proven.verified.manifest.clone()),
            directory: directory.to_owned(),
        }
    }

    fn unverified(recording: &Recording, failure: &Failure) -> Self {
        let problem = failure.cause.as_ref().map_or(failure.message.clone(), |cause| format!("{}: {cause}", failure.message));
        let manifest = recording.manifest().ok().flatten();
        Self { verified: false, log: None, problem: Some(problem), manifest_sha256: None, manifest, directory: recording.dir().to_owned() }
    }
}

impl Report for Heading {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        if let Some(problem) = &self.problem {
            lines.line("*** NOT VERIFIED: anybody may have written or changed what follows ***")?;
            lines.line(&format!("*** {problem}"))?;
        }
        let Some(manifest) = &self.manifest else { return lines.line("") };
        let session = &manifest.session;
        lines.field("session", &session.session_id.to_string())?;
        lines.field("who", &format!("{} as {}@{} from {}", session.subject, session.account, session.target, session.peer))?;
        lines.field("role", &format!("{}, certificate {}", session.role, session.certificate_serial))?;
        lines.field("when", &format!("{} to {}", in_words(manifest.started_at), in_words(manifest.ended_at)))?;
        lines.field("ended", &format!("{}: {}", manifest.outcome, manifest.reason))?;
        lines.field(
            "verified",
            match self.log {
                Some(LogWord::Agrees) => "signature, every file's hash, and the log holds this manifest",
                Some(LogWord::Silent) => "signature and every file's hash; the log holds no manifest of this session, or not yet",
                Some(LogWord::NotAsked) => "signature and every file's hash; THE LOG WAS NOT ASKED",
                None => "NO",
            },
        )?;
        lines.line("")
    }
}

/// RFC 3339, to the second.
fn in_words(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

#[derive(Serialize)]
struct Line(EventLine);

impl Report for Line {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        transcript::write(&self.0, lines)
    }
}
