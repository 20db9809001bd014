//! `dayfly log verify`.

use crate::{
    commands::Context,
    connection::Connection,
    error::{Failure, Kind},
    identity,
    log::{
        Pages,
        export::Export,
        verification::{Defect, Head, Verification},
        witness::Witness,
    },
    login,
    output::{Lines, Report},
    state::State,
};
use serde::Serialize;
use ssh_key::{PublicKey, public::KeyData};
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// How many rows pass between two signs of life.
const PROGRESS_EVERY: u64 = 500;

/// Arguments of `dayfly log verify`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Verify an export of `dayfly log export`, without the CA
    #[arg(long, value_name = "EXPORT")]
    file: Option<PathBuf>,

    /// With --file: the log's public key, for whoever is not logged in
    #[arg(long, value_name = "FILE", requires = "file")]
    log_key: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer {
    verified: bool,
    /// How many rows were verified.
    rows: u64,
    /// The number of the signed head.
    head: Option<u64>,
    /// The head that was verified before, and that this log goes on from.
    since: Option<u64>,
    problem: Option<String>,
    #[serde(flatten)]
    defect: Option<Defect>,
}

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let answer = match &arguments.file {
        Some(path) => in_file(path, arguments.log_key.as_deref(), context)?,
        None => at_ca(context).await?,
    };
    context.output.progress("")?;
    context.output.report(&answer)?;
    Ok(if answer.verified { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.exit_code()) })
}

async fn at_ca(context: &Context<'_>) -> Result<Answer, Failure> {
    let connection = context.connect()?;
    let log_key = log_key(&connection.trust.log_key)?;
    let _lock = connection.state.lock(|| {})?;
    let before = Witness::read(&connection.state, &log_key)?;
    let mut rows = 0;
    Ok(match verify(&connection, &log_key, &before, &mut rows, context).await? {
        Ok((head, witness)) => {
            witness.write(&connection.state, &log_key)?;
            Answer::good(rows, head, &before)
        }
        Err(defect) => Answer::bad(rows, &before, defect),
    })
}

/// What the CA answers is one thing, and that it cannot be asked another: only the first says something of the log.
async fn verify(
    connection: &Connection,
    log_key: &KeyData,
    before: &Witness,
    rows: &mut u64,
    context: &Context<'_>,
) -> Result<Result<(u64, Witness), Defect>, Failure> {
    let signed = connection.client.log_head().await?;
    let mut verification = match Head::check(&signed, log_key).and_then(|head| Verification::begin(head, before)) {
        Ok(verification) => verification,
        Err(defect) => return Ok(Err(defect)),
    };
    let mut pages = Pages::after(&connection.client, 0);
    while !verification.is_complete() {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        for row in page.iter().filter(|row| row.seq <= signed.seq) {
            if let Err(defect) = verification.follow(row) {
                return Ok(Err(defect));
            }
            *rows = verification.rows();
        }
        context.output.progress(&format!("verified {} of {} rows", verification.rows(), verification.total()))?;
    }
    Ok(verification.finish().map(|witness| (signed.seq, witness)))
}

fn in_file(path: &Path, key_file: Option<&Path>, context: &Context<'_>) -> Result<Answer, Failure> {
    let (log_key, state) = match key_file {
        Some(path) => (key_in_file(path)?, State::open(&context.home)?),
        None => {
            let (state, _, trust) = login::current(&context.home)?;
            (log_key(&trust.log_key)?, Some(state))
        }
    };
    let before = match &state {
        Some(state) => Witness::read(state, &log_key)?,
        None => Witness::default(),
    };
    let (mut export, signed) = Export::open(path)?;
    let mut verification = match Head::check(&signed, &log_key) {
        Ok(head) => Verification::begin_anywhere(head, &before),
        Err(defect) => return Ok(Answer::bad(0, &before, defect)),
    };
    while let Some(row) = export.row()? {
        if let Err(defect) = verification.follow(&row) {
            return Ok(Answer::bad(verification.rows(), &before, defect));
        }
        if verification.rows().is_multiple_of(PROGRESS_EVERY) {
            context.output.progress(&format!("verified {} of {} rows", verification.rows(), verification.total()))?;
        }
    }
    let rows = verification.rows();
    Ok(match verification.finish() {
        Ok(_) => Answer::good(rows, signed.seq, &before),
        Err(defect) => Answer::bad(rows, &before, defect),
    })
}

fn log_key(line: &str) -> Result<KeyData, Failure> {
    let key = PublicKey::from_openssh(line);
    key.map(|key| key.key_data().clone())
        .map_err(|error| Failure::new(Kind::Failed, "the log's key cannot be read").because(error).remedy("log in again: dayfly login URL"))
}

fn key_in_file(path: &Path) -> Result<KeyData, Failure> {
    identity::public_key_in(path).map_err(|error| Failure::new(Kind::Failed, "the log's key cannot be read").because(error))
}

impl Answer {
    fn good(rows: u64, head: u64, before: &Witness) -> Self {
        Self { verified: true, rows, head: Some(head), since: since(before), problem: None, defect: None }
    }

    fn bad(rows: u64, before: &Witness, defect: Defect) -> Self {
        Self { verified: false, rows, head: None, since: since(before), problem: Some(defect.to_string()), defect: Some(defect) }
    }
}

fn since(before: &Witness) -> Option<u64> {
    before.newest().map(|newest| newest.seq)
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        match &self.problem {
            None => {
                lines.line(&format!(
                    "The log is whole: {} rows, each linked to the one before, the last signed by the log key.",
                    self.rows
                ))?;
                match self.since {
                    Some(since) => lines.line(&format!("It goes on from row {since}, which was verified here before.")),
                    None => lines.line("Its state is remembered here: from now on nobody can cut or rewrite it unnoticed."),
                }
            }
            Some(problem) => {
                lines.line(&format!("THE LOG IS BROKEN: {problem}"))?;
                lines.line(&format!("The first {} rows are linked as they should be.", self.rows))?;
                lines.field(
                    "next",
                    "keep a copy of the CA's disk; what the log told before is in every export and in the terminals of whoever read it",
                )
            }
        }
    }
}
